//! `validate`: lists all problems of a configuration.

use std::path::{Path, PathBuf};

use clap::Args;
use quarterdeck_actors::config::document::Document;
use quarterdeck_actors::config::extras::with_extras;
use quarterdeck_actors::config::{Config, Stored, check};
use quarterdeck_actors::id::new_id;
use quarterdeck_actors::secret::Secret;
use serde_json::json;

use super::backend::ConfigBackend;
use super::paths::{Misfit, doubled_misfits, lines, misfits};
use super::remark::say_json;
use crate::base::error_text::findings;
use crate::cli::output::{remark, say};
use crate::domain::config_access::decision_context;
use crate::settings::Settings;

pub(super) const AFTER_HELP: &str = "\
Settings pinned by config.toml or by an environment variable are validated with their pinned values. Unknown keys are
reported and are not an error. The exit code is 1 if a server would refuse the configuration.

  quarterdeck config validate
  quarterdeck config validate config.json";

#[derive(Debug, Args)]
pub(in crate::cli) struct Validate {
    /// A config.json [default: the active version]
    pub(super) file: Option<PathBuf>,
    /// Prints JSON
    #[arg(long)]
    pub(super) json: bool,
}

pub(super) fn file(settings: &Settings, file: &Path, json: bool) -> Result<(), String> {
    let name = file.display();
    let text = std::fs::read_to_string(file).map_err(|cause| format!("{name}: {cause}"))?;
    match document(&text) {
        Ok(document) => validate(settings, document, json),
        Err(problem) => end(&[Misfit { path: String::new(), message: format!("{name}: {problem}") }], json),
    }
}

pub(super) async fn stored(settings: &Settings, backend: &ConfigBackend, json: bool) -> Result<(), String> {
    let current = match backend.current().await {
        Ok(current) => current,
        Err(message) => return end(&[Misfit { path: String::new(), message }], json),
    };
    if let Err(message) = backend.check_stored(&current.version).await {
        return end(&[Misfit { path: String::new(), message }], json);
    }
    validate(settings, with_extras(current.document, &current.extras), json)
}

/// Parses the text of a configuration. An error names line and column and never the text, which may be a secret.
pub(super) fn document(text: &str) -> Result<Document, String> {
    // Some editors write a byte order mark at the beginning.
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    serde_json::from_str(text).map_err(|cause| {
        let (line, column) = (cause.line(), cause.column());
        format!("line {line} column {column}: the file is not a JSON object")
    })
}

fn validate(settings: &Settings, document: Document, json: bool) -> Result<(), String> {
    let stored = Stored::new(new_id(), document);
    let (unknown, wrong) = misfits(&stored.document);
    if !json {
        let doubled = doubled_misfits(stored.dropped().to_vec());
        unknown.iter().chain(&doubled).for_each(remark);
    }
    if !wrong.is_empty() {
        return end(&wrong, json);
    }
    let config = Config::compose(Some(stored), settings.config.overrides.clone());
    let config = config.map_err(|cause| cause.to_string())?;
    if !json {
        config.remedies.iter().for_each(remark);
    }
    let around = decision_context(&Secret::new(new_id()));
    let failures = check(&config, &around).err().map(|refusal| findings(&refusal)).unwrap_or_default();
    let misfits: Vec<Misfit> = failures.into_iter().map(|(path, message)| Misfit { path, message }).collect();
    end(&misfits, json)
}

fn end(misfits: &[Misfit], json: bool) -> Result<(), String> {
    if json {
        say_json(&json!({ "valid": misfits.is_empty(), "problems": misfits }));
    }
    if !misfits.is_empty() {
        return Err(lines(misfits));
    }
    if !json {
        say("the configuration is valid");
    }
    Ok(())
}
