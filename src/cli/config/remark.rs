//! The options of every change, and output besides its result.

use clap::Args;
use serde::Serialize;

use crate::cli::output::say;

/// The options that every change takes.
#[derive(Debug, Args)]
pub(super) struct Remark {
    /// Comment for the history, up to 1024 characters
    #[arg(long, value_name = "TEXT", default_value = "", hide_default_value = true)]
    pub(super) comment: String,
    /// Takes the change back after this time, unless it is confirmed with `quarterdeck config confirm`
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u32).range(10..=3600))]
    pub(super) confirm_within: Option<u32>,
    /// Prints JSON
    #[arg(long)]
    pub(super) json: bool,
}

/// Prints a value as JSON.
pub(super) fn say_json(value: &impl Serialize) {
    say(serde_json::to_string_pretty(value).unwrap_or_default());
}
