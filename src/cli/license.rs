//! `quarterdeck license`: makes keys and licences, verifies licences, and shows the licence in force.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Subcommand};
use quarterdeck_actors::clock::{DAY_MS, wall_ms};
use quarterdeck_actors::error::AppError;
use quarterdeck_actors::id::new_id;
use quarterdeck_actors::license::client::told;
use quarterdeck_actors::license::document::License;
use quarterdeck_actors::license::features::Features;
use serde_json::{Map, Value, json};

use super::options::Common;
use super::output::{failure, say};
use crate::base::error_text::{sent, text_of};
use crate::domain::license::key::{Pair, bounded};
use crate::domain::license::{self, VerificationKey};
use crate::server::starting_config::{with_file, with_stored};
use crate::store::Db;

pub(super) const AFTER_HELP: &str = "\
A server trusts the licences of the key that [Quarterdeck] LicensePublicKeyFile names; without one, none.

  quarterdeck license keygen --private license.key --public license.pub
  quarterdeck license sign --key license.key --users 500 --days 365 --company Example > example.license
  quarterdeck license verify example.license --key license.pub";

#[derive(Debug, Subcommand)]
pub(super) enum LicenseCommand {
    /// Creates a key pair; existing files are not replaced
    Keygen(Keygen),
    /// Creates a licence and prints its signed text
    Sign(Box<Sign>),
    /// Checks the signature and the dates of a licence and prints its content
    #[command(visible_alias = "check")]
    Verify(Verify),
    /// Prints the licence that the server would start with
    Show,
}

#[derive(Debug, Args)]
pub(super) struct Keygen {
    /// The file for the private key; only its owner can read it
    #[arg(long, value_name = "FILE")]
    private: PathBuf,
    /// The file for the public key
    #[arg(long, value_name = "FILE")]
    public: PathBuf,
    /// The length of the key in bits: 2048 or 4096
    #[arg(long, default_value_t = 2048)]
    bits: u16,
}

#[derive(Debug, Args)]
pub(super) struct Sign {
    /// The file with the private key
    #[arg(long, value_name = "FILE")]
    key: PathBuf,
    /// Signs the document in this file unchanged; the options for its content are ignored
    #[arg(long, value_name = "FILE")]
    payload: Option<PathBuf>,
    /// The maximum number of active accounts
    #[arg(long, default_value_t = 100)]
    users: i64,
    /// The number of days that the licence is valid
    #[arg(long, default_value_t = 365)]
    days: i64,
    /// The number of days until the licence begins; a negative number is in the past
    #[arg(long, default_value_t = 0, allow_negative_numbers = true)]
    starts: i64,
    /// Product: professional, enterprise, advanced or entry
    #[arg(long, default_value = "enterprise")]
    sku: String,
    /// Company that bought the licence
    #[arg(long, default_value = "")]
    company: String,
    /// Person who bought the licence
    #[arg(long, default_value = "")]
    name: String,
    /// The person's e-mail address
    #[arg(long, default_value = "")]
    email: String,
    /// Marks the licence as a trial
    #[arg(long)]
    trial: bool,
    /// Allows a feature, such as ldap, and only the features given; may be given more than once
    #[arg(long = "feature", value_name = "NAME")]
    features: Vec<String>,
}

#[derive(Debug, Args)]
pub(super) struct Verify {
    /// The file with the licence
    file: PathBuf,
    /// The file with the public key [default: the key in the settings]
    #[arg(long, value_name = "FILE")]
    key: Option<PathBuf>,
}

pub(super) fn run(common: &Common, command: LicenseCommand) -> ExitCode {
    let done = match command {
        LicenseCommand::Keygen(keygen) => make_keys(&keygen),
        LicenseCommand::Sign(sign) => signed(&sign).map(say),
        LicenseCommand::Verify(verify) => verified(common, &verify).and_then(|license| {
            show(Some(&license));
            let checked = license.seats().and_then(|_| license.check_dates(wall_ms()));
            checked.map_err(|refusal| explain(&refusal))
        }),
        LicenseCommand::Show => {
            actix_web::rt::System::new().block_on(in_force(common)).map(|license| show(license.as_ref()))
        }
    };
    done.map_or_else(failure, |()| ExitCode::SUCCESS)
}

