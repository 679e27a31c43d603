//! Lists as parameters: SQLite has no arrays, so they are JSON lists there.

use std::borrow::Cow;

/// The uses of a list in statements, before and after the name of the parameter, each with the replacement for SQLite.
const FORMS: [([&str; 2], [&str; 2]); 3] = [
    ([" = ANY (", ")"], [" IN (SELECT value FROM json_each(", "))"]),
    ([" <> ALL (", ")"], [" NOT IN (SELECT value FROM json_each(", "))"]),
    (["unnest(CAST(", " AS text[])) AS list(value)"], ["json_each(", ") AS list"]),
];

/// Returns the statement with its lists as SQLite reads them.
pub(super) fn with_json_lists(sql: &str) -> Cow<'_, str> {
    let mut sql = Cow::Borrowed(sql);
    for ([before, after], written) in FORMS {
        if sql.contains(before) {
            sql = Cow::Owned(replaced(&sql, before, after, written));
        }
    }
    sql
}

fn replaced(sql: &str, before: &str, after: &str, written: [&str; 2]) -> String {
    let mut parts = sql.split(before);
    let mut text = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        match part.split_once(after).filter(|(name, _)| is_parameter(name)) {
            Some((name, rest)) => text.extend([written[0], name, written[1], rest]),
            None => text.extend([before, part]),
        }
    }
    text
}

fn is_parameter(name: &str) -> bool {
    name.strip_prefix('$').is_some_and(|number| number.parse::<u16>().is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_written_as_sqlite_reads_them() {
        for (of_postgres, of_sqlite) in [
            ("SELECT 1", "SELECT 1"),
            (
                "SELECT 1 FROM a WHERE b = ANY ($12) AND c <> ALL ($2)",
                "SELECT 1 FROM a WHERE b IN (SELECT value FROM json_each($12)) \
                 AND c NOT IN (SELECT value FROM json_each($2))",
            ),
            (
                "SELECT list.value FROM unnest(CAST($3 AS text[])) AS list(value)",
                "SELECT list.value FROM json_each($3) AS list",
            ),
            ("SELECT 1 WHERE b = ANY (current_schemas(false))", "SELECT 1 WHERE b = ANY (current_schemas(false))"),
        ] {
            assert_eq!(with_json_lists(of_postgres), of_sqlite);
        }
    }
}
