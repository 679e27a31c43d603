//! Text for the user of a command.

use std::io::Write;
use std::process::ExitCode;

/// Ends with the reason on standard error.
pub(super) fn failure(reason: impl std::fmt::Display) -> ExitCode {
    // Nobody may be reading any more, which changes nothing about the failure.
    let _ = writeln!(std::io::stderr(), "quarterdeck: {reason}");
    ExitCode::FAILURE
}

/// Tells the user something on standard output.
pub(super) fn say(text: impl std::fmt::Display) {
    // Whoever closed the other end does not want to know.
    let _ = writeln!(std::io::stdout(), "{text}");
}
