//! The response of `POST /file/test` to a caller who accepts lines of JSON, read line by line from a bare connection.

use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

use super::Client;
use super::configuration::put_at;
use super::raw::{connect, read_head};
use super::waiting::within;

pub const LINES: &str = "application/x-ndjson";

/// A response whose lines are not read yet. Dropping it hangs up.
pub struct Steps {
    pub head: String,
    stream: BufReader<TcpStream>,
}

/// Tests a store with `body`, at the server or a proxy with the address `base`. Returns once the head is here.
pub async fn begin(base: &str, client: &Client, body: &Value) -> Steps {
    let mut steps = send(base, client, body).await;
    steps.head = within("the head", read_head(&mut steps.stream)).await;
    steps
}

/// Sends the request only.
pub async fn send(base: &str, client: &Client, body: &Value) -> Steps {
    let (body, token) = (body.to_string(), client.token.as_deref().unwrap());
    let request = format!(
        "POST /api/v4/file/test HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\nAccept: {LINES}\r\n\
         Accept-Encoding: gzip\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    let mut stream = connect(base).await;
    stream.write_all(request.as_bytes()).await.unwrap();
    Steps { head: String::new(), stream: BufReader::new(stream) }
}

impl Steps {
    /// Returns the next line; `None` at the end of the response.
    pub async fn next(&mut self) -> Option<Value> {
        loop {
            let mut line = String::new();
            within("a line", self.stream.read_line(&mut line)).await.ok()?;
            // The other lines are the sizes of the chunks.
            match line.trim_end() {
                "" | "0" if !line.starts_with('\r') => return None,
                text if text.starts_with('{') => return serde_json::from_str(text).ok(),
                _ => {}
            }
        }
    }

    /// Reads up to the line that says that a step began. Returns all lines.
    pub async fn until_started(&mut self, step: &str) -> Vec<Value> {
        let mut lines = Vec::new();
        loop {
            let line = self.next().await.unwrap_or_else(|| panic!("{step} did not begin: {lines:?}"));
            let is_it = line["event"] == "started" && line["step"] == step;
            lines.push(line);
            if is_it {
                return lines;
            }
        }
    }

    /// Reads up to the end of the response. Returns all lines, the last of which is the report.
    pub async fn rest(&mut self) -> Vec<Value> {
        let mut lines = Vec::new();
        while let Some(line) = self.next().await {
            lines.push(line);
        }
        lines
    }
}

/// Returns settings of a store on a host that accepts connections and sends nothing.
pub async fn hanging(admin: &Client, listener: &TcpListener) -> Value {
    let mut body = admin.config().await;
    put_at(&mut body, "FileSettings.DriverName", "amazons3");
    put_at(&mut body, "FileSettings.AmazonS3Endpoint", listener.local_addr().unwrap().to_string());
    put_at(&mut body, "FileSettings.AmazonS3SSL", true);
    put_at(&mut body, "FileSettings.AmazonS3Bucket", "files");
    put_at(&mut body, "FileSettings.AmazonS3AccessKeyId", "AKIAQUARTER");
    put_at(&mut body, "FileSettings.AmazonS3SecretAccessKey", "entered");
    put_at(&mut body, "FileSettings.AmazonS3RequestTimeoutMilliseconds", 2000);
    body
}
