//! Accounts of the server under test.

use reqwest::Client;
use serde_json::{Value, json};

/// The name of the first account.
pub(crate) const NAME: &str = "admin";
/// The password of every account.
pub(crate) const PASSWORD: &str = "correct-horse-1";

type Failure = Box<dyn std::error::Error>;

/// Creates the first account of a new server, which is an administrator, and logs in. Returns the token.
pub(crate) async fn first(http: &Client, address: &str) -> Result<String, Failure> {
    create(http, address, NAME, "").await
}

/// Creates another account with an administrator's token, and logs in. Returns its token.
pub(crate) async fn another(http: &Client, address: &str, admin: &str, number: u64) -> Result<String, Failure> {
    create(http, address, &format!("user{number}"), admin).await
}

async fn create(http: &Client, address: &str, name: &str, token: &str) -> Result<String, Failure> {
    let email = format!("{name}@chat.example");
    let account = json!({ "email": email, "username": name, "password": PASSWORD });
    let mut request = http.post(url(address, "/users")).json(&account);
    if !token.is_empty() {
        request = request.bearer_auth(token);
    }
    request.send().await?.error_for_status()?;
    log_in(http, address, name, PASSWORD).await
}

/// Logs in and returns the token.
pub(crate) async fn log_in(http: &Client, address: &str, name: &str, password: &str) -> Result<String, Failure> {
    let login = json!({ "login_id": name, "password": password });
    let answer = http.post(url(address, "/users/login")).json(&login).send().await?.error_for_status()?;
    Ok(answer.headers().get("token").ok_or("the login gave no token")?.to_str()?.to_owned())
}

/// Returns the id of the account that a token belongs to.
pub(crate) async fn id(http: &Client, address: &str, token: &str) -> Result<String, Failure> {
    let answer = http.get(url(address, "/users/me")).bearer_auth(token).send().await?.error_for_status()?;
    let user: Value = answer.json().await?;
    Ok(user.get("id").and_then(Value::as_str).ok_or("the account has no id")?.to_owned())
}

/// Returns the URL of a path of the API.
pub(crate) fn url(address: &str, path: &str) -> String {
    format!("http://{address}/api/v4{path}")
}
