//! `validate`: lists all problems of a configuration.

use std::path::{Path, PathBuf};

use clap::Args;
use quarterdeck_actors::config::extras::with_extras;
use quarterdeck_actors::config::repeated::Parsed;
use quarterdeck_actors::config::{Config, Stored, check};
use quarterdeck_actors::id::new_id;
use quarterdeck_actors::secret::Secret;
use serde_json::json;

use super::backend::ConfigBackend;
use super::paths::{HAS_NUL, Misfit, doubled_misfits, lines, misfits};
use super::remark::say_json;
use crate::base::error_text::findings;
use crate::base::nul::holds_nul;
use crate::cli::output::{remark, say};
use crate::domain::config_access::decision_context;
use crate::settings::Settings;
use crate::settings::named_file::{MAX_DOCUMENT_BYTES, handed_text};

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
    let text = handed_text(file, MAX_DOCUMENT_BYTES).map_err(|cause| format!("{name}: {cause}"))?;
    match parsed(&text) {
        Ok(parsed) => {
            let (document, repeated) = parsed.document().unwrap_or_default();
            validate(settings, Stored::new(new_id(), document).with_repeated(repeated), json)
        }
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
    validate(settings, Stored::new(new_id(), with_extras(current.document, &current.extras)), json)
}

/// Parses the text of a configuration. An error names line and column and never the text, which may be a secret.
pub(super) fn parsed(text: &str) -> Result<Parsed, String> {
    // Some editors write a byte order mark at the beginning.
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    if holds_nul(text.as_bytes()) {
        return Err(HAS_NUL.to_owned());
    }
    let refused = |line: usize, column: usize| format!("line {line} column {column}: the file is not a JSON object");
    let parsed: Parsed = serde_json::from_str(text).map_err(|cause| refused(cause.line(), cause.column()))?;
    if parsed.value.is_object() { Ok(parsed) } else { Err(refused(1, 0)) }
}

fn validate(settings: &Settings, stored: Stored, json: bool) -> Result<(), String> {
    let (unknown, wrong) = misfits(&stored.document);
    if !json {
        let doubled = doubled_misfits(stored.dropped().to_vec());
        unknown.iter().chain(&doubled).for_each(remark);
    }
    // The rules are checked without the values of a wrong type.
    let config = Config::compose(Some(stored.fitting()), settings.config.overrides.clone());
    let config = config.map_err(|cause| cause.to_string())?;
    if !json {
        config.remedies.iter().for_each(remark);
    }
    let around = decision_context(&Secret::new(new_id()));
    let failures = check(&config, &around).err().map(|refusal| findings(&refusal)).unwrap_or_default();
    let broken = failures.into_iter().map(|(path, message)| Misfit { path, message });
    let misfits: Vec<Misfit> = wrong.into_iter().chain(broken).collect();
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
