//! Each row of the tables of promises and faults in `docs/cluster.md` names tests that prove it, and a test that proves it
//! with events in Redis, or the reason why Redis takes no part.

mod changes;
mod faults;

use std::path::Path;

use self::changes::{GUARANTEES, RESUMING, VERSIONS};
use self::faults::{OF_PARTS, OF_REDIS, PROMISES_ON_REDIS};

/// The path of a file with tests, and the name of a test in it.
type Test = (&'static str, &'static str);

/// The beginning of a row, its tests, and the proof for Redis.
type Row = (&'static str, &'static [Test], OnRedis);

/// The proof of a row on servers with events in Redis.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum OnRedis {
    /// At least one of the tests runs with Redis.
    Tested,
    /// One of the tests runs with Redis, but only if long runs are wanted.
    InLongRuns,
    /// The reason why Redis takes no part in it.
    NoPart(&'static str),
}

/// The call of a run that exists only if long runs are wanted.
const LONG_RUN: &str = "run_if_long(";

const DOCUMENT: &str = "docs/cluster.md";
const RUNS: &str = "tests/faults/cluster_runs.rs";
const RIGHTS: &str = "tests/faults/nodes/rights.rs";
const RESUME: &str = "tests/faults/nodes/resume.rs";

/// The headings of the tables, the first words of their heads, and their rows.
const TABLES: [(&str, &str, &[Row]); 6] = [
    ("## Guarantees", "change on one server", &GUARANTEES),
    ("### Under faults", "fault", &OF_PARTS),
    ("## Resuming on another server", "case", &RESUMING),
    ("## Events in Redis", "promise", &PROMISES_ON_REDIS),
    ("## Events in Redis", "fault", &OF_REDIS),
    ("## Servers of different versions", "an older server", &VERSIONS),
];

/// Returns the first cells of the rows of a table below a heading.
fn rows<'a>(document: &'a str, heading: &str, head: &str) -> Vec<&'a str> {
    let section = document.split_once(&format!("\n{heading}\n")).unwrap().1;
    let section = section.split_once("\n## ").map_or(section, |(section, _)| section);
    let first = |row: &'a str| row.trim_start_matches("| ").split(" | ").next().unwrap();
    let table = section.lines().skip_while(|line| !(line.starts_with("| ") && first(line).starts_with(head)));
    table.take_while(|line| line.starts_with('|')).skip(2).map(first).collect()
}

/// Returns the violations of a table: a row without tests, a test that is not there, and a wrong proof for Redis. `read`
/// returns the text of a file.
fn violations(rows: &[&str], known: &[Row], read: &dyn Fn(&str) -> String) -> Vec<String> {
    let mut violations = Vec::new();
    for row in rows.iter().filter(|row| !known.iter().any(|(beginning, ..)| row.starts_with(beginning))) {
        violations.push(format!("the row \"{row}\" has no tests"));
    }
    for (beginning, tests, on_redis) in known {
        if rows.iter().filter(|row| row.starts_with(beginning)).count() != 1 {
            violations.push(format!("\"{beginning}\" is not the beginning of one row"));
        }
        if tests.is_empty() {
            violations.push(format!("\"{beginning}\" has no tests"));
        }
        let bodies: Vec<Option<String>> = tests.iter().map(|(file, name)| body(&read(file), name)).collect();
        for (test, _) in tests.iter().zip(&bodies).filter(|(_, body)| body.is_none()) {
            violations.push(format!("\"{beginning}\": there is no test {test:?}"));
        }
        let runs_on_redis = |is_long: bool| {
            let runs = |((file, _), body): (&Test, &Option<String>)| {
                let is_so = |body: &String| is_on_redis(file, body, read) && body.contains(LONG_RUN) == is_long;
                body.as_ref().is_some_and(is_so)
            };
            tests.iter().zip(&bodies).any(runs)
        };
        let found = (runs_on_redis(false), runs_on_redis(true));
        let is_so = match on_redis {
            OnRedis::Tested => found.0,
            OnRedis::InLongRuns => found == (false, true),
            OnRedis::NoPart(_) => found == (false, false),
        };
        if !is_so {
            violations
                .push(format!("\"{beginning}\": tests with Redis, and long ones: {found:?}; it says {on_redis:?}"));
        }
    }
    violations
}

