//! Formats the chain of causes of an error as one line.

use std::error::Error;

/// Returns the text of an error, followed by its causes: some drivers say only "error connecting to server" and keep
/// the reason in the source. A cause that the text already contains is left out.
pub(crate) fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let reason = cause.to_string();
        if !text.contains(&reason) {
            text = format!("{text}: {reason}");
        }
        next = cause.source();
    }
    text
}
