//! The callers that a mix needs.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use super::accounts::Accounts;
use super::interrupt::Interrupt;
use super::load::{sockets, users};
use super::mix::{Auth, Mix};
use super::options::Options;
use super::target::Target;
use super::template::Variable;

type Failure = Box<dyn std::error::Error>;

/// The maximum length of a file with a token, in bytes.
const MAX_TOKEN_BYTES: u64 = 4096;

/// Creates the accounts that a mix needs.
pub(super) async fn callers(
    options: &Options,
    mix: &Mix,
    target: &Target,
    token_file: Option<&Path>,
    interrupt: &mut Interrupt,
) -> Result<Accounts, Failure> {
    let needs_password = mix.uses(&[Variable::UserName, Variable::UserPassword]);
    let sockets = sockets(options, mix);
    let needs_user = needs_password || sockets > 0 || mix.calls_as(Auth::User) || mix.uses(&[Variable::UserId]);
    let needs_admin = mix.calls_as(Auth::Admin) || mix.uses(&[Variable::AdminId]);
    if !needs_user && !needs_admin {
        return Accounts::none();
    }
    let wanted = options.accounts.or(mix.load.accounts.map(|count| count.0)).unwrap_or(1);
    let count = if needs_user { wanted.min(users(options, mix).max(sockets)) } else { 0 };
    if target.is_own() {
        return Accounts::on_new_server(&target.address, count, interrupt).await;
    }
    let Some(file) = token_file else {
        return Err(
            "the scenario needs accounts; name a file with the token of an administrator with --token-file".into()
        );
    };
    let mut accounts = Accounts::with_token(&target.address, &token(file)?, count, interrupt).await?;
    let lacks_admin = (needs_admin || needs_password) && accounts.admin.is_none();
    if !lacks_admin {
        return Ok(accounts);
    }
    accounts.remove(&target.address, interrupt).await;
    Err("the scenario needs the token of an administrator; the given one is that of another user".into())
}

fn token(file: &Path) -> Result<String, Failure> {
    let explain = |cause: std::io::Error| format!("{}: {cause}", file.display());
    let mut token = String::new();
    File::open(file).map_err(explain)?.take(MAX_TOKEN_BYTES).read_to_string(&mut token).map_err(explain)?;
    let token = token.trim();
    let is_token = !token.is_empty() && token.bytes().all(|byte| byte.is_ascii_graphic());
    if is_token { Ok(token.to_owned()) } else { Err(format!("{} holds no token", file.display()).into()) }
}
