//! Changes of an existing account: its password, one-time codes, roles, and if it is active.

use std::process::ExitCode;

use clap::Args;
use quarterdeck_actors::secret::Secret;

use super::opened::Opened;
use super::read_password;
use crate::cli::options::Common;
use crate::cli::output::{failure, remark, say};
use crate::domain::accounts::OperatorRefusal;

pub(super) const PASSWORD_HELP: &str = "\
The password is asked for, or read from standard input if that is not a terminal:
  quarterdeck user reset-password anna < password.txt

All sessions of the account end. A running server ends its sockets and its copies of them within 5 seconds.";

pub(super) const DEACTIVATE_HELP: &str = "\
All sessions of the account end. The last active administrator who can log in is not deactivated.";

#[derive(Debug, Args)]
pub(in crate::cli) struct Named {
    /// The username, the e-mail address or the id of the account
    #[arg(value_name = "USER")]
    pub(in crate::cli) user: String,
}

/// A change of one account.
#[derive(Debug, Clone, Copy)]
pub(super) enum Change {
    ResetPassword,
    ResetMfa,
    Promote,
    Deactivate,
    Activate,
}

pub(super) fn run(common: &Common, change: Change, named: &Named) -> ExitCode {
    match actix_web::rt::System::new().block_on(perform(common, change, named)) {
        Ok(done) => {
            say(done);
            ExitCode::SUCCESS
        }
        Err(refusal) => failure(refusal),
    }
}

async fn perform(common: &Common, change: Change, named: &Named) -> Result<String, String> {
    let opened = Opened::open(common).await?;
    let accounts = opened.accounts().await?;
    let explained = |refusal: OperatorRefusal| refusal.to_string();
    let user = accounts.named(&named.user).await.map_err(explained)?;
    let account = format!("{} ({})", user.username, user.id);
    let done = match change {
        Change::ResetPassword => {
            let config = opened.config().await?;
            let password = read_password().map_err(|cause| format!("the password cannot be read: {cause}"))?;
            accounts.reset_password(&config, &user, Secret::new(password)).await.map_err(explained)?;
            format!("{account} has a new password, and all its sessions ended")
        }
        Change::ResetMfa => {
            accounts.reset_mfa(&user).await.map_err(explained)?;
            format!("{account} needs no one-time codes")
        }
        Change::Promote => {
            let roles = accounts.promote(&user).await.map_err(explained)?;
            format!("{account} has the roles: {roles}")
        }
        Change::Deactivate => {
            let config = opened.config().await?;
            accounts.set_active(&config, &user, false).await.map_err(explained)?;
            format!("{account} is deactivated, and all its sessions ended")
        }
        Change::Activate => {
            let config = opened.config().await?;
            accounts.set_active(&config, &user, true).await.map_err(explained)?;
            format!("{account} is active")
        }
    };
    let is_unusable = user.delete_at > 0 && !matches!(change, Change::Activate | Change::Deactivate);
    if is_unusable {
        remark("the account is deactivated and cannot log in: quarterdeck user activate");
    }
    Ok(done)
}
