//! `quarterdeck sessions`: ends sessions directly in the database.

use std::process::ExitCode;

use clap::{Args, Subcommand};

use super::options::Common;
use super::output::{failure, say};
use super::user::opened::Opened;

const AFTER_HELP: &str = "\
A running server ends its sockets and its copies of these sessions within 5 seconds.

  quarterdeck sessions revoke anna
  quarterdeck sessions revoke --all";

#[derive(Debug, Subcommand)]
pub(super) enum SessionsCommand {
    /// Ends all sessions of one user, or of all users
    #[command(after_help = AFTER_HELP)]
    Revoke(Revoke),
}

#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub(super) struct Revoke {
    /// The username, the e-mail address or the id of the account
    #[arg(value_name = "USER")]
    user: Option<String>,
    /// Ends the sessions of all users
    #[arg(long)]
    all: bool,
}

pub(super) fn run(common: &Common, command: &SessionsCommand) -> ExitCode {
    let SessionsCommand::Revoke(revoke) = command;
    match actix_web::rt::System::new().block_on(perform(common, revoke)) {
        Ok(done) => {
            say(done);
            ExitCode::SUCCESS
        }
        Err(refusal) => failure(refusal),
    }
}

async fn perform(common: &Common, revoke: &Revoke) -> Result<String, String> {
    let accounts = Opened::open(common).await?.accounts().await?;
    let Some(name) = &revoke.user else {
        accounts.revoke_all_sessions().await.map_err(|refusal| refusal.to_string())?;
        return Ok("all sessions of all users ended".to_owned());
    };
    let user = accounts.named(name).await.map_err(|refusal| refusal.to_string())?;
    accounts.revoke_sessions(&user).await.map_err(|refusal| refusal.to_string())?;
    Ok(format!("all sessions of {} ({}) ended", user.username, user.id))
}
