//! The accounts of a run: created before it, removed or deactivated after it.

use reqwest::{Client, Response, StatusCode};
use serde_json::{Value, json};

use super::address::Address;
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
    /// The ids and names of the accounts that the run created on a server that it did not start.
    pub(super) created: Vec<(String, String)>,
}

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
    pub(crate) async fn on_new_server(address: &Address, count: u64) -> Result<Self, Failure> {
        let mut accounts = Self::none()?;
        let http = address.client()?;
        let admin = accounts.create(&http, address, "admin", None).await?;
        for number in 1..=count {
            let user = accounts.create(&http, address, &number.to_string(), Some(&admin.token)).await?;
            accounts.users.push(user);
        }
        accounts.admin = Some(admin);
        // The server and its accounts end with the run.
        accounts.created.clear();
        Ok(accounts)
    }

    /// Uses the account of a token, and, if it is an administrator, creates `count` others. If that fails, the accounts
    /// that were created are removed.
    pub(crate) async fn with_token(address: &Address, token: &str, count: u64) -> Result<Self, Failure> {
        let mut accounts = Self::none()?;
        let http = address.client()?;
        let answer = http.get(address.api("/users/me")).bearer_auth(token).send().await?;
        let owner = checked("the token is refused", answer).await?;
        let text = |name: &str| owner.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
        let account =
            Account { id: text("id"), name: text("username"), password: String::new(), token: token.to_owned() };
        let is_admin = text("roles").split(' ').any(|role| role == "system_admin");
        if !is_admin {
            accounts.users.push(account);
            return Ok(accounts);
        }
        accounts.admin = Some(account);
        for number in 1..=count {
            match accounts.create(&http, address, &number.to_string(), Some(token)).await {
                Ok(user) => accounts.users.push(user),
                Err(cause) => {
                    let notes = accounts.remove(address).await;
                    return Err(format!("{cause}; {}", notes.join("; ")).into());
                }
            }
        }
        Ok(accounts)
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
        let created = checked("an account cannot be created", request.send().await?).await?;
        let id = created.get("id").and_then(Value::as_str).ok_or("the new account has no id")?.to_owned();
        self.created.push((id.clone(), name.clone()));
        let login = json!({ "login_id": name, "password": password });
        let answer = http.post(address.api("/users/login")).json(&login).send().await?;
        let token = answer.headers().get("token").and_then(|token| token.to_str().ok()).map(str::to_owned);
        checked("a new account cannot log in", answer).await?;
        let token = token.ok_or("the login gave no token")?;
        Ok(Account { id, name, password, token })
    }

    /// Removes the accounts that the run created, or deactivates them. Returns sentences about them.
    pub(crate) async fn remove(&mut self, address: &Address) -> Vec<String> {
        let created = std::mem::take(&mut self.created);
        if created.is_empty() {
            return Vec::new();
        }
        let (mut removed, mut deactivated, mut left) = (Vec::new(), Vec::new(), Vec::new());
        let client = address.client().ok();
        let token = self.admin.as_ref().map(|admin| admin.token.clone()).unwrap_or_default();
        for (id, name) in created {
            let Some(http) = &client else {
                left.push(name);
                continue;
            };
            let account = address.api(&format!("/users/{id}"));
            if succeeds(http, &format!("{account}?permanent=true"), &token).await {
                removed.push(name);
            } else if succeeds(http, &account, &token).await {
                deactivated.push(name);
            } else {
                left.push(name);
            }
        }
        let notes = [("removed", removed), ("deactivated", deactivated), ("could not remove or deactivate", left)];
        let notes = notes.into_iter().filter(|(_, names)| !names.is_empty());
        notes.map(|(verb, names)| format!("{verb} {}: {}", count(names.len()), listed(&names))).collect()
    }
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
async fn checked(what: &str, answer: Response) -> Result<Value, Failure> {
    let status = answer.status();
    let body = answer.bytes().await?;
    let value: Value = serde_json::from_slice(&body).unwrap_or_default();
    if status.is_success() {
        return Ok(value);
    }
    let text = |name: &str| value.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    Err(format!("{what}: {status} {} {}", text("id"), text("message")).trim_end().into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn users_take_turns_with_the_accounts() {
        let account = |name: &str| Account { name: name.to_owned(), ..Account::default() };
        let accounts = Accounts { users: vec![account("a"), account("b")], ..Accounts::default() };
        let names = [0, 1, 2, 5].map(|user| accounts.of(user).unwrap().name.as_str());
        assert_eq!(names, ["a", "b", "a", "b"]);
        assert!(Accounts::default().of(0).is_none());
    }

    #[test]
    fn accounts_are_listed_by_the_first_and_the_last() {
        let names = ["bench-1", "bench-2", "bench-3"].map(str::to_owned);
        assert_eq!(
            (listed(&names), listed(&names[..1]), count(1)),
            ("bench-1 to bench-3".into(), "bench-1".into(), "1 account".into())
        );
    }
}
