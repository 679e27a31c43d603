//! `quarterdeck version`.

use std::process::ExitCode;

use super::output::say;
use crate::base::version::{API_VERSION, VERSION};

pub(super) fn run() -> ExitCode {
    say(format_args!("quarterdeck {VERSION} (Mattermost API {API_VERSION})"));
    ExitCode::SUCCESS
}
