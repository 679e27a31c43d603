//! The accounts of a run: created before it, removed or deactivated after it.

use reqwest::{Client, Response, StatusCode};
use serde_json::{Value, json};

use super::address::Address;
use super::interrupt::{ENDED_BY_USER, Interrupt};
use super::random::secret;

type Failure = Box<dyn std::error::Error>;

#[derive(Debug, Clone, Default)]
pub(crate) struct Account {
    pub(crate) id: String,
    pub(crate) name: String,
    /// Empty for the account of a given token.
    pub(crate) password: String,
    pub(crate) token: String,
}

/// The callers of a run.
#[derive(Debug, Clone, Default)]
pub(crate) struct Accounts {
    /// A random name of the run, which the names of its accounts contain.
    pub(crate) run: String,
    pub(crate) admin: Option<Account>,
    pub(crate) users: Vec<Account>,
    /// The accounts that the run created on a server that it did not start.
    pub(super) created: Vec<Created>,
}

/// An account whose creation was sent.
#[derive(Debug, Clone)]
pub(super) struct Created {
    name: String,
    /// `None` until the response, which may be lost.
    id: Option<String>,
}

#[derive(Debug, PartialEq)]
enum Removal {
    Removed,
    Deactivated,
    Left,
}

/// The maximum length of a response about an account, in bytes.
const MAX_RESPONSE_BYTES: usize = 1024 * 1024;

impl Accounts {
    /// Returns the account of a user. Users take turns with the accounts if there are more users.
    pub(crate) fn of(&self, user: u64) -> Option<&Account> {
        let count = u64::try_from(self.users.len()).ok().filter(|count| *count > 0)?;
        self.users.get(usize::try_from(user % count).ok()?)
    }

    /// Callers without accounts.
    pub(crate) fn none() -> Result<Self, Failure> {
        Ok(Self { run: secret(4)?, ..Self::default() })
    }

    /// Creates the first account of a new server, which is an administrator, and `count` others.
    pub(crate) async fn on_new_server(
        address: &Address,
        count: u64,
        interrupt: &mut Interrupt,
    ) -> Result<Self, Failure> {
        let mut accounts = Self::none()?;
        let http = address.client()?;
        let admin = tokio::select! {
            admin = accounts.create(&http, address, "admin", None) => admin?,
            () = interrupt.requested() => return Err(ENDED_BY_USER.into()),
        };
        accounts.create_all(&http, address, &admin.token, count, interrupt).await?;
        accounts.admin = Some(admin);
        // The server and its accounts end with the run.
        accounts.created.clear();
        Ok(accounts)
    }

    /// Uses the account of a token, and, if it is an administrator, creates `count` others. If that fails, the accounts
    /// that were created are removed.
    pub(crate) async fn with_token(
        address: &Address,
        token: &str,
        count: u64,
        interrupt: &mut Interrupt,
    ) -> Result<Self, Failure> {
        let mut accounts = Self::none()?;
        let http = address.client()?;
        let owner = async {
            let answer = http.get(address.api("/users/me")).bearer_auth(token).send().await?;
            checked("the token is refused", answer).await
        };
        let owner = tokio::select! {
            owner = owner => owner?,
            () = interrupt.requested() => return Err(ENDED_BY_USER.into()),
        };
        let text = |name: &str| owner.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
        let account =
            Account { id: text("id"), name: text("username"), password: String::new(), token: token.to_owned() };
        if !is_admin(&owner) {
            accounts.users.push(account);
            return Ok(accounts);
        }
        accounts.admin = Some(account);
        match accounts.create_all(&http, address, token, count, interrupt).await {
            Ok(()) => Ok(accounts),
            Err(cause) => {
                let notes = accounts.remove(address, interrupt).await;
                Err(format!("{cause}; {}", notes.join("; ")).trim_end_matches("; ").into())
            }
        }
    }

    /// Creates accounts until there are `count` of them, or until a signal.
    async fn create_all(
        &mut self,
        http: &Client,
        address: &Address,
        token: &str,
        count: u64,
        interrupt: &mut Interrupt,
    ) -> Result<(), Failure> {
        for number in 1..=count {
            let suffix = number.to_string();
            let user = tokio::select! {
                user = self.create(http, address, &suffix, Some(token)) => user?,
                () = interrupt.requested() => return Err(ENDED_BY_USER.into()),
            };
            self.users.push(user);
        }
        Ok(())
    }

