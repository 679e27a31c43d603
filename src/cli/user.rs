//! `quarterdeck user`: manages accounts directly in the database.

mod change;
mod list;
pub(super) mod opened;
mod socket;

use std::io::{IsTerminal, Read};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Subcommand};
use quarterdeck_actors::config::Config;
use quarterdeck_actors::config::view::SqlSettings;
use quarterdeck_actors::error::{AppError, OrFail};
use quarterdeck_actors::secret::Secret;

use super::options::Common;
use super::output::{failure, say};
use crate::base::user::Profile;
use crate::domain::accounts::create_offline;
use crate::domain::audit::key_file::ready_keys;
use crate::server::StartError;
use crate::server::database::{is_default, refuse_beside_unnamed};
use crate::server::starting_config::{with_file, with_stored};
use crate::settings::{Settings, Sources};
use crate::store::{Db, described};
use change::{Change, Named};
use list::List;
use opened::FIRST_MIGRATION;
use socket::{Created, NewAccount};

/// The longest input that is read for a password, in bytes. It exceeds the longest allowed password, so a longer input
/// is refused and not cut to a valid one.
const MAX_PASSWORD_INPUT_BYTES: u64 = 4096;

const AFTER_HELP: &str = "\
The password is asked for, or read from standard input if that is not a terminal:
  quarterdeck user create --email anna@example.org --username anna < password.txt

Run the command in the folder of the server with its --config and variables, so that it finds the same database; or use
--socket, which needs none of them. A database that does not exist and that no setting names is created with --new only,
because no server uses it.";

#[derive(Debug, Subcommand)]
pub(super) enum UserCommand {
    /// Creates an account; the first one becomes the system administrator
    #[command(after_help = AFTER_HELP)]
    Create(Create),
    /// Sets a new password and ends all sessions of the account
    #[command(after_help = change::PASSWORD_HELP)]
    ResetPassword(Named),
    /// Requires no one-time codes from the account until its user sets them up again
    ResetMfa(Named),
    /// Makes the account a system administrator; it keeps its other roles
    Promote(Named),
    /// Deactivates the account and ends all its sessions
    #[command(after_help = change::DEACTIVATE_HELP)]
    Deactivate(Named),
    /// Activates a deactivated account
    Activate(Named),
    /// Lists the accounts by name, a page at a time
    List(List),
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
    /// The local socket of a running server, which then creates the account
    #[arg(long, value_name = "FILE")]
    socket: Option<PathBuf>,
}

pub(super) fn run(common: &Common, command: UserCommand) -> ExitCode {
    match command {
        UserCommand::Create(new) => create(common, new),
        UserCommand::ResetPassword(named) => change::run(common, Change::ResetPassword, &named),
        UserCommand::ResetMfa(named) => change::run(common, Change::ResetMfa, &named),
        UserCommand::Promote(named) => change::run(common, Change::Promote, &named),
        UserCommand::Deactivate(named) => change::run(common, Change::Deactivate, &named),
        UserCommand::Activate(named) => change::run(common, Change::Activate, &named),
        UserCommand::List(page) => list::run(common, &page),
    }
}

fn create(common: &Common, create: Create) -> ExitCode {
    if let Some(socket) = create.socket.clone() {
        return over_socket(&socket, create);
    }
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
    let making = async {
        // Connections end with the runtime that opened them, so this is not the handle that was used above.
        let db = Db::new(&sql).or_fail("app.user.save.app_error")?.beside(sources.is_beside());
        create_offline(&config, db, ready_keys(&settings), profile, create.system_admin).await
    };
    match actix_web::rt::System::new().block_on(making) {
        Ok(user) => {
            say(format_args!("created {} ({}) with the roles: {}", user.username, user.id, user.roles));
            ExitCode::SUCCESS
        }
        Err(refusal) => failure(explain(&refusal)),
    }
}

/// Has a running server create the account.
fn over_socket(socket: &Path, create: Create) -> ExitCode {
    let password = match read_password() {
        Ok(password) => Secret::new(password),
        Err(cause) => return failure(format_args!("the password cannot be read: {cause}")),
    };
    let Create { email, username, system_admin: is_admin, .. } = create;
    let account = NewAccount { email, username, password, is_admin };
    match actix_web::rt::System::new().block_on(socket::create(socket, &account)) {
        Ok(Created { id, username, roles }) => {
            say(format_args!("created {username} ({id}) with the roles: {roles}"));
            ExitCode::SUCCESS
        }
        Err(refusal) => failure(refusal),
    }
}

/// Refuses to create a database that no setting of the operator names, because no server uses it.
async fn refuse_unused(db: &Db, config: &Config, sources: &Sources) -> Result<(), StartError> {
    let is_new = db.pending_migrations().await?.iter().any(|pending| pending == FIRST_MIGRATION);
    if !is_new || sources.is_new() || !is_default(config) {
        return Ok(());
    }
    Err(StartError::Configuration(format!(
        "{} does not exist yet, so no server uses it\n\
         to create the account on a server that runs: run this in its folder with its --config and variables, or add \
         --socket with the path of its local socket\n\
         to create this database before the first start: add --new",
        described(&config.view.sql.data_source)
    )))
}

/// Returns the configuration that a server would start with, and the settings for its database.
async fn in_force(settings: Settings, sources: &Sources) -> Result<(Config, SqlSettings), StartError> {
    let settings = with_file(settings, sources).await?;
    let sql = settings.config.view.sql.clone();
    let db = Db::new(&sql)?;
    refuse_beside_unnamed(sources, &sql, async || db.accounts_found().await).await?;
    refuse_unused(&db, &settings.config, sources).await?;
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
