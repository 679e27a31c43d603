//! The pictures of the System Console in the documents: made by the browser tests, few, and shown.

use std::collections::BTreeSet;

use super::own;

/// The largest size of all pictures together, in bytes.
const MAX_BYTES: u64 = 1_000_000;

#[test]
fn the_pictures_in_the_documents_are_those_of_the_table_and_small() {
    let table = include_str!("images.tsv");
    let listed: BTreeSet<String> =
        table.lines().skip(1).map(|row| row.split_once('\t').unwrap().0.to_owned()).collect();
    let files: Vec<_> = std::fs::read_dir(own("docs/images")).unwrap().map(Result::unwrap).collect();
    let found: BTreeSet<String> = files.iter().map(|file| file.file_name().into_string().unwrap()).collect();
    assert_eq!(found, listed, "images.mjs renews the pictures of images.tsv");
    let bytes: u64 = files.iter().map(|file| file.metadata().unwrap().len()).sum();
    assert!(bytes <= MAX_BYTES, "{bytes} bytes");
    let shown = ["README.md", "docs/console.md"].map(|file| std::fs::read_to_string(own(file)).unwrap()).join("\n");
    let hidden: Vec<&String> = listed.iter().filter(|name| !shown.contains(&format!("images/{name}"))).collect();
    assert!(hidden.is_empty(), "no document shows {hidden:?}");
}

/// Each picture of the table is made by a scenario, so that it can be renewed.
#[test]
fn a_scenario_makes_each_picture() {
    let scenarios = ["dashboard", "history", "logs", "pages", "settings", "storage", "users"]
        .map(|name| std::fs::read_to_string(own(&format!("tests/clients/console/{name}.mjs"))).unwrap())
        .join("\n");
    for row in include_str!("images.tsv").lines().skip(1) {
        let (_, picture) = row.split_once('\t').unwrap();
        // `pages.mjs` makes names from address, theme and width.
        let is_made = scenarios.contains(&format!("'{picture}'")) || picture.starts_with("environment_");
        assert!(is_made, "{picture}");
    }
}