    async fn create(
        &mut self,
        http: &Client,
        address: &Address,
        suffix: &str,
        admin: Option<&str>,
    ) -> Result<Account, Failure> {
        let name = format!("bench-{}-{suffix}", self.run);
        let password = format!("Bench-1-{}", secret(12)?);
        let account = json!({ "email": format!("{name}@bench.invalid"), "username": name, "password": password });
        let mut request = http.post(address.api("/users")).json(&account);
        if let Some(token) = admin {
            request = request.bearer_auth(token);
        }
        self.created.push(Created { name: name.clone(), id: None });
        let answer = request.send().await?;
        if answer.status().is_client_error() {
            self.created.pop();
        }
        let created = checked("an account cannot be created", answer).await?;
        let id = created.get("id").and_then(Value::as_str).ok_or("the new account has no id")?.to_owned();
        if let Some(last) = self.created.last_mut() {
            last.id = Some(id.clone());
        }
        if admin.is_none() && !is_admin(&created) {
            return Err(format!("the server is not new: its first account {name} is not an administrator").into());
        }
        let login = json!({ "login_id": name, "password": password });
        let answer = http.post(address.api("/users/login")).json(&login).send().await?;
        let token = answer.headers().get("token").and_then(|token| token.to_str().ok()).map(str::to_owned);
        checked("a new account cannot log in", answer).await?;
        let token = token.ok_or("the login gave no token")?;
        Ok(Account { id, name, password, token })
    }

    /// Removes the accounts that the run created, or deactivates them, until a second signal. Returns sentences about them.
    pub(crate) async fn remove(&mut self, address: &Address, interrupt: &mut Interrupt) -> Vec<String> {
        let created = std::mem::take(&mut self.created);
        if created.is_empty() {
            return Vec::new();
        }
        let (mut removed, mut deactivated, mut left) = (Vec::new(), Vec::new(), Vec::new());
        let client = address.client().ok();
        let token = self.admin.as_ref().map(|admin| admin.token.clone()).unwrap_or_default();
        for account in created {
            let removal = match &client {
                Some(http) if !interrupt.is_insisted() => tokio::select! {
                    removal = remove(http, address, &token, &account) => removal,
                    () = interrupt.insisted() => Removal::Left,
                },
                _ => Removal::Left,
            };
            match removal {
                Removal::Removed => removed.push(account.name),
                Removal::Deactivated => deactivated.push(account.name),
                Removal::Left => left.push(account.name),
            }
        }
        // An operator must find each account that is left.
        let all_left = left.join(", ");
        let notes = [
            ("removed", removed.len(), listed(&removed)),
            ("deactivated", deactivated.len(), listed(&deactivated)),
            ("could not remove or deactivate", left.len(), all_left),
        ];
        let notes = notes.into_iter().filter(|(_, number, _)| *number > 0);
        notes.map(|(verb, number, names)| format!("{verb} {}: {names}", count(number))).collect()
    }
}

/// Removes an account, or deactivates it if the server permits no removal. An account whose id is not known is found by
/// its name; if it is not found, a late request may still create it.
async fn remove(http: &Client, address: &Address, token: &str, account: &Created) -> Removal {
    let id = match &account.id {
        Some(id) => Some(id.clone()),
        None => find(http, address, token, &account.name).await.ok(),
    };
    let Some(id) = id else { return Removal::Left };
    let account = address.api(&format!("/users/{id}"));
    if succeeds(http, &format!("{account}?permanent=true"), token).await {
        Removal::Removed
    } else if succeeds(http, &account, token).await {
        Removal::Deactivated
    } else {
        Removal::Left
    }
}

async fn find(http: &Client, address: &Address, token: &str, name: &str) -> Result<String, Failure> {
    let answer = http.get(address.api(&format!("/users/username/{name}"))).bearer_auth(token).send().await?;
    let found = checked("the account is not found", answer).await?;
    Ok(found.get("id").and_then(Value::as_str).ok_or("the account has no id")?.to_owned())
}

fn is_admin(account: &Value) -> bool {
    let roles = account.get("roles").and_then(Value::as_str).unwrap_or_default();
    roles.split(' ').any(|role| role == "system_admin")
}

fn count(accounts: usize) -> String {
    if accounts == 1 { "1 account".to_owned() } else { format!("{accounts} accounts") }
}

/// Returns the first and the last name. All names of a run differ in their number only.
fn listed(names: &[String]) -> String {
    match names {
        [] => String::new(),
        [only] => only.clone(),
        [first, .., last] => format!("{first} to {last}"),
    }
}

async fn succeeds(http: &Client, url: &str, token: &str) -> bool {
    let answer = http.delete(url).bearer_auth(token).send().await;
    answer.is_ok_and(|answer| answer.status() == StatusCode::OK)
}

/// Returns the JSON of a response, or an error that tells what failed and why.
async fn checked(what: &str, mut answer: Response) -> Result<Value, Failure> {
    let status = answer.status();
    let mut body = Vec::new();
    while let Some(chunk) = answer.chunk().await? {
        if body.len() + chunk.len() > MAX_RESPONSE_BYTES {
            return Err(format!("{what}: the response is too long").into());
        }
        body.extend_from_slice(&chunk);
    }
    let value: Value = serde_json::from_slice(&body).unwrap_or_default();
    if status.is_success() {
        return Ok(value);
    }
    let text = |name: &str| value.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    Err(format!("{what}: {status} {} {}", text("id"), text("message")).trim_end().into())
}

#[cfg(test)]
mod tests;
