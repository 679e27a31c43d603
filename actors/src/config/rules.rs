//! The rules that a configuration document must keep: tables in the order of the API's contract, and a function that
//! applies them.
//!
//! Clients see the first failure of a document. The others follow in the same order.

mod bounds;
mod content;
mod demand;
mod export;
mod files;
mod general;
mod log_targets;
mod logging;
mod retention;
mod rule;
mod search;
mod service;
mod settings;
mod sign_in;
mod texts;
mod urls;

#[cfg(test)]
mod tests;

use serde_json::{Map, Value};

pub use bounds::{Bounds, bounds};
pub(super) use log_targets::without_unknown_levels;
use rule::Rule;
pub use rule::{AtLoad, Failure};
pub use settings::Facts;
use settings::Settings;

/// The tables, in the order in which failures are reported.
const ORDER: [&[Rule]; 14] = [
    general::MAIL_AND_METRICS,
    general::CACHE_AND_TEAMS,
    general::DATABASE,
    files::STORAGE,
    sign_in::MAIL,
    sign_in::DIRECTORY,
    sign_in::PROVIDERS,
    service::RULES,
    search::RULES,
    retention::RULES,
    logging::RULES,
    export::LANGUAGES,
    export::MESSAGES,
    content::RULES,
];

/// Returns the failures of those rules that look at one setting alone.
pub fn single_failures(document: &Map<String, Value>, facts: &Facts<'_>) -> Vec<Failure> {
    let settings = Settings { document, facts };
    let single = ORDER.iter().copied().flatten().filter(|rule| rule.is_single());
    single.flat_map(|rule| rule.failures(&settings)).collect()
}

/// Returns a failure for each rule that `document` breaks, in the order of the contract.
///
/// A setting that is absent, null or of the wrong type counts as its default.
pub fn failures(document: &Map<String, Value>, facts: &Facts<'_>) -> Vec<Failure> {
    let settings = Settings { document, facts };
    ORDER.iter().copied().flatten().flat_map(|rule| rule.failures(&settings)).collect()
}