fn make_keys(keygen: &Keygen) -> Result<(), String> {
    let pair = Pair::make(keygen.bits).ok_or("a key must have 2048 or 4096 bits")?;
    pair.write(&keygen.private, &keygen.public)
}

fn signed(sign: &Sign) -> Result<String, String> {
    let document = match &sign.payload {
        Some(file) => bounded(file).map_err(|cause| format!("{}: {cause}", file.display()))?,
        None => document(sign)?.to_string().into_bytes(),
    };
    Pair::read(&sign.key)?.sign(&document).ok_or_else(|| "the key cannot sign".to_owned())
}

fn document(sign: &Sign) -> Result<Value, String> {
    let unknown = sign.features.iter().find(|name| Features::names().all(|known| known != name.as_str()));
    if let Some(name) = unknown {
        let known: Vec<_> = Features::names().collect();
        return Err(format!("{name} is not a feature; the features are: {}", known.join(", ")));
    }
    let mut features = Map::from_iter([("users".to_owned(), Value::from(sign.users))]);
    if !sign.features.is_empty() {
        features.extend(Features::names().map(|name| (name.to_owned(), Value::from(false))));
        features.extend(sign.features.iter().map(|name| (name.clone(), Value::from(true))));
    }
    let now = wall_ms();
    let starts_at = now.saturating_add(sign.starts.saturating_mul(DAY_MS));
    Ok(json!({
        "id": new_id(),
        "issued_at": now,
        "starts_at": starts_at,
        "expires_at": starts_at.saturating_add(sign.days.saturating_mul(DAY_MS)),
        "customer": { "id": new_id(), "name": sign.name, "email": sign.email, "company": sign.company },
        "features": features,
        "sku_name": sign.sku,
        "sku_short_name": sign.sku,
        "is_trial": sign.trial,
    }))
}

fn verified(common: &Common, verify: &Verify) -> Result<License, String> {
    let verification_key = match &verify.key {
        Some(file) => VerificationKey::of(&file.to_string_lossy()),
        None => trusted(common),
    }?;
    if !verification_key.is_somebody() {
        return Err("no public key is set: use --key, or set LicensePublicKeyFile in [Quarterdeck]".to_owned());
    }
    let text = bounded(Path::new(&verify.file)).map_err(|cause| format!("{}: {cause}", verify.file.display()))?;
    verification_key.open(&text).map_err(|refusal| explain(&refusal))
}

/// Returns the signer whom the settings trust.
fn trusted(common: &Common) -> Result<VerificationKey, String> {
    let (settings, sources) = common.settings().map_err(|cause| cause.to_string())?;
    VerificationKey::named(&settings.options, sources.purpose())
}

async fn in_force(common: &Common) -> Result<Option<License>, String> {
    let (settings, sources) = common.settings().map_err(|refusal| refusal.to_string())?;
    let settings = with_file(settings, &sources).await.map_err(|refusal| refusal.to_string())?;
    let verification_key = VerificationKey::named(&settings.options, sources.purpose())?;
    let db = Db::new(&settings.config.view.sql).map_err(|cause| cause.to_string())?;
    let config = with_stored(settings, &sources).await.map_err(|refusal| refusal.to_string())?;
    let found = license::found(&verification_key, sources.license(), &config, &db).await;
    found.map(|found| found.map(|found| found.license)).map_err(|refusal| explain(&refusal))
}

fn explain(refusal: &AppError) -> String {
    format!("{} ({})", text_of(refusal), sent(&refusal.id))
}

fn show(license: Option<&License>) {
    for (key, value) in told(license) {
        say(format_args!("{key}: {value}"));
    }
}
