//! The report of a run: `report.json` for programs, `report.html` for people.

pub(crate) mod chart;
mod environment;
mod page;
#[cfg(test)]
pub(crate) mod tests;

use std::path::Path;

use serde::Serialize;

use super::compared::Ratio;
use super::condition::Verdict;
use super::outcome::Outcome;
pub(crate) use environment::Environment;

type Failure = Box<dyn std::error::Error>;

/// The version of the format of `report.json`, which `report.schema.json` describes.
pub(crate) const FORMAT: u64 = 3;

#[derive(Debug, Clone, Serialize)]
pub(crate) struct Report {
    pub(crate) format: u64,
    pub(crate) program: Program,
    pub(crate) scenario: Scenario,
    pub(crate) environment: Environment,
    /// The servers under test with their outcomes; the first one is the target.
    pub(crate) sides: Vec<Side>,
    /// The ratios of the target's figures to those of the second server, if there is one.
    pub(crate) ratios: Vec<Ratio>,
    /// The conditions of the run, with their figures.
    pub(crate) verdicts: Vec<Verdict>,
    /// False if the load generator was the bottleneck.
    pub(crate) is_valid: bool,
}

#[derive(Debug, Clone, Serialize)]
pub(crate) struct Program {
    pub(crate) name: &'static str,
    pub(crate) version: &'static str,
}

#[derive(Debug, Clone, Serialize)]
pub(crate) struct Scenario {
    pub(crate) name: String,
    pub(crate) about: String,
}

#[derive(Debug, Clone, Serialize)]
pub(crate) struct Side {
    pub(crate) name: String,
    pub(crate) outcome: Outcome,
}

impl Report {
    pub(crate) fn new(
        scenario: Scenario,
        environment: Environment,
        sides: Vec<Side>,
        ratios: Vec<Ratio>,
        verdicts: Vec<Verdict>,
    ) -> Self {
        let is_valid = sides.iter().all(|side| side.outcome.generator.bottleneck.is_empty());
        let program = Program { name: env!("CARGO_PKG_NAME"), version: env!("CARGO_PKG_VERSION") };
        Self { format: FORMAT, program, scenario, environment, sides, ratios, verdicts, is_valid }
    }

    /// Writes both files into a folder, which is created if it does not exist.
    pub(crate) fn write(&self, folder: &Path) -> Result<(), Failure> {
        let explain = |cause: std::io::Error| format!("the report cannot be written to {}: {cause}", folder.display());
        std::fs::create_dir_all(folder).map_err(explain)?;
        let mut json = serde_json::to_string_pretty(self)?;
        json.push('\n');
        std::fs::write(folder.join("report.json"), json).map_err(explain)?;
        std::fs::write(folder.join("report.html"), page::page(self)).map_err(explain)?;
        Ok(())
    }
}
