//! Output for the user of a command.

use std::io::Write;
use std::process::ExitCode;

/// Prints the reason on standard error and returns the exit code for a failure.
pub(super) fn failure(reason: impl std::fmt::Display) -> ExitCode {
    // A write error is ignored: standard error may be closed, and the exit code already reports the failure.
    let _ = writeln!(std::io::stderr(), "quarterdeck: {reason}");
    ExitCode::FAILURE
}

/// Prints a line on standard error, so that standard output holds only the result.
pub(super) fn remark(text: impl std::fmt::Display) {
    // A write error is ignored: standard error may be closed, and the result does not depend on it.
    let _ = writeln!(std::io::stderr(), "quarterdeck: {text}");
}

/// Prints a line on standard output.
pub(super) fn say(text: impl std::fmt::Display) {
    // A write error is ignored: the reader has closed the pipe.
    let _ = writeln!(std::io::stdout(), "{text}");
}