/// Returns the text of a test, which begins with its attribute; `None` if it is not there.
fn body(text: &str, name: &str) -> Option<String> {
    let mut lines = text.lines();
    let is_test = |line: &str| line.trim_start().starts_with("#[") && line.contains("test]");
    let is_named = |line: &str| {
        let line = line.trim_start();
        line.strip_prefix("async ").unwrap_or(line).starts_with(&format!("fn {name}() {{"))
    };
    let mut before = "";
    let head = lines.find(|line| is_test(std::mem::replace(&mut before, line)) && is_named(line))?;
    let end = format!("{}}}", &head[..head.len() - head.trim_start().len()]);
    Some(lines.take_while(|line| *line != end).collect::<Vec<_>>().join("\n"))
}

/// Returns true if a test has its events in Redis.
fn is_on_redis(file: &str, body: &str, read: &dyn Fn(&str) -> String) -> bool {
    let is_included = |name: &str| read("tests/faults/nodes/on_redis.rs").contains(&format!("#[path = \"{name}\"]"));
    if let Some(name) = file.strip_prefix("tests/faults/nodes/") {
        return is_included(name);
    }
    let is_of_redis = file.starts_with("tests/faults/redis") || file.starts_with("src/store/cluster/redis");
    is_of_redis || ["Bus::Redis", "Site::start()", "Redis::start()"].iter().any(|start| body.contains(start))
}

fn text(path: &str) -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap()
}

#[test]
fn each_row_of_a_table_of_promises_has_tests() {
    let document = text(DOCUMENT);
    for (heading, head, known) in TABLES {
        let rows = rows(&document, heading, head);
        let violations = violations(&rows, known, &|path| text(path));
        assert!(violations.is_empty(), "{heading}: {violations:#?}");
    }
}

#[test]
fn a_row_without_a_test_and_a_test_that_is_gone_are_found() {
    const FILE: &str = "tests/faults/redis.rs";
    let document = "\n## Faults\nText.\n\n| other | x |\n|---|---|\n| no | x |\n\n| fault | x |\n|---|---|\n| one | x |\n| two | x |\n\n## More\n";
    let found = rows(document, "## Faults", "fault");
    assert_eq!(found, ["one", "two"]);
    let read =
        |_: &str| "#[test]\nfn a() {\n    x();\n}\n\n#[actix_web::test]\nasync fn b() {\n}\n\nfn c() {\n}\n".to_owned();
    let count = |known: &[Row]| violations(&found, known, &read).len();
    let one: Row = ("one", &[(FILE, "a")], OnRedis::Tested);
    let two: Row = ("two", &[("tests/other.rs", "b")], OnRedis::NoPart("a reason"));
    assert_eq!(count(&[one, two]), 0);
    assert_eq!(count(&[one]), 1, "a row was added");
    assert_eq!(count(&[one, two, ("three", two.1, two.2)]), 1, "a row is gone");
    assert_eq!(count(&[one, ("two", &[], two.2)]), 1, "no test");
    assert_eq!(count(&[one, ("two", &[("tests/other.rs", "d")], two.2)]), 1, "a test is gone");
    assert_eq!(count(&[one, ("two", &[("tests/other.rs", "c")], two.2)]), 1, "a function that is no test");
    assert_eq!(count(&[one, (two.0, two.1, OnRedis::Tested)]), 1, "not tested with Redis");
    assert_eq!(count(&[(one.0, one.1, two.2), two]), 1, "tested with Redis");
    assert_eq!(count(&[(one.0, one.1, OnRedis::InLongRuns), two]), 1, "tested with Redis in each run");
    let read = |_: &str| "#[test]\nfn a() {\n    run_if_long(x);\n}\n\n#[test]\nfn b() {\n}\n".to_owned();
    let is_found = |on_redis: OnRedis| !violations(&["one"], &[(one.0, one.1, on_redis)], &read).is_empty();
    assert!(is_found(OnRedis::Tested) && is_found(OnRedis::NoPart("a reason")) && !is_found(OnRedis::InLongRuns));
}
