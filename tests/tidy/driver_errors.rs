//! Errors of the drivers become text in one place, because their own text leaves the reason out.

use super::bounds::shipped;

/// The files that name such an error: the one that turns it into text, and those that hand it on to that one.
const KNOWN: [&str; 5] = [
    "src/store/error.rs",
    "src/store/error/driver.rs",
    "src/store/copying/unfinished.rs",
    "src/store/postgres/hosts.rs",
    "src/store/postgres/mark.rs",
];

/// The names that an error of a driver has where it is matched, and so the ones that print it.
const PRINTED: [&str; 4] = ["%failed", "%refused", "failed.to_string()", "refused.to_string()"];

fn names_an_error(text: &str) -> bool {
    let is_import = |line: &str| line.starts_with("use tokio_postgres::") && line.contains("Error");
    text.contains("tokio_postgres::Error") || text.contains("refinery::Error") || text.lines().any(is_import)
}

#[test]
fn errors_of_the_drivers_are_named_in_few_files() {
    let store = || shipped().into_iter().filter(|(path, _)| path.starts_with("src/"));
    for (path, text) in store() {
        let is_known = KNOWN.contains(&path.as_str());
        assert!(is_known || !names_an_error(&text), "{path}: return StoreError, whose text has the reason");
    }
    for (path, text) in store().filter(|(path, _)| path.starts_with("src/store/postgres")) {
        let printed: Vec<&str> = PRINTED.into_iter().filter(|printed| text.contains(printed)).collect();
        assert!(printed.is_empty(), "{path}: {printed:?}: print Failure::of(&…) instead");
    }
}

#[test]
fn an_error_that_was_planted_is_found() {
    assert!(names_an_error("fn read() -> Result<(), tokio_postgres::Error> {"));
    assert!(names_an_error("use tokio_postgres::{Client, Error};"));
    assert!(!names_an_error("use tokio_postgres::error::SqlState;"));
}
