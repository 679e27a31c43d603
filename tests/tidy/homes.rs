//! Rules that several parts of the server need have one home. Each is found by the code that a second home would
//! contain.

use super::bounds::shipped;

/// A rule: its name, parts of lines that implement it, and the files that may contain them.
struct Rule {
    name: &'static str,
    parts: &'static [&'static str],
    homes: &'static [&'static str],
}

const RULES: [Rule; 9] = [
    Rule {
        name: "the pages of other sites that AllowCorsFrom admits",
        // Other code passes the setting on to `Allowed::of`; the view declares it.
        parts: &["allow_cors_from"],
        homes: &["actors/src/config/view.rs"],
    },
    Rule {
        name: "the TLS of outgoing calls and its roots",
        parts: &["load_native_certs", "RootCertStore::empty()", "ClientConfig::builder"],
        // A database may have roots of its own, in its address.
        homes: &["src/base/trust.rs", "src/store/data_source/tls.rs"],
    },
    Rule {
        name: "the opening of a log file",
        parts: &["private::append("],
        // The other files are locks, and the draft of a backup.
        homes: &[
            "src/telemetry/logging/file.rs",
            "src/server/backup/draft.rs",
            "src/store/sqlite.rs",
            "src/store/sqlite/copying.rs",
        ],
    },
    Rule {
        name: "the names of rotated log files",
        parts: &["fn rotated(", "\".log.", "log.{"],
        homes: &["src/telemetry/logging/file.rs"],
    },
    Rule {
        name: "the chain of causes of an error",
        parts: &["error.source()", "cause.source()", "match self.source()"],
        homes: &["actors/src/causes.rs", "actors/src/error.rs"],
    },
    Rule {
        name: "the wall clock in milliseconds",
        parts: &["SystemTime::now", "duration_since(UNIX_EPOCH"],
        // The last one converts the time of a file. `tidy::clocks` has the lengths of days.
        homes: &["actors/src/clock.rs", "src/store/config_json/edited.rs"],
    },
    Rule {
        name: "the response to a path without a route",
        parts: &["StatusCode::NOT_FOUND", "HttpResponse::NotFound"],
        homes: &["src/web/error.rs"],
    },
    Rule {
        name: "the access to another account",
        parts: &["require(\"edit_other_users\")"],
        homes: &["src/domain/accounts/access.rs"],
    },
    Rule {
        name: "how a change of the configuration is decided and saved",
        parts: &["store.save(version)", "decide(running,", "decide(&running,"],
        // The others save nothing: a start looks for a version that could be restored, and tests count steps.
        homes: &["actors/src/config/saving.rs", "src/server/starting_config.rs", "actors/src/config/hostile.rs"],
    },
];

/// Returns the lines of a file that implement the rule outside of its homes.
fn elsewhere<'a>(rule: &Rule, path: &str, text: &'a str) -> Vec<&'a str> {
    if rule.homes.contains(&path) {
        return Vec::new();
    }
    let code = text.lines().map(str::trim).filter(|line| !line.starts_with("//"));
    let implements = |line: &&str| rule.parts.iter().any(|part| line.contains(part)) && !line.contains("Allowed::of(&");
    code.filter(implements).collect()
}

#[test]
fn each_shared_rule_has_one_home() {
    let files = shipped();
    for rule in &RULES {
        for (path, text) in &files {
            let found = elsewhere(rule, path, text);
            assert!(found.is_empty(), "{path}: {} has a home in {:?}: {found:?}", rule.name, rule.homes);
        }
        for home in rule.homes {
            let (_, text) = files.iter().find(|(path, _)| path == home).unwrap_or_else(|| panic!("{home} is gone"));
            let is_used = rule.parts.iter().any(|part| text.contains(part));
            assert!(is_used, "{home} has nothing of {}: correct the table", rule.name);
        }
    }
}

#[test]
fn a_second_home_that_was_planted_is_found() {
    const PLANTED: [&str; 9] = [
        "let sites: Vec<&str> = service.allow_cors_from.split(' ').collect();",
        "let roots = rustls_native_certs::load_native_certs().certs;",
        "let file = private::append(&log)?;",
        "let older = format!(\"{}.log.{number}\", name);",
        "while let Some(cause) = error.source() {",
        "let now = SystemTime::now().duration_since(UNIX_EPOCH);",
        "return HttpResponse::NotFound().finish();",
        "if !is_own { session.require(\"edit_other_users\")?; }",
        "let saved = store.save(version).await?;",
    ];
    for (rule, line) in RULES.iter().zip(PLANTED) {
        assert_eq!(elsewhere(rule, "src/web/planted.rs", line), [line], "{}", rule.name);
    }
    let passed_on = "let allowed = Allowed::of(&config.view.service.allow_cors_from);";
    assert!(elsewhere(&RULES[0], "src/web/pipeline/cors.rs", passed_on).is_empty());
}
