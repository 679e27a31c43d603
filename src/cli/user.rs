//! `quarterdeck user`: manages accounts directly in the database.

use std::io::{IsTerminal, Read};
use std::process::ExitCode;

use clap::{Args, Subcommand};
use quarterdeck_actors::config::Config;
use quarterdeck_actors::config::view::SqlSettings;
use quarterdeck_actors::error::AppError;
use quarterdeck_actors::secret::Secret;

use super::options::Common;
use super::output::{failure, say};
use crate::base::user::Profile;
use crate::domain::accounts::create_offline;
use crate::domain::audit::key_file::ready_keys;
use crate::server::StartError;
use crate::server::database::refuse_beside_unnamed;
use crate::server::starting_config::{with_file, with_stored};
use crate::settings::{Settings, Sources};
use crate::store::Db;

/// The longest input that is read for a password, in bytes. It exceeds the longest allowed password, so a longer input
/// is refused and not cut to a valid one.
const MAX_PASSWORD_INPUT_BYTES: u64 = 4096;

const AFTER_HELP: &str = "\
The password is asked for, or read from standard input if that is not a terminal:
  quarterdeck user create --email anna@example.org --username anna < password.txt";

#[derive(Debug, Subcommand)]
pub(super) enum UserCommand {
    /// Creates an account; the first one becomes the system administrator
    #[command(after_help = AFTER_HELP)]
    Create(Create),
}

#[derive(Debug, Args)]
pub(super) struct Create {
    /// The e-mail address of the account; users can log in with it
    #[arg(long)]
    email: String,
    /// The username: 1 to 64 characters of a-z, 0-9, dot, hyphen and underscore
    #[arg(long)]
    username: String,
    /// Makes the account a system administrator
    #[arg(long)]
    system_admin: bool,
}

pub(super) fn run(common: &Common, command: UserCommand) -> ExitCode {
    let UserCommand::Create(create) = command;
    let (settings, sources) = match common.settings() {
        Ok(read) => read,
        Err(refusal) => return failure(refusal),
    };
    let (config, sql) = match actix_web::rt::System::new().block_on(in_force(settings.clone(), &sources)) {
        Ok(in_force) => in_force,
        Err(refusal) => return failure(refusal),
    };
    let password = match read_password() {
        Ok(password) => password,
        Err(cause) => return failure(format_args!("the password cannot be read: {cause}")),
    };
    let profile = Profile {
        email: Some(create.email),
        username: Some(create.username),
        password: Some(Secret::new(password)),
        email_verified: Some(true),
        ..Profile::default()
    };
    let making = create_offline(&config, &sql, ready_keys(&settings), profile, create.system_admin);
    match actix_web::rt::System::new().block_on(making) {
        Ok(user) => {
            say(format_args!("created {} ({}) with the roles: {}", user.username, user.id, user.roles));
            ExitCode::SUCCESS
        }
        Err(refusal) => failure(explain(&refusal)),
    }
}

/// Returns the configuration that a server would start with, and the settings for its database.
async fn in_force(settings: Settings, sources: &Sources) -> Result<(Config, SqlSettings), StartError> {
    let settings = with_file(settings, sources).await?;
    let sql = settings.config.view.sql.clone();
    let db = Db::new(&sql)?;
    refuse_beside_unnamed(sources, &sql, async || db.accounts_found().await).await?;
    Ok((with_stored(settings, sources).await?, sql))
}

fn explain(refusal: &AppError) -> String {
    format!("{} ({refusal})", crate::base::error_text::text_of(refusal))
}

fn read_password() -> std::io::Result<String> {
    if std::io::stdin().is_terminal() {
        return rpassword::prompt_password("Password: ");
    }
    let mut text = String::new();
    std::io::stdin().take(MAX_PASSWORD_INPUT_BYTES).read_to_string(&mut text)?;
    Ok(text.trim_end_matches(['\r', '\n']).to_owned())
}
