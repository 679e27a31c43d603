//! Tests are skipped only in a few listed ways: for a peer that is unwanted in this run, or for the other engine.

use std::path::Path;

use super::sources;

/// Calls that may end a test early. Those outside of `needs` and `database` return `None` only if a call of these did.
const REASONS: [&str; 24] = [
    "needs::peer(",
    "needs::root(",
    "database::only_postgres(",
    "database::only_embedded(",
    "Cluster::start(",
    "Original::start(",
    "TlsPostgres::start(",
    "MailServer::start(",
    "WallClock::new(",
    "Disk::mount(",
    "Pair::bus(",
    "Pair::start(",
    "Place::start(",
    "Fleet::start(",
    "Redis::start(",
    "Redis::start_on_tls(",
    "S3::running(",
    "Site::start(",
    "Site::start_on(",
    "Beside::start(",
    " s3()",
    " azure()",
    "installation()",
    "server_behind_a_proxy()",
];

/// Helpers of tests that return early, and the reason why no assertion is skipped.
const OTHERS: [(&str, &str, usize); 8] = [
    (
        "tests/faults/cluster_runs.rs",
        "the stand needs PostgreSQL, a load balancer and a clock that can be moved; runs of minutes have a variable",
        2,
    ),
    ("tests/support/proxy.rs", "a connection ended", 2),
    ("tests/support/release.rs", "a client hung up", 1),
    ("tests/faults/websocket_hostile.rs", "the server ended the connection", 1),
    ("tests/faults/config_step.rs", "the last step was reached, which is asserted", 1),
    (
        "tests/faults/config_killed.rs",
        "the server was killed while a client wrote; the round before acknowledged nothing",
        2,
    ),
    ("tests/faults/killed.rs", "no account was acknowledged in this round", 1),
    ("tests/faults/restore_killed.rs", "the killed restore was complete", 1),
];

/// Returns the lines of a test file that leave a function without a result and without a known reason.
fn early_returns(text: &str) -> Vec<&str> {
    let is_return = |line: &str| {
        let line = line.trim();
        line == "return;"
            || line.contains("{ return }")
            || line.contains("{ return;")
            || line.contains("return println!")
    };
    let has_reason = |line: &str| REASONS.iter().any(|reason| line.contains(reason));
    // A long reason is in the line before.
    let before = std::iter::once("").chain(text.lines());
    let lines = text.lines().zip(before).filter(|(line, before)| {
        let is_broken = line.trim() == "return;" && before.ends_with("else {");
        is_return(line) && !has_reason(line) && !(is_broken && has_reason(before))
    });
    lines.map(|(line, _)| line).collect()
}

/// Returns the code of tests: everything below `tests/`, and the test modules of the packages.
pub(super) fn tests() -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut found = Vec::new();
    for path in ["tests", "src", "actors/src"].iter().flat_map(|folder| sources(folder)) {
        let name = path.strip_prefix(root).unwrap().to_str().unwrap().to_owned();
        let text = std::fs::read_to_string(&path).unwrap();
        let is_whole = name.starts_with("tests/")
            || name.ends_with("/tests.rs")
            || name.ends_with("/testing.rs")
            || name.contains("/tests/");
        let own = if is_whole {
            Some(text.as_str())
        } else {
            text.split_once("#[cfg(test)]\nmod tests {").map(|(_, own)| own)
        };
        if let Some(own) = own {
            found.push((name, own.to_owned()));
        }
    }
    found
}

#[test]
fn no_test_ends_early_without_a_reason_that_a_run_can_refuse() {
    for (name, text) in tests().iter().filter(|(name, _)| name != "tests/tidy/skipping.rs") {
        let allowed = OTHERS.iter().find(|(path, ..)| path == name).map_or(0, |(_, _, count)| *count);
        let found = early_returns(text);
        assert!(
            found.len() <= allowed,
            "{name}: {found:?}: a test that does not run asks `needs` or `database::only_…`; a helper stands in OTHERS"
        );
        assert!(found.len() >= allowed, "{name} returns early less often: correct OTHERS");
    }
}

#[test]
fn an_early_return_that_was_planted_is_found() {
    let planted =
        ["    let Some(x) = peers::here() else { return };", "        return;", "    return println!(\"skipped\");"];
    for line in planted {
        assert_eq!(early_returns(line), [line]);
    }
    assert!(early_returns("    let Some(x) = needs::peer(\"js\") else { return };").is_empty());
}

#[test]
fn no_test_is_ignored() {
    for (name, text) in tests() {
        assert!(!text.contains(concat!("#[ig", "nore")), "{name}");
    }
}
