//! The chain of causes of an error.

use std::error::Error;
use std::io;

/// Returns an error and its causes, the outermost first. The error inside an I/O error counts as its cause.
pub fn causes<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(Some(error), |error| {
        let error: &'a (dyn Error + 'static) = *error;
        match error.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
            Some(inner) => Some(inner),
            None => error.source(),
        }
    })
}

/// Returns the text of an error, followed by its causes: some drivers say only "error connecting to server" and keep
/// the reason in the source. A cause that the text already contains is left out.
pub fn chain(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    for cause in causes(error).skip(1).map(ToString::to_string) {
        if !text.contains(&cause) {
            text = format!("{text}: {cause}");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("error connecting to server")]
    struct Driver(#[source] io::Error);

    #[derive(Debug, thiserror::Error)]
    #[error("{0}")]
    struct Wrapped(#[source] Driver);

    #[test]
    fn each_cause_is_named_once_also_the_one_inside_an_io_error() {
        let refused = io::Error::other(Driver(io::Error::other("no route to host")));
        let error = Wrapped(Driver(refused));
        assert_eq!(chain(&error), "error connecting to server: no route to host");
        assert_eq!(causes(&error).last().unwrap().to_string(), "no route to host");
    }
}
