//! The everyday changes of ARCHITECTURE.md name files that exist, and few of them; the documents that such a change
//! extends are complete.

use std::path::{Path, PathBuf};

use super::bounds::shipped;
use super::sources;

const ARCHITECTURE: &str = include_str!("../../ARCHITECTURE.md");
const HEADING: &str = "## Everyday changes";

/// The maximum number of files of one change, besides generated ones.
const MAX_FILES: usize = 5;

/// The words of a path that stand for the name of something new.
const PLACEHOLDERS: [&str; 3] = ["NOUN", "NAME", "…"];

/// Returns the changes of the table with their files, one element for each file or choice of files.
fn changes(text: &str) -> Vec<(String, Vec<String>)> {
    let section = text.split(HEADING).nth(1).unwrap().split("\n## ").next().unwrap();
    let rows = section.lines().filter(|line| line.starts_with("| ") && !line.starts_with("| change |"));
    let change = |row: &str| {
        let cells: Vec<&str> = row.trim_matches('|').split('|').map(str::trim).collect();
        (cells[0].to_owned(), cells[1].split("; ").map(str::to_owned).collect())
    };
    rows.map(change).collect()
}

/// Returns the faults of the table: long lists, and paths without a file.
fn faults(text: &str, files: &[String]) -> Vec<String> {
    let mut faults = Vec::new();
    for (change, list) in changes(text) {
        let count: usize = list.iter().map(|item| 1 + item.matches("` and `").count()).sum();
        if count > MAX_FILES {
            faults.push(format!("{change}: {count} files"));
        }
        let quoted = list.iter().flat_map(|item| item.split('`').skip(1).step_by(2));
        for path in quoted.filter(|quoted| quoted.contains(['/', '.'])) {
            if !files.iter().any(|file| is_like(file, path)) {
                faults.push(format!("{change}: {path} does not exist"));
            }
        }
    }
    faults
}

/// Returns true if the file has this path, in which a placeholder stands for any name.
fn is_like(file: &str, path: &str) -> bool {
    let placeholder = PLACEHOLDERS.iter().find_map(|word| path.split_once(word));
    placeholder.map_or(file == path, |(before, after)| {
        let name = file.strip_prefix(before).and_then(|rest| rest.strip_suffix(after));
        name.is_some_and(|name| !name.is_empty() && !name.contains('/'))
    })
}

/// Returns the paths of all files of the repository that such a change can name.
fn repository() -> Vec<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let top = ["config.toml", "CHANGELOG.md"].map(|name| root.join(name)).to_vec();
    let mut folders = ["src", "actors/src", "tests", "docs", "sql"].map(|folder| root.join(folder)).to_vec();
    let mut files: Vec<PathBuf> = top;
    while let Some(folder) = folders.pop() {
        let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
        let (more, found): (Vec<_>, Vec<_>) = entries.partition(|path| path.is_dir());
        folders.extend(more);
        files.extend(found);
    }
    files.iter().map(|file| file.strip_prefix(root).unwrap().to_str().unwrap().to_owned()).collect()
}

#[test]
fn everyday_changes_touch_at_most_five_files_that_exist() {
    assert!(changes(ARCHITECTURE).len() >= 10, "the table is not found");
    let faults = faults(ARCHITECTURE, &repository());
    assert!(faults.is_empty(), "{faults:#?}");
}

#[test]
fn planted_faults_of_the_table_are_found() {
    let files = ["src/a.rs", "src/store/roles.rs", "sql/V1__one.sql"].map(str::to_owned);
    let table = |row: &str| format!("{HEADING}\n\n| change | files | generated |\n|---|---|---|\n{row}\n\n## Next\n");
    let found = |row: &str| faults(&table(row), &files);
    assert_eq!(found("| one | `src/a.rs`; `src/store/NOUN.rs`; `sql/V….sql`; its test | |"), [""; 0]);
    assert_eq!(found("| two | `src/b.rs` or `src/a.rs` | |"), ["two: src/b.rs does not exist"]);
    assert_eq!(found("| three | `src/web/NOUN.rs` | |"), ["three: src/web/NOUN.rs does not exist"]);
    assert_eq!(found("| four | a; b; c; d; e; f | |"), ["four: 6 files"]);
    assert_eq!(found("| five | `src/a.rs` and `src/a.rs`; b; c; d; e | |"), ["five: 6 files"]);
}

/// Returns the names of the events that the code of a file publishes.
fn events(text: &str) -> Vec<&str> {
    text.split("Event::new(\"").skip(1).filter_map(|rest| rest.split('"').next()).collect()
}

#[test]
fn each_event_has_a_row_in_its_document() {
    let document = include_str!("../../docs/websocket.md");
    let rows: Vec<&str> = document.lines().filter_map(|line| line.strip_prefix("| `")?.split(" | ").next()).collect();
    let is_told = |event: &str| rows.iter().any(|row| format!("`{row}").contains(&format!("`{event}`")));
    assert!(!is_told("an_event_without_a_row"));
    let mut count = 0;
    for (path, text) in shipped() {
        for event in events(&text) {
            assert!(is_told(event), "{path}: {event} is not in docs/websocket.md");
            count += 1;
        }
    }
    assert!(count > 15, "{count}");
}

#[test]
fn each_subcommand_has_a_file_and_its_tests() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let face = std::fs::read_to_string(root.join("src/cli/room.rs")).unwrap();
    let modules = face.lines().filter_map(|line| line.strip_prefix("mod ")?.strip_suffix(';'));
    let tests: Vec<String> = sources("tests").iter().map(|path| std::fs::read_to_string(path).unwrap()).collect();
    for module in modules.filter(|name| !["options", "output"].contains(name)) {
        let command = format!("\"{}\"", module.replace('_', "-"));
        assert!(tests.iter().any(|text| text.contains(&command)), "no test calls quarterdeck {module}");
    }
}
