//! The one table of errors: the status and the text of each id.

use std::collections::HashMap;
use std::sync::LazyLock;

use quarterdeck_actors::error::{AppError, Detail};

/// One row an id: id, status, text. The texts are our own; `{{.Name}}` is filled from the error's parameters.
const ROWS: &str = include_str!("error_texts.tsv");

static TEXTS: LazyLock<HashMap<&'static str, (u16, &'static str)>> =
    LazyLock::new(|| ROWS.lines().skip(1).filter_map(row).collect());

fn row(line: &'static str) -> Option<(&'static str, (u16, &'static str))> {
    let mut cells = line.split('\t');
    let id = cells.next()?;
    let status = cells.next()?.parse().ok()?;
    Some((id, (status, cells.next()?)))
}

/// The id as clients see it: where an id has two statuses, what follows the `#` tells its rows apart.
pub(crate) fn sent(id: &str) -> &str {
    id.split_once('#').map_or(id, |(id, _)| id)
}

/// The status that goes with an id; an id that is not in the table is a fault of the server.
pub(crate) fn status_of(id: &str) -> u16 {
    TEXTS.get(id).map_or(500, |(status, _)| *status)
}

/// The text of an error, with its parameters filled in.
pub(crate) fn text_of(failure: &AppError) -> String {
    text(&failure.id, &failure.params)
}

/// Everything that is wrong with a document, a line each; without one, the text of the error.
pub(crate) fn explain(failure: &AppError) -> String {
    if failure.failures.is_empty() {
        return text_of(failure);
    }
    let lines = findings(failure).into_iter().map(|(path, text)| format!("{path}: {text}"));
    lines.collect::<Vec<String>>().join("\n")
}

/// Everything that is wrong with a document: where, and what.
pub(crate) fn findings(failure: &AppError) -> Vec<(String, String)> {
    let finding =
        |detail: &Detail| (detail.pointer.trim_start_matches('/').replace('/', "."), text(detail.id, &detail.params));
    failure.failures.iter().map(finding).collect()
}

/// The text of an id with its parameters filled in.
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
