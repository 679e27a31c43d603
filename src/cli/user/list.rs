//! A page of the accounts, for people and for programs. It contains no secrets.

use std::process::ExitCode;

use clap::Args;
use serde_json::{Value, json};

use super::opened::Opened;
use crate::base::paging::Paging;
use crate::base::user::User;
use crate::cli::options::Common;
use crate::cli::output::{failure, remark, say};
use crate::store::Filter;

/// The largest number of accounts on a page.
const MAX_PER_PAGE: u16 = 200;

#[derive(Debug, Args)]
pub(in crate::cli) struct List {
    /// The page; the first one is 0
    #[arg(long, default_value_t = 0)]
    page: u32,
    /// The number of accounts on a page: 1 to 200
    #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u16).range(1..=i64::from(MAX_PER_PAGE)))]
    per_page: u16,
    /// Only accounts with this role, such as `system_admin`
    #[arg(long)]
    role: Option<String>,
    /// Prints one JSON array
    #[arg(long)]
    json: bool,
}

pub(super) fn run(common: &Common, list: &List) -> ExitCode {
    match actix_web::rt::System::new().block_on(page(common, list)) {
        Ok(users) if list.json => {
            say(users.iter().map(described).collect::<Value>());
            ExitCode::SUCCESS
        }
        Ok(users) => {
            users.iter().map(line).for_each(say);
            if users.len() == usize::from(list.per_page) {
                remark(format_args!("there may be more accounts: --page {}", list.page.saturating_add(1)));
            }
            ExitCode::SUCCESS
        }
        Err(refusal) => failure(refusal),
    }
}

async fn page(common: &Common, list: &List) -> Result<Vec<User>, String> {
    let opened = Opened::open(common).await?;
    let page = usize::try_from(list.page).unwrap_or(usize::MAX);
    let paging = Paging { page, per_page: usize::from(list.per_page) };
    let filter = Filter { role: list.role.clone(), ..Filter::default() };
    opened.db.users(&filter, paging).await.map_err(|cause| cause.to_string())
}

fn line(user: &User) -> String {
    let state = if user.delete_at == 0 { "active" } else { "deactivated" };
    let codes = if user.mfa_active { ", one-time codes" } else { "" };
    let line = format!(
        "{} {} {} [{}] {state}, {}{codes}",
        user.id,
        user.username,
        user.email,
        user.roles,
        signs_in_with(user)
    );
    // A row of another program may contain control characters, which a terminal would obey.
    line.chars().map(|character| if character.is_control() { '\u{fffd}' } else { character }).collect()
}

fn described(user: &User) -> Value {
    json!({
        "id": user.id,
        "username": user.username,
        "email": user.email,
        "email_verified": user.email_verified,
        "roles": user.roles,
        "create_at": user.create_at,
        "delete_at": user.delete_at,
        "auth_service": user.auth_service,
        "mfa_active": user.mfa_active,
        "failed_attempts": user.failed_attempts,
        "is_bot": user.is_bot,
    })
}

fn signs_in_with(user: &User) -> &str {
    match user.auth_service.as_str() {
        _ if user.is_bot => "bot",
        "" => "password",
        service => service,
    }
}
