//! The chain of causes of an error, on one line.

use std::error::Error;

/// Returns an error with everything below it. A cause that the text above already tells is left out: drivers say "error
/// connecting to server" and keep the reason underneath.
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
