//! Accounts of a running server, created over its local socket. This needs none of the server's settings.

use std::path::Path;
use std::time::Duration;

use quarterdeck_actors::secret::Secret;
use reqwest::{Client, Method, Response};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

const ROOT: &str = "http://localhost/api/v4";

const ADMINISTRATOR: &str = "system_admin system_user";

/// The timeout of one request.
const TIMEOUT: Duration = Duration::from_mins(1);

/// An account to create.
pub(super) struct NewAccount {
    pub(super) email: String,
    pub(super) username: String,
    pub(super) password: Secret,
    pub(super) is_admin: bool,
}

/// The account that was created.
#[derive(Deserialize)]
pub(super) struct Created {
    pub(super) id: String,
    pub(super) username: String,
    pub(super) roles: String,
}

/// The body of a refusal.
#[derive(Deserialize)]
struct Refusal {
    message: String,
}

/// Creates an account on the server that listens on a local socket.
pub(super) async fn create(socket: &Path, account: &NewAccount) -> Result<Created, String> {
    let http = Client::builder().unix_socket(socket).no_proxy().timeout(TIMEOUT).build();
    let http = http.map_err(|cause| cause.to_string())?;
    let body = json!({
        "email": account.email,
        "username": account.username,
        "password": account.password.expose(),
        "email_verified": true,
    });
    let mut created: Created = sent(&http, socket, Method::POST, "/users", &body).await?;
    if account.is_admin && created.roles != ADMINISTRATOR {
        let path = format!("/users/{}/roles", created.id);
        let _: Value = sent(&http, socket, Method::PUT, &path, &json!({ "roles": ADMINISTRATOR })).await?;
        ADMINISTRATOR.clone_into(&mut created.roles);
    }
    Ok(created)
}

async fn sent<T: DeserializeOwned>(
    http: &Client,
    socket: &Path,
    method: Method,
    path: &str,
    body: &Value,
) -> Result<T, String> {
    let silent = |_| format!("no server answers on the local socket {}", socket.display());
    let answer: Response = http.request(method, format!("{ROOT}{path}")).json(body).send().await.map_err(silent)?;
    let status = answer.status();
    let bytes = answer.bytes().await.map_err(silent)?;
    if status.is_success() {
        return serde_json::from_slice(&bytes).map_err(|_| "the server's answer cannot be read".to_owned());
    }
    let refusal = serde_json::from_slice::<Refusal>(&bytes);
    Err(refusal.map_or_else(|_| format!("the server answered {status}"), |refusal| refusal.message))
}
