//! A plain HTTP client that knows how the API wraps its answers.

use std::sync::Arc;

use reqwest::Method;
use reqwest::header::HeaderMap;
use serde_json::{Value, json};

use super::pool::Pool;
use super::server::PASSWORD;

/// Talks to one server, with a token or without.
#[derive(Clone)]
pub struct Client {
    pub base: String,
    pub token: Option<String>,
    pub user_id: String,
    pool: Arc<Pool>,
}

/// An answer, read to its end.
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

    /// Returns this client with another server of its database.
    pub fn at(&self, base: &str) -> Self {
        Self { base: base.to_owned(), ..self.clone() }
    }

    /// A client that comes from another address of this machine.
    pub fn at_address(&self, address: &str) -> Self {
        let address: std::net::IpAddr = address.parse().unwrap();
        Self { pool: Pool::new(&self.base, move |client| client.local_address(address)), ..self.clone() }
    }

    /// A client that comes in over the local socket.
    pub fn on_socket(socket: &std::path::Path) -> Self {
        let (base, socket) = ("http://local", socket.to_owned());
        let pool = Pool::new(base, move |client| client.unix_socket(socket.as_path()));
        Self { base: base.to_owned(), token: None, user_id: String::new(), pool }
    }

    /// The same client with another token.
    pub fn with_token(&self, token: &str) -> Self {
        Self { token: Some(token.to_owned()), ..self.clone() }
    }

    /// The same client, logged in with the password of every test account.
    pub async fn log_in(&self, name: &str) -> Self {
        let reply = self.post("/users/login", json!({ "login_id": name, "password": PASSWORD })).await;
        let user = reply.expect(200);
        let mut client = self.with_token(&reply.header("token"));
        user["id"].as_str().unwrap().clone_into(&mut client.user_id);
        client
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

    /// Sends anything. `path` is relative to the API unless it starts with `//`, which means the root of the site.
    pub async fn send(&self, method: Method, path: &str, body: Option<String>, headers: &[(&str, &str)]) -> Reply {
        self.try_send(method, path, body, headers).await.unwrap()
    }

    /// The same, to a server that may be gone before it answers.
    pub async fn try_send(
        &self,
        method: Method,
        path: &str,
        body: Option<String>,
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
    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8(self.body.clone()).unwrap()
    }

    /// The body as JSON.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.text()))
    }

    /// A header as text; empty when it is not there.
    pub fn header(&self, name: &str) -> String {
        self.headers.get(name).map(|value| value.to_str().unwrap().to_owned()).unwrap_or_default()
    }

    /// The body of an answer that must have this status.
    #[track_caller]
    pub fn expect(&self, status: u16) -> Value {
        assert_eq!(self.status, status, "{}", self.text());
        self.json()
    }

    /// An answer that must be this refusal, in the full envelope.
    #[track_caller]
    pub fn expect_refusal(&self, status: u16, id: &str) {
        let body = self.json();
        assert_eq!((self.status, body["id"].as_str()), (status, Some(id)), "{body}");
        assert_eq!(body["status_code"], status);
        assert_ne!(body["message"], body["id"], "the id has no text");
        assert_eq!(self.header("content-type"), "application/json");
    }

    /// An answer that must be `{"status":"OK"}`.
    #[track_caller]
    pub fn expect_ok(&self) {
        assert_eq!((self.status, self.text().as_str()), (200, r#"{"status":"OK"}"#));
    }
}
