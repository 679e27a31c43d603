//! Lists the files of the System Console, so that a release contains them. A debug build reads them from the source
//! folder instead, so that a changed page needs no build.

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::{env, fs, io};

/// The folder with the files, relative to this package.
const FOLDER: &str = "src/web/console";

/// The ends of the names of files that browsers get.
const SERVED: [&str; 6] = [".js", ".mjs", ".css", ".html", ".svg", ".txt"];

fn main() -> io::Result<()> {
    println!("cargo::rerun-if-changed=build.rs");
    let root = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").unwrap_or_default()).join(FOLDER);
    let mut names = Vec::new();
    if env::var("PROFILE").is_ok_and(|profile| profile == "release") {
        println!("cargo::rerun-if-changed={FOLDER}");
        list(&root, "", &mut names)?;
        names.sort();
    }
    let mut table = String::from("&[\n");
    for name in names {
        let path = root.join(&name);
        writeln!(table, "    ({name:?}, include_str!({:?})),", path.display().to_string()).map_err(io::Error::other)?;
    }
    table.push(']');
    let place = PathBuf::from(env::var_os("OUT_DIR").unwrap_or_default()).join("console_files.rs");
    fs::write(place, table)
}

fn list(folder: &Path, prefix: &str, names: &mut Vec<String>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = format!("{prefix}{}", entry.file_name().to_string_lossy());
        if entry.file_type()?.is_dir() {
            list(&entry.path(), &format!("{name}/"), names)?;
        } else if SERVED.iter().any(|end| name.ends_with(end)) {
            names.push(name);
        }
    }
    Ok(())
}
