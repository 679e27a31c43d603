//! A plain HTTP client for the API and its error envelope.

use std::sync::Arc;

use reqwest::Method;
use reqwest::header::HeaderMap;
use serde_json::{Value, json};

use super::pool::Pool;
use super::server::PASSWORD;

/// Sends requests to one server, with or without a token.
#[derive(Clone)]
pub struct Client {
    pub base: String,
    pub token: Option<String>,
    pub user_id: String,
    pool: Arc<Pool>,
}

/// A response with its complete body.
#[derive(Debug)]
pub struct Reply {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: Vec<u8>,
}

impl Client {
    pub fn new(base: &str) -> Self {
        let pool = Pool::new(base, |client| client.redirect(reqwest::redirect::Policy::none()));
        Self { base: base.to_owned(), token: None, user_id: String::new(), pool }
    }

    /// Returns this client for another server on the same database.
    pub fn at(&self, base: &str) -> Self {
        Self { base: base.to_owned(), ..self.clone() }
    }

    /// Returns this client with another loopback address as its source.
    pub fn at_address(&self, address: &str) -> Self {
        let address: std::net::IpAddr = address.parse().unwrap();
        Self { pool: Pool::new(&self.base, move |client| client.local_address(address)), ..self.clone() }
    }

    /// Returns a client that connects over the local socket.
    pub fn on_socket(socket: &std::path::Path) -> Self {
        let (base, socket) = ("http://local", socket.to_owned());
        let pool = Pool::new(base, move |client| client.unix_socket(socket.as_path()));
        Self { base: base.to_owned(), token: None, user_id: String::new(), pool }
    }

    /// Returns this client with another token.
    pub fn with_token(&self, token: &str) -> Self {
        Self { token: Some(token.to_owned()), ..self.clone() }
    }

    /// Logs in with the password of all test accounts, and returns a client with that session.
    pub async fn log_in(&self, name: &str) -> Self {
        let reply = self.post("/users/login", json!({ "login_id": name, "password": PASSWORD })).await;
        let user = reply.expect(200);
        let mut client = self.with_token(&reply.header("token"));
        user["id"].as_str().unwrap().clone_into(&mut client.user_id);
        client
    }

    /// Returns the name that the server has in responses about its log.
    pub async fn node_name(&self) -> String {
        self.get("/logs?logs_per_page=0").await.header("X-Logs-Nodes")
    }

    pub async fn get(&self, path: &str) -> Reply {
        self.send(Method::GET, path, None, &[]).await
    }

    pub async fn post(&self, path: &str, body: Value) -> Reply {
        self.send(Method::POST, path, Some(body.to_string()), &[]).await
    }

    pub async fn put(&self, path: &str, body: Value) -> Reply {
        self.send(Method::PUT, path, Some(body.to_string()), &[]).await
    }

    pub async fn delete(&self, path: &str) -> Reply {
        self.send(Method::DELETE, path, None, &[]).await
    }

    /// Sends a request. `path` is relative to the API; a path that starts with `//` is relative to the root of the
    /// site.
    pub async fn send(&self, method: Method, path: &str, body: Option<String>, headers: &[(&str, &str)]) -> Reply {
        self.try_send(method, path, body, headers).await.unwrap()
    }

    /// Sends a request whose body is no text.
    pub async fn send_bytes(&self, method: Method, path: &str, body: Vec<u8>, headers: &[(&str, &str)]) -> Reply {
        self.try_send_body(method, path, Some(body.into()), headers).await.unwrap()
    }

    /// Sends a request to a server that may end before it responds.
    pub async fn try_send(
        &self,
        method: Method,
        path: &str,
        body: Option<String>,
        headers: &[(&str, &str)],
    ) -> reqwest::Result<Reply> {
        self.try_send_body(method, path, body.map(Into::into), headers).await
    }

    async fn try_send_body(
        &self,
        method: Method,
        path: &str,
        body: Option<reqwest::Body>,
        headers: &[(&str, &str)],
    ) -> reqwest::Result<Reply> {
        let url = match path.strip_prefix("//") {
            Some(from_root) => format!("{}/{from_root}", self.base),
            None => format!("{}/api/v4{path}", self.base),
        };
        let mut request = self.pool.client().request(method, url);
        if let Some(token) = &self.token {
            request = request.header("Authorization", format!("Bearer {token}"));
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if let Some(body) = body {
            request = request.body(body);
        }
        let answer = request.send().await?;
        let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
        Ok(Reply { status, headers, body: answer.bytes().await?.to_vec() })
    }
}

impl Reply {
    /// Returns the body as text.
    pub fn text(&self) -> String {
        String::from_utf8(self.body.clone()).unwrap()
    }

    /// Returns the body as JSON.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.text()))
    }

    /// Returns a header as text; empty if the header is missing.
    pub fn header(&self, name: &str) -> String {
        self.headers.get(name).map(|value| value.to_str().unwrap().to_owned()).unwrap_or_default()
    }

    /// Fails unless the response has this status. Returns the body.
    #[track_caller]
    pub fn expect(&self, status: u16) -> Value {
        assert_eq!(self.status, status, "{}", self.text());
        self.json()
    }

    /// Fails unless the response is this error, in the full envelope.
    #[track_caller]
    pub fn expect_refusal(&self, status: u16, id: &str) {
        let body = self.json();
        assert_eq!((self.status, body["id"].as_str()), (status, Some(id)), "{body}");
        assert_eq!(body["status_code"], status);
        assert_ne!(body["message"], body["id"], "the id has no text");
        assert_eq!(self.header("content-type"), "application/json");
    }

    /// Fails unless the response is `{"status":"OK"}`.
    #[track_caller]
    pub fn expect_ok(&self) {
        assert_eq!((self.status, self.text().as_str()), (200, r#"{"status":"OK"}"#));
    }
}
