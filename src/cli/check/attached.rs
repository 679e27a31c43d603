//! The part of `quarterdeck check` about a database that a Mattermost made.

use crate::cli::output::say;
use crate::server::attached::{Remark, remarks};
use crate::server::steps::Examined;
use crate::settings::Sources;

/// Prints what an operator of Mattermost wants to know before a start; nothing about another database.
pub(super) async fn look(examined: &Examined, sources: &Sources) {
    for remark in remarks(examined, sources).await {
        match remark {
            Remark::Fact(text) => say(text),
            Remark::Warning(text) => say(format_args!("warning: {text}")),
        }
    }
}
