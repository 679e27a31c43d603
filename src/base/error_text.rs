//! The table of errors: the status and the text of each id.

use std::collections::HashMap;
use std::sync::LazyLock;

use quarterdeck_actors::error::{AppError, Detail};

/// One row for each id: id, status, text. `{{.Name}}` in a text is replaced with the error's parameter of that name.
const ROWS: &str = include_str!("error_texts.tsv");

static TEXTS: LazyLock<HashMap<&'static str, (u16, &'static str)>> =
    LazyLock::new(|| ROWS.lines().skip(1).filter_map(row).collect());

fn row(line: &'static str) -> Option<(&'static str, (u16, &'static str))> {
    let mut cells = line.split('\t');
    let id = cells.next()?;
    let status = cells.next()?.parse().ok()?;
    Some((id, (status, cells.next()?)))
}

/// Returns the id that clients see. An id with two statuses has two rows, told apart by a suffix after `#`.
pub(crate) fn sent(id: &str) -> &str {
    id.split_once('#').map_or(id, |(id, _)| id)
}

/// Returns the status of an id; 500 for an id that is missing from the table.
pub(crate) fn status_of(id: &str) -> u16 {
    TEXTS.get(id).map_or(500, |(status, _)| *status)
}

/// Returns the text of an error, with its parameters filled in.
pub(crate) fn text_of(failure: &AppError) -> String {
    text(&failure.id, &failure.params)
}

/// Returns all problems of a document, one a line, or the text of the error if it has no list of them.
pub(crate) fn explain(failure: &AppError) -> String {
    if failure.failures.is_empty() {
        return text_of(failure);
    }
    let lines = findings(failure).into_iter().map(|(path, text)| match path.as_str() {
        "" => text,
        path => format!("{path}: {text}"),
    });
    lines.collect::<Vec<String>>().join("\n")
}

/// Returns all problems of a document, as pairs of a path and a text.
pub(crate) fn findings(failure: &AppError) -> Vec<(String, String)> {
    let finding =
        |detail: &Detail| (detail.pointer.trim_start_matches('/').replace('/', "."), text(detail.id, &detail.params));
    failure.failures.iter().map(finding).collect()
}

/// Returns the text of an id, with its parameters filled in.
pub(crate) fn text(id: &str, params: &[(&'static str, String)]) -> String {
    let text = TEXTS.get(id).map_or(id, |(_, text)| text);
    params.iter().fold(text.to_owned(), |text, (name, value)| text.replace(&format!("{{{{.{name}}}}}"), value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_of_the_table_is_read() {
        assert_eq!(TEXTS.len(), ROWS.lines().count() - 1);
        assert!(TEXTS.values().all(|(status, text)| (300..600).contains(status) && !text.is_empty()));
    }

    #[test]
    fn parameters_fill_the_text() {
        let refusal = AppError::invalid_body("user");
        assert_eq!(text_of(&refusal), "The request body has no valid user.");
    }
}
