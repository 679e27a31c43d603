//! Tests of a client that logs in. Replace `request` with the client that you test.

use std::io::{Read, Write};
use std::net::TcpStream;

use client_tests::Server;
use serde_json::{Value, json};

#[test]
fn the_administrator_has_a_session() {
    let server = Server::start(&[]);
    let (_, me) = request(&server, "GET /api/v4/users/me", server.token(), &Value::Null);
    assert_eq!(me["username"], server.facts["admin"]["username"]);
}

#[test]
fn a_user_logs_in() {
    let server = Server::start(&["--users", "2"]);
    let user = &server.facts["users"][0];
    let credentials = json!({ "login_id": user["username"], "password": server.facts["password"] });
    let (head, _) = request(&server, "POST /api/v4/users/login", "", &credentials);
    let token = head.lines().find_map(|line| line.strip_prefix("Token: ")).expect("a token");
    let (_, me) = request(&server, "GET /api/v4/users/me", token, &Value::Null);
    assert_eq!(me["id"], user["id"]);
}

#[test]
fn a_wrong_password_is_refused() {
    let server = Server::start(&[]);
    let credentials = json!({ "login_id": "admin", "password": "wrong" });
    let (head, _) = request(&server, "POST /api/v4/users/login", "", &credentials);
    assert!(head.starts_with("HTTP/1.1 401"), "{head}");
}

/// Sends one request, and returns the head and the body of the response.
fn request(server: &Server, line: &str, token: &str, body: &Value) -> (String, Value) {
    let body = if body.is_null() { String::new() } else { body.to_string() };
    let mut stream = TcpStream::connect(server.address()).expect("a connection");
    let length = body.len();
    write!(
        stream,
        "{line} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nAuthorization: Bearer {token}\r\n\
         Content-Length: {length}\r\n\r\n{body}"
    )
    .expect("a request");
    let mut response = String::new();
    stream.read_to_string(&mut response).expect("a response");
    let (head, body) = response.split_once("\r\n\r\n").expect("a head");
    (head.to_owned(), serde_json::from_str(body).expect("JSON"))
}
