//! Statements have few distinct texts, because each text is prepared once for each connection and kept there.

use super::bounds::shipped;

/// The number of texts in each file with a variable number of parts, and the reason why there are few of them.
const BUILT: [(&str, usize, &str); 22] = [
    ("src/store/audits/verify.rs", 1, "the columns of a table"),
    ("src/store/config_json.rs", 2, "the texts of errors"),
    ("src/store/copying.rs", 1, "the columns of a table"),
    ("src/store/copying/merging.rs", 1, "the columns of a table"),
    ("src/store/copying/unfinished.rs", 1, "the tables to drop, once, on a connection that is closed afterwards"),
    ("src/store/foreign/additions.rs", 4, "a text for the operator"),
    ("src/store/foreign/connected.rs", 1, "the text of an error"),
    ("src/store/foreign/detachable.rs", 6, "texts for the operator"),
    ("src/store/foreign/detaching.rs", 1, "the text of an error"),
    ("src/store/foreign/fitness.rs", 5, "the texts of errors"),
    ("src/store/foreign/inventory.rs", 2, "texts for the operator"),
    ("src/store/foreign/privileges.rs", 2, "texts for the operator"),
    ("src/store/mattermost.rs", 1, "the text of an error"),
    ("src/store/mattermost/recognised.rs", 1, "the text of an error"),
    ("src/store/roles.rs", 1, "a value, not a statement"),
    ("src/store/sqlite/damage.rs", 1, "the text of an error"),
    ("src/store/systems.rs", 2, "the tables that the program writes"),
    ("src/store/user_names/search.rs", 3, "the columns that the caller may search, and up to ten words"),
    (
        "src/store/user_names/statements.rs",
        6,
        "the columns that the caller may search, one of five counts of words, and up to three pieces",
    ),
    ("src/store/users/emptying.rs", 2, "lists of tables, not statements"),
    ("src/store/users/filter.rs", 2, "one part for each member of the filter, and for each of six roles in a place"),
    ("src/store/value.rs", 2, "the rows of an insertion, whose number is that of a portion"),
];

/// The calls that make one text of parts whose number is not fixed.
const JOINS: [&str; 5] = [".join(\"", ".concat()", ".repeat(", "push_str(", "fold(String"];

fn joins(text: &str) -> usize {
    JOINS.iter().map(|join| text.matches(join).count()).sum()
}

#[test]
fn a_list_is_one_parameter_of_a_statement() {
    for (path, text) in statements() {
        let found: Vec<&str> =
            ["IN ({", "IN (${", "placeholders("].into_iter().filter(|part| text.contains(part)).collect();
        let is_constant = path == "src/store/systems.rs";
        assert!(is_constant || found.is_empty(), "{path}: {found:?}: write `= ANY ($1)` with Value::Texts");
    }
}

#[test]
fn statements_of_parts_are_known_to_have_few_texts() {
    for (path, text) in statements() {
        let known = BUILT.iter().find(|(known, ..)| *known == path).map_or(0, |(_, count, _)| *count);
        assert_eq!(joins(&text), known, "{path}: say in BUILT why the texts are few, or use Value::Texts or portions");
    }
}

#[test]
fn a_statement_of_parts_that_was_planted_is_found() {
    assert_eq!(joins("let ids = ids.iter().map(quoted).collect::<Vec<_>>().join(\",\");"), 1);
    assert_eq!(joins("sql.push_str(\" OR id = $1\");\nlet marks = \"?,\".repeat(ids.len());"), 2);
}

#[test]
fn rows_are_inserted_in_portions() {
    for (path, text) in statements() {
        let is_bounded =
            text.contains("portions(") || path == "src/store/copying/loading.rs" || path == "src/store/value.rs";
        assert!(is_bounded || !text.contains("tuples("), "{path}: so many rows, so many texts: use portions");
    }
}

/// Returns the files with statements, without those that read a data source or test the engine itself.
fn statements() -> impl Iterator<Item = (String, String)> {
    shipped()
        .into_iter()
        .filter(|(path, _)| path.starts_with("src/store/") && !path.starts_with("src/store/data_source"))
}
