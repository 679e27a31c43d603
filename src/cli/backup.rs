//! `quarterdeck backup`: writes everything into one file, also while the server runs. `backup verify` verifies such a
//! file.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Subcommand};
use quarterdeck_actors::secret::Secret;

use super::options::Common;
use super::output::{failure, say};
use crate::domain::audit::key_file;
use crate::server::backup::{self, BackupError, BackupResult, Manifest, Verification, Wanted};
use crate::server::starting_config::with_file;
use crate::settings::named_file::handed_text;

pub(super) const AFTER_HELP: &str = "\
The backup contains the database, the configuration, config.toml, the file of MM_CUSTOM_DEFAULTS_PATH and the licence.
Only its owner can read the file. An existing file is not replaced, and the file appears only when it is complete. The
backup contains every change that was acknowledged before the printed time. It contains secrets: encrypt it, or store it in a safe place.
It never contains environment variables. The audit keys and the files of a local store are included on request only.

  quarterdeck backup /var/backups/monday.qdbackup --passphrase-file /etc/quarterdeck/passphrase
  quarterdeck backup verify /var/backups/monday.qdbackup --passphrase-file /etc/quarterdeck/passphrase";

const VERIFY_HELP: &str = "\
The command reads every part, compares sizes and hashes, restores all rows into a temporary database (in --scratch,
not encrypted), and verifies the audit trail there. The exit code is 1 if anything does not match.
Audit rows are verified with the keys of this server, of the backup and of --key-file.";

/// The shortest passphrase for a new backup, in characters.
const MIN_PASSPHRASE_CHARS: usize = 12;

/// The largest passphrase in a file, in bytes.
const MAX_PASSPHRASE_BYTES: usize = 4096;

/// The largest file with a passphrase that is read, in bytes.
const MAX_PASSPHRASE_FILE_BYTES: u64 = 64 * 1024;

#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub(super) struct Backup {
    #[command(subcommand)]
    command: Option<Other>,
    /// The file to create; an existing file is not replaced
    #[arg(value_name = "FILE", required = true)]
    file: Option<PathBuf>,
    /// Encrypts the backup with a passphrase, which is asked for
    #[arg(long)]
    encrypt: bool,
    #[command(flatten)]
    unlocking: Unlocking,
    /// Includes the audit keys, which allow to forge rows of the audit trail
    #[arg(long)]
    with_keys: bool,
    /// Includes the files of a local file store
    #[arg(long)]
    with_files: bool,
}

#[derive(Debug, Subcommand)]
enum Other {
    /// Verifies a backup without restoring it
    #[command(after_help = VERIFY_HELP)]
    Verify(Verify),
}

#[derive(Debug, Args)]
struct Verify {
    /// The backup
    #[arg(value_name = "FILE")]
    file: PathBuf,
    #[command(flatten)]
    unlocking: Unlocking,
    /// A file with audit keys; may be given more than once
    #[arg(long, value_name = "FILE")]
    key_file: Vec<PathBuf>,
    /// The folder for the temporary database [default: the folder for temporary files]
    #[arg(long, value_name = "FOLDER")]
    scratch: Option<PathBuf>,
}

/// The passphrase of an encrypted backup. It is never an argument: every user of the machine sees those.
#[derive(Debug, Args)]
pub(super) struct Unlocking {
    /// Reads the passphrase from a file, without line breaks at its end
    #[arg(long = "passphrase-file", value_name = "FILE")]
    key_source: Option<PathBuf>,
}

pub(super) fn run(common: &Common, command: &Backup) -> ExitCode {
    let done = match (&command.command, &command.file) {
        (Some(Other::Verify(wanted)), _) => actix_web::rt::System::new().block_on(verify(common, wanted)),
        (None, Some(file)) => actix_web::rt::System::new().block_on(make(common, command, file)),
        (None, None) => Err(BackupError::Refused("the file name is missing".to_owned())),
    };
    match done {
        Ok(ended) => ended,
        Err(reason) => failure(reason),
    }
}

async fn make(common: &Common, command: &Backup, file: &Path) -> Result<ExitCode, BackupError> {
    let (settings, sources) = common.settings().map_err(|refusal| BackupError::Refused(refusal.to_string()))?;
    let settings = with_file(settings, &sources).await?;
    let passphrase = match (&command.unlocking.key_source, command.encrypt) {
        (None, false) => None,
        (Some(_), _) => Some(long_enough(command.unlocking.read()?)?),
        (None, true) => Some(long_enough(prompt_twice()?)?),
    };
    let is_clear = passphrase.is_none();
    let (with_keys, with_files) = (command.with_keys, command.with_files);
    let wanted = Wanted { file, passphrase, with_keys, with_files };
    let made = Box::pin(backup::make(&settings, &sources, &wanted)).await?;
    let BackupResult { manifest, left_out, unread_license } = made;
    say(format_args!("{}", file.display()));
    describe(&manifest);
    say(format_args!("it contains every change that was acknowledged before {}", manifest.taken));
    if left_out > 0 {
        say(format_args!("files left out: {left_out}, which are links or not regular files"));
    }
    if let Some(reason) = unread_license {
        say(format_args!("not included: {reason}"));
    }
    if !manifest.pinned_by_variables.is_empty() {
        let names = manifest.pinned_by_variables.join(", ");
        say(format_args!("not included, because environment variables set them: {names}"));
    }
    if is_clear {
        say("it is not encrypted and contains secrets");
    }
    Ok(ExitCode::SUCCESS)
}

