//! The baseline: a bare actix-web handler in its own process that returns given bytes.

use std::net::TcpListener;

use actix_web::http::header::{HeaderName, HeaderValue};
use actix_web::web::{Bytes, Data, get};
use actix_web::{App, HttpResponse, HttpServer};
use clap::Args;

#[derive(Debug, Clone, Args)]
pub(crate) struct Options {
    /// A file with the response to return: head and body, byte for byte
    #[arg(long)]
    answer: std::path::PathBuf,
    /// The path to serve, without a query
    #[arg(long)]
    path: String,
}

struct Answer {
    headers: Vec<(HeaderName, HeaderValue)>,
    body: Bytes,
}

/// Serves until the process is killed. Prints its address first.
#[expect(clippy::print_stdout, reason = "the address is what the starter waits for")]
pub(crate) fn run(options: &Options) -> Result<(), Box<dyn std::error::Error>> {
    let answer = Bytes::from(std::fs::read(&options.answer)?);
    let end = answer.windows(4).position(|window| window == b"\r\n\r\n").ok_or("the response has no head")?;
    let head = std::str::from_utf8(answer.get(..end).unwrap_or_default())?;
    let headers = head.lines().skip(1).filter_map(header).collect();
    let answer = Data::new(Answer { headers, body: answer.slice(end + 4..) });
    let listener = TcpListener::bind("127.0.0.1:0")?;
    println!("listens on http://{}", listener.local_addr()?);
    let path = options.path.clone();
    let server = HttpServer::new(move || App::new().app_data(answer.clone()).route(&path, get().to(handler)));
    actix_web::rt::System::new().block_on(server.listen(listener)?.run())?;
    Ok(())
}

async fn handler(answer: Data<Answer>) -> HttpResponse {
    let mut response = HttpResponse::Ok();
    for (name, value) in &answer.headers {
        response.insert_header((name.clone(), value.clone()));
    }
    response.body(answer.body.clone())
}

/// Reads a header of the response. Returns `None` for headers that actix-web writes itself.
fn header(line: &str) -> Option<(HeaderName, HeaderValue)> {
    let (name, value) = line.split_once(':')?;
    let is_automatic = ["content-length", "date", "connection"].contains(&name);
    if is_automatic {
        return None;
    }
    Some((name.parse().ok()?, HeaderValue::from_str(value.trim()).ok()?))
}
