//! Query parameters that handlers read are described beside the handlers, and the described ones are read.

use std::collections::BTreeSet;

use super::bounds::shipped;

/// Parameters that are only read or only described: file, name and reason.
const EXCEPTIONS: [(&str, &str, &str); 8] = [
    ("src/web/routes/config.rs", "format", "accepted for compatibility, without an effect"),
    ("src/web/routes/config/document.rs", "source", "sent by the command line only"),
    ("src/web/routes/config/document.rs", "unknown", "sent by the command line only"),
    ("src/web/routes/config/document.rs", "masked", "sent by the command line only"),
    ("src/web/routes/manual_test.rs", "uid", "accepted for compatibility, without an effect"),
    ("src/web/routes/users/list.rs", "group_constrained", "refused, because there are no groups"),
    ("src/web/routes/users/list.rs", "in_group", "refused, because there are no groups"),
    ("src/web/routes/users/list.rs", "not_in_group", "refused, because there are no groups"),
];

/// The calls that describe a parameter.
const DESCRIBES: [&str; 2] = ["Query::optional(", "Query::required("];

/// The calls that read a parameter.
const READS: [&str; 7] = ["query(", "queries(", "is_true(", "is_literally_true(", "flag(", "has_query(", "number("];

/// Arrays of names that are read one by one.
const NAMES: [(&str, &str); 1] = [("src/web/routes/users/list.rs", "const UNSUPPORTED")];

fn handlers() -> impl Iterator<Item = (String, String)> {
    let is_handler = |path: &str| {
        let is_in_a_folder = path.starts_with("src/web/routes") || path.starts_with("src/web/socket");
        // This file has the parameters that several handlers share.
        is_in_a_folder && path != "src/web/routes/operation.rs"
    };
    shipped().into_iter().filter(move |(path, _)| is_handler(path))
}

/// Returns the string literals that are the first argument of one of the calls.
fn arguments<'a>(text: &'a str, calls: &[&str]) -> BTreeSet<&'a str> {
    let rests = calls.iter().flat_map(|call| text.split(call).skip(1));
    rests.filter_map(|rest| rest.trim_start().strip_prefix('"')?.split('"').next()).collect()
}

fn listed<'a>(path: &str, text: &'a str) -> impl Iterator<Item = &'a str> {
    let lists = NAMES.into_iter().filter(move |(known, _)| *known == path);
    let lists = lists.filter_map(|(_, start)| text.split_once(start)?.1.split(';').nth(1));
    lists.flat_map(|list| list.split('"').skip(1).step_by(2)).collect::<Vec<_>>().into_iter()
}

#[test]
fn what_a_handler_reads_of_its_query_is_described_and_what_is_described_is_read() {
    let mut found = BTreeSet::new();
    for (path, text) in handlers() {
        let described = arguments(&text, &DESCRIBES);
        let mut read = arguments(&text, &READS);
        read.extend(listed(&path, &text));
        found.extend(described.symmetric_difference(&read).map(|name| (path.clone(), (*name).to_owned())));
    }
    let stated = EXCEPTIONS.map(|(path, name, _)| (path.to_owned(), name.to_owned()));
    assert_eq!(found, BTreeSet::from(stated), "left: described or read only; right: the exceptions of this test");
}

#[test]
fn a_handler_that_reads_a_page_has_its_parameters_described() {
    for (path, text) in handlers() {
        let reads = text.contains(".paging()");
        assert_eq!(reads, text.contains("[PAGE, PER_PAGE]") || text.contains("PAGE,\n"), "{path}");
    }
}

/// A flag has one reader, so that `?permanent=1` means the same in every route.
#[test]
fn flags_are_read_by_one_function() {
    for (path, text) in super::bounds::shipped() {
        let is_reader = path == "src/base/flag.rs";
        let compares =
            ["== Some(\"true\")", "== Some(\"false\")", "\"TRUE\""].into_iter().find(|form| text.contains(form));
        assert!(
            is_reader || compares.is_none(),
            "{path}: {compares:?}: read flags with Request::is_true or base::flag"
        );
        let reads_literally = text.contains(".is_literally_true(");
        let may_read_literally = ["src/web/routes/health.rs", "src/web/socket/upgrade.rs"].contains(&path.as_str());
        assert_eq!(reads_literally, may_read_literally, "{path}: only ping and sockets compare with `true`");
    }
}

#[test]
fn a_planted_parameter_is_found() {
    let text = "Query::optional(\n    \"one\", Type::String, \"It.\")\nrequest.is_true(\"two\")\nrequest.query(name)";
    assert_eq!(arguments(text, &DESCRIBES), BTreeSet::from(["one"]));
    assert_eq!(arguments(text, &READS), BTreeSet::from(["two"]));
}
