//! Each module of the store and of the body reader has its own unit tests, or those of its parent module.

use std::path::Path;

use super::sources;

/// The modules that must be tested, by the beginning of their paths.
const ROOMS: [&str; 3] = ["src/store/", "src/web/request.rs", "src/web/request/"];

/// Modules without unit tests, and the tests that run them instead.
const OTHERS: [(&str, &str); 13] = [
    ("src/store/cluster.rs", ON_POSTGRES),
    ("src/store/cluster/bus.rs", "faults::nodes and faults::buses"),
    ("src/store/cluster/questions.rs", "faults::nodes"),
    ("src/store/pool.rs", "four numbers"),
    ("src/store/postgres.rs", ON_POSTGRES),
    ("src/store/postgres/concurrent.rs", "wire::attached"),
    ("src/store/postgres/hosts.rs", "wire::database_tls and faults::database_failover"),
    ("src/store/postgres/listening.rs", "faults::nodes"),
    ("src/store/postgres/mark.rs", "faults::restore_killed"),
    ("src/store/postgres/reserve.rs", "faults::nodes"),
    ("src/store/postgres/session.rs", "wire::command_line_restore"),
    ("src/store/postgres/work.rs", ON_POSTGRES),
    ("src/web/request.rs", "all of tests/contract: each handler takes one"),
];

const ON_POSTGRES: &str = "the whole suite in its second run, and faults::database_lost, frozen and database_room";

fn has_tests(path: &Path) -> bool {
    let beside = path.with_extension("").join("tests.rs");
    std::fs::read_to_string(path).is_ok_and(|text| text.contains("::test]") || text.contains("#[test]"))
        || beside.exists()
}

#[test]
fn each_module_of_the_store_and_the_body_reader_has_unit_tests() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut missing = Vec::new();
    for path in sources("src") {
        let name = path.strip_prefix(root).unwrap().to_str().unwrap().to_owned();
        let is_meant = ROOMS.iter().any(|room| name.starts_with(room));
        let is_test = name.ends_with("/tests.rs") || name.contains("/tests/") || name.ends_with("/testing.rs");
        if !is_meant || is_test {
            continue;
        }
        let is_tested = has_tests(&path) || has_tests(&path.parent().unwrap().with_extension("rs"));
        let is_listed = OTHERS.iter().any(|(known, _)| *known == name);
        assert!(!(is_tested && is_listed), "{name} has tests now: correct the table");
        if !is_tested && !is_listed {
            missing.push(name);
        }
    }
    assert!(missing.is_empty(), "without unit tests: {missing:#?}");
}
