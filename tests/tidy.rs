//! Rules of the project that a compiler cannot check.

pub mod bounds;
mod clocks;
mod drafts;
mod driver_errors;
mod ended_sessions;
mod english;
mod everyday;
mod faults;
mod guarantees;
mod homes;
mod names;
mod queries;
mod rooms;
mod secrets;
mod site_path;
mod skipping;
mod spawning;
mod statements;
mod tested;
mod user_names;
mod waiting;

use std::path::{Path, PathBuf};

const MAX_FILE_LINES: usize = 400;

fn sources(folder: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                found.push(path);
            }
        }
    }
    found
}

#[test]
fn no_file_is_longer_than_the_wall() {
    for path in ["src", "actors", "bench", "tests"].iter().flat_map(|folder| sources(folder)) {
        let lines = std::fs::read_to_string(&path).unwrap().lines().count();
        assert!(lines <= MAX_FILE_LINES, "{} has {lines} lines", path.display());
    }
}

/// One module creates files and folders of the server, so that only its own user can read them.
#[test]
fn only_one_module_makes_files_and_folders() {
    const MAKERS: [&str; 8] = [
        "File::create",
        "File::options",
        "OpenOptions",
        "create_dir",
        "DirBuilder",
        "fs::write(",
        "NamedTempFile",
        "UnixListener::bind",
    ];
    for path in ["src", "actors/src"].iter().flat_map(|folder| sources(folder)) {
        let name = path.display().to_string();
        let is_test = name.ends_with("/tests.rs") || name.contains("/tests/");
        if is_test || name.ends_with("src/files/private.rs") {
            continue;
        }
        let text = std::fs::read_to_string(&path).unwrap();
        let code = text.split("#[cfg(test)]\nmod tests {").next().unwrap();
        let found: Vec<&&str> = MAKERS.iter().filter(|maker| code.contains(**maker)).collect();
        assert!(
            found.is_empty(),
            "{name}: {found:?} belongs into src/files/private.rs, which makes files 0600 in folders 0700"
        );
    }
}

#[test]
fn every_error_id_that_is_raised_has_a_text() {
    let table = include_str!("../src/base/error_texts.tsv");
    let known: Vec<&str> = table.lines().filter_map(|line| line.split('\t').next()).collect();
    for path in ["src", "actors/src"].iter().flat_map(|folder| sources(folder)) {
        let text = std::fs::read_to_string(&path).unwrap();
        for raised in ids_in(&text) {
            assert!(known.contains(&raised), "{}: {raised} has no row in error_texts.tsv", path.display());
        }
    }
}

/// Returns the string literals of a file that look like ids: dotted words that begin like ids of the contract.
fn ids_in(text: &str) -> Vec<&str> {
    const FAMILIES: [&str; 7] = ["api.", "app.", "ent.", "model.", "store.", "mfa.", "basic_security_check."];
    let literals = text.split('"').skip(1).step_by(2);
    literals
        .filter(|literal| FAMILIES.iter().any(|family| literal.starts_with(family)) && !literal.contains(['{', ' ']))
        .collect()
}

/// Crates that must not be in the tree, even indirectly: each has advisories without a fix, or is unmaintained.
#[test]
fn the_lock_file_holds_no_crate_that_is_known_to_be_bad() {
    for (name, version) in locked() {
        let is_bad = match name {
            "rsa" | "azure_storage_blobs" | "actix-web-actors" => true,
            "h2" => version < (0, 4),
            "rustls-webpki" => version < (0, 103),
            name => name.starts_with("rusoto"),
        };
        assert!(!is_bad, "{name} {version:?} is in Cargo.lock; `cargo tree -i {name}` says why");
    }
}

#[test]
fn no_lock_file_of_a_test_peer_names_the_host_it_was_fetched_from() {
    for lock in [include_str!("clients/js/package-lock.json"), include_str!("peers/azure/package-lock.json")] {
        assert!(!lock.contains("\"resolved\""), "write it with --omit-lockfile-registry-resolved");
    }
}

/// Returns every package of the lock file, with the major and minor number of its version.
fn locked() -> impl Iterator<Item = (&'static str, (u32, u32))> {
    let packages = include_str!("../Cargo.lock").split("[[package]]").skip(1);
    packages.map(|package| {
        let value_of = |key: &str| {
            let mut lines = package.lines();
            lines.find_map(|line| line.strip_prefix(key)?.trim_end().strip_prefix(" = \"")?.strip_suffix('"')).unwrap()
        };
        let mut numbers = value_of("version").split('.').map(|number| number.parse().unwrap_or_default());
        (value_of("name"), (numbers.next().unwrap(), numbers.next().unwrap()))
    })
}