/// Prints the numbers of rows, files and bytes in a backup, and the program that made it.
pub(super) fn describe(manifest: &Manifest) {
    let rows = |name: &str| manifest.part(&format!("tables/{name}.jsonl")).and_then(|part| part.rows).unwrap_or(0);
    let all: u64 = manifest.parts.iter().filter_map(|part| part.rows).sum();
    let files = manifest.parts.iter().filter(|part| part.name.starts_with("files/")).count();
    let bytes: u64 = manifest.parts.iter().map(|part| part.bytes).sum();
    say(format_args!(
        "rows: {all}, with {} accounts, {} sessions, {} access tokens and {} records of the trail; files: {files}; \
         bytes: {bytes}",
        rows("users"),
        rows("sessions"),
        rows("useraccesstokens"),
        rows("qd_audits"),
    ));
    let schema = manifest.schema.last();
    say(format_args!(
        "made by quarterdeck {} on {} with the schema V{}__{}; readable by that version and later ones",
        manifest.program,
        manifest.engine,
        manifest.schema_version(),
        schema.map_or("", |migration| migration.name.as_str()),
    ));
}

async fn verify(common: &Common, wanted: &Verify) -> Result<ExitCode, BackupError> {
    let (settings, _) = common.settings().map_err(|refusal| BackupError::Refused(refusal.to_string()))?;
    let mut keys = key_file::known_keys(&settings);
    for file in &wanted.key_file {
        let read = key_file::read(file);
        keys.extend_before(read.map_err(|cause| BackupError::Refused(format!("{}: {cause}", file.display())))?);
    }
    let mut backup = wanted.unlocking.open(&wanted.file)?;
    describe(&backup.manifest);
    say(format_args!("it contains every change that was acknowledged before {}", backup.manifest.taken));
    let scratch = wanted.scratch.clone().unwrap_or_else(std::env::temp_dir);
    let proof = backup::verify(&mut backup, &settings.config.view.sql, keys, &scratch).await?;
    let Verification { findings, trail_rows, trail_end } = proof;
    say("every part and every row is unchanged");
    for finding in &findings {
        say(finding);
    }
    say(format_args!("rows of the audit trail: {trail_rows}; the end is {trail_end}"));
    Ok(if findings.is_empty() {
        ExitCode::SUCCESS
    } else {
        failure("the audit trail in the backup could not be verified")
    })
}

impl Unlocking {
    /// Opens a backup. Takes the passphrase of an encrypted one from the file, or asks for it on the terminal.
    pub(super) fn open(&self, file: &Path) -> Result<backup::Backup, BackupError> {
        backup::Backup::open(file, &mut || match &self.key_source {
            Some(_) => self.read(),
            None => prompt("Passphrase: "),
        })
    }

    fn read(&self) -> Result<Secret, BackupError> {
        let file = self.key_source.as_deref().unwrap_or(Path::new(""));
        let text = handed_text(file, MAX_PASSPHRASE_FILE_BYTES)
            .map_err(|cause| BackupError::File { file: file.display().to_string(), cause })?;
        let text = text.trim_end_matches(['\r', '\n']);
        let is_good = !text.is_empty() && text.len() <= MAX_PASSPHRASE_BYTES;
        if is_good {
            Ok(Secret::new(text))
        } else {
            Err(BackupError::Refused(format!("{} must contain a passphrase of 1 to 4096 bytes", file.display())))
        }
    }
}

fn long_enough(passphrase: Secret) -> Result<Secret, BackupError> {
    if passphrase.expose().chars().count() >= MIN_PASSPHRASE_CHARS {
        Ok(passphrase)
    } else {
        Err(BackupError::Refused(format!("the passphrase must have at least {MIN_PASSPHRASE_CHARS} characters")))
    }
}

/// Asks for a passphrase on the terminal of the process, even if standard input is redirected.
fn prompt(text: &str) -> Result<Secret, BackupError> {
    let typed = rpassword::prompt_password(text);
    typed.map(Secret::new).map_err(|cause| {
        BackupError::Refused(format!(
            "the passphrase cannot be asked for, because there is no terminal ({cause})\n\
             name a file that holds it with --passphrase-file"
        ))
    })
}

fn prompt_twice() -> Result<Secret, BackupError> {
    let (first, again) = (prompt("Passphrase: ")?, prompt("Repeat the passphrase: ")?);
    if first == again { Ok(first) } else { Err(BackupError::Refused("the two passphrases differ".to_owned())) }
}
