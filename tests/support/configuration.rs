//! Reads and changes of the configuration in tests.

use reqwest::Method;
use serde_json::{Map, Value};
use tempfile::TempDir;

use super::{Client, Reply, TestServer};

/// A server with a local socket, and a client on it.
pub struct LocalServer {
    pub server: TestServer,
    pub local: Client,
    _folder: TempDir,
}

impl LocalServer {
    pub async fn start() -> Self {
        Self::start_with("").await
    }

    /// Starts a server with more settings of the section `ServiceSettings`, as TOML.
    pub async fn start_with(settings: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let socket = folder.path().join("local.socket");
        let place = format!("EnableLocalMode = true\nLocalModeSocketLocation = \"{}\"\n", socket.display());
        let server = TestServer::start_with(&format!("[ServiceSettings]\n{place}{settings}")).await;
        Self { server, local: Client::on_socket(&socket), _folder: folder }
    }
}

impl TestServer {
    /// Creates an account that has a role beside the ordinary one, and logs in.
    pub async fn staff(&self, admin: &Client, name: &str, role: &str) -> Client {
        let user = self.user(admin, name).await;
        // Without a licence, such a role cannot be given over the network.
        let id = &user.user_id;
        self.execute(&format!("UPDATE users SET roles = 'system_user {role}' WHERE id = '{id}'")).await;
        self.login(name).await
    }
}

impl Client {
    /// Returns the configuration as this client sees it.
    pub async fn config(&self) -> Value {
        self.get("/config").await.expect(200)
    }

    /// Returns one setting as this client sees it.
    pub async fn setting(&self, path: &str) -> Value {
        at(&self.config().await, path).clone()
    }

    /// Changes one setting.
    pub async fn set(&self, path: &str, value: impl Into<Value>) -> Reply {
        self.put("/config/patch", nested(path, value)).await
    }

    /// Sends a document with an `If-Match` header.
    pub async fn write_if(&self, path: &str, body: &Value, tag: &str) -> Reply {
        self.send(Method::PUT, path, Some(body.to_string()), &[("If-Match", tag)]).await
    }

    /// Returns the versions, the newest first.
    pub async fn versions(&self) -> Vec<Value> {
        self.get("/config/versions?per_page=200").await.expect(200).as_array().unwrap().clone()
    }
}

/// Returns the value at a dotted path; null if there is none.
pub fn at<'a>(document: &'a Value, path: &str) -> &'a Value {
    path.split('.').fold(document, |value, key| &value[key])
}

/// Returns a document with one value, at a dotted path.
pub fn nested(path: &str, value: impl Into<Value>) -> Value {
    path.rsplit('.').fold(value.into(), |inner, key| Value::Object(Map::from_iter([(key.to_owned(), inner)])))
}

/// Sets a value at a dotted path. Creates missing sections.
pub fn put_at(document: &mut Value, path: &str, value: impl Into<Value>) {
    *path.split('.').fold(document, |value, key| &mut value[key]) = value.into();
}

/// Removes the value at a dotted path.
pub fn take(document: &mut Value, path: &str) {
    let (section, key) = path.rsplit_once('.').unwrap();
    let section = section.split('.').fold(document, |value, key| &mut value[key]);
    section.as_object_mut().unwrap().remove(key).unwrap();
}

/// Returns the rows of the table of settings.
pub fn rows() -> Vec<Value> {
    serde_json::from_str(include_str!("../../actors/src/config/settings.json")).unwrap()
}

/// Returns the values of `key` in a list of errors or differences.
pub fn named(list: &Value, key: &str) -> Vec<String> {
    list.as_array().unwrap().iter().map(|one| one[key].as_str().unwrap().to_owned()).collect()
}
