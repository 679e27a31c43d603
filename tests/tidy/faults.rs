//! Faults that tests cause are not compiled into the program.

use std::path::Path;

use toml::{Table, Value};

fn manifest(path: &str) -> Table {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    std::fs::read_to_string(file).unwrap().parse().unwrap()
}

/// Returns true when a value names the feature, at any depth.
fn names_the_feature(value: &Value) -> bool {
    match value {
        Value::String(text) => text.split('/').any(|part| part == "faults"),
        Value::Array(items) => items.iter().any(names_the_feature),
        Value::Table(members) => members.values().any(names_the_feature),
        Value::Integer(_) | Value::Float(_) | Value::Boolean(_) | Value::Datetime(_) => false,
    }
}

#[test]
fn only_tests_turn_faults_on() {
    for path in ["Cargo.toml", "bench/Cargo.toml", "actors/Cargo.toml"] {
        let mut manifest = manifest(path);
        let tests = manifest.remove("dev-dependencies");
        assert!(!names_the_feature(&Value::Table(manifest)), "{path} turns faults on in a program");
        let is_of_the_server = path == "Cargo.toml";
        assert_eq!(tests.as_ref().is_some_and(names_the_feature), is_of_the_server, "{path}");
    }
}
