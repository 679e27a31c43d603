//! Imports run downward from room to room of `src/`, and circles have at most three files.

mod imports;

use imports::{Imports, Module};

use super::sources;

/// The rooms of `src/`, top floor first. A room imports only from the rooms after it.
const ROOMS: [&str; 10] =
    ["cli", "server", "web", "domain", "telemetry", "store", "files", "outbound", "settings", "base"];

/// The maximum number of files that import each other in a circle.
const MAX_CIRCLE: usize = 3;

/// Reads the files below a folder, as modules with their text.
fn read(folder: &str) -> Vec<(Module, String)> {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let module = |path: std::path::PathBuf| {
        let text = std::fs::read_to_string(&path).unwrap();
        let name = path.strip_prefix(&root).unwrap().with_extension("");
        let parts: Vec<String> = name.iter().map(|part| part.to_str().unwrap().to_owned()).collect();
        (imports::module_of(parts), text)
    };
    sources(folder).into_iter().map(module).collect()
}

/// Returns every import that does not run downward.
fn upward(imports: &Imports) -> Vec<String> {
    let floor = |module: &Module| ROOMS.iter().position(|room| module.first().is_some_and(|first| first == room));
    let pairs = imports.pairs();
    let is_upward = |(from, to): &(&Module, &Module)| match (floor(from), floor(to)) {
        (Some(from), Some(to)) => from > to,
        (Some(_), None) => false,
        (None, _) => from.as_slice() != ["main"] && from.as_slice() != ["lib"],
    };
    pairs.into_iter().filter(is_upward).map(|(from, to)| format!("{} -> {}", from.join("/"), to.join("/"))).collect()
}

/// Returns every circle of too many files.
fn circles(imports: &Imports) -> Vec<String> {
    let large = imports.circles().into_iter().filter(|circle| circle.len() > MAX_CIRCLE);
    large.map(|circle| circle.iter().map(|module| module.join("/")).collect::<Vec<_>>().join(", ")).collect()
}

#[test]
fn the_source_folder_shows_its_rooms_and_nothing_else() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let entries = std::fs::read_dir(root).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut entries: Vec<String> = entries.filter(|name| name != "main.rs" && name != "lib.rs").collect();
    entries.sort();
    let mut rooms = ROOMS;
    rooms.sort_unstable();
    assert_eq!(entries, rooms, "new code goes into a room, see ARCHITECTURE.md");
}

#[test]
fn imports_between_rooms_run_downward() {
    let found = upward(&Imports::of(&read("src")));
    assert!(found.is_empty(), "these imports run upward:\n{}", found.join("\n"));
}

#[test]
fn no_circle_of_imports_has_more_than_three_files() {
    for folder in ["src", "actors/src", "bench/src"] {
        let found = circles(&Imports::of(&read(folder)));
        assert!(found.is_empty(), "{folder}: these files import each other in circles:\n{}", found.join("\n"));
    }
}

#[test]
fn a_planted_violation_is_found() {
    let file =
        |path: &str, text: &str| (imports::module_of(path.split('/').map(str::to_owned).collect()), text.to_owned());
    let planted = [
        file(
            "base/room",
            "pub(crate) mod user;\npub(crate) use self::user::User;\npub(crate) use crate::web::state::look;\n",
        ),
        file("base/user", "pub(crate) struct User;\nfn f() { crate::web::state::look(); }\n"),
        file("web/room", "pub(crate) mod state;\n"),
        file("web/state", "use crate::base::{User, user};\n// use crate::cli::run;\n"),
        file("store/a", "use super::b::B;\n"),
        file("store/b", "use super::c::{self, C};\n"),
        file("store/c", "use crate::store::d::D;\n#[cfg(test)]\nmod tests {\n    use crate::cli::run;\n}\n"),
        file("store/d", "fn f() -> super::a::A { \"crate::cli::run\" }\n"),
        file("store/room", "mod a;\nmod b;\nmod c;\nmod d;\n"),
        file("cli/run", ""),
    ];
    let imports = Imports::of(&planted);
    assert_eq!(upward(&imports), ["base/user -> web/state", "base -> web/state"]);
    assert_eq!(circles(&imports), ["store/a, store/b, store/c, store/d"]);
}
