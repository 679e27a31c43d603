//! The baseline: a minimal actix-web and actix-ws server in its own process that sends the same texts to all sockets.

use std::io;
use std::net::SocketAddr;

use actix_web::dev::Server;
use actix_web::rt::{System, spawn};
use actix_web::web::{Bytes, Data, Payload, get, post};
use actix_web::{App, HttpRequest, HttpResponse, HttpServer};
use actix_ws::{Message, MessageStream, Session};
use bytestring::ByteString;
use tokio::sync::{broadcast, mpsc};

use crate::ws::endpoint::SocketEndpoint;

const PATH: &str = "/ws";

/// The path to post the texts to, one text for each line.
pub(crate) const PUBLISH: &str = "/publish";

const HELLO: &str = r#"{"event":"hello","data":{"connection_id":""},"seq":0}"#;

const WORKERS: usize = 2;

/// The maximum number of publications, or of new sockets, that wait for a worker.
const MAX_QUEUED: usize = 64;

/// Returns the endpoint of the server's sockets.
pub(crate) fn endpoint(address: &str, resets: bool) -> SocketEndpoint {
    SocketEndpoint::at(address, PATH, "", resets)
}

/// Serves until the process is killed. Prints its address first.
#[expect(clippy::print_stdout, reason = "the address is what the starter waits for")]
pub(crate) fn run() -> Result<(), Box<dyn std::error::Error>> {
    System::new().block_on(async {
        let (server, address) = serve()?;
        println!("listens on http://{address}");
        server.await
    })?;
    Ok(())
}

/// Returns the server, which runs while it is awaited, and its address.
fn serve() -> io::Result<(Server, SocketAddr)> {
    let publish = broadcast::Sender::<Bytes>::new(MAX_QUEUED);
    let server = HttpServer::new(move || {
        let (enter, newcomers) = mpsc::channel(MAX_QUEUED);
        spawn(send_all(publish.subscribe(), newcomers));
        App::new()
            .app_data(Data::new(publish.clone()))
            .app_data(Data::new(enter))
            .route(PATH, get().to(open))
            .route(PUBLISH, post().to(tell))
    });
    // actix binds the socket, because its backlog is larger than that of the standard library.
    let server = server.workers(WORKERS).bind(("127.0.0.1", 0))?;
    let address = server.addrs().first().copied().ok_or_else(|| io::Error::other("no address"))?;
    Ok((server.run(), address))
}

async fn open(http: HttpRequest, body: Payload, enter: Data<mpsc::Sender<Session>>) -> actix_web::Result<HttpResponse> {
    let (answer, session, messages) = actix_ws::handle(&http, body)?;
    spawn(read_events(session, messages, enter));
    Ok(answer)
}

async fn tell(body: Bytes, publish: Data<broadcast::Sender<Bytes>>) -> HttpResponse {
    let _ = publish.send(body);
    HttpResponse::Ok().finish()
}

/// Greets a socket and answers its pings until it ends.
async fn read_events(mut session: Session, mut messages: MessageStream, enter: Data<mpsc::Sender<Session>>) {
    // A socket that has read the greeting receives all later publications.
    let is_in = enter.send(session.clone()).await.is_ok() && session.text(HELLO).await.is_ok();
    if !is_in {
        return;
    }
    while let Some(Ok(message)) = messages.recv().await {
        let is_open = match message {
            Message::Ping(payload) => session.pong(&payload).await.is_ok(),
            Message::Close(_) => false,
            Message::Text(_) | Message::Binary(_) | Message::Continuation(_) | Message::Pong(_) | Message::Nop => true,
        };
        if !is_open {
            break;
        }
    }
    let _ = session.close(None).await;
}

/// Sends each publication to every socket of a worker.
async fn send_all(mut publications: broadcast::Receiver<Bytes>, mut newcomers: mpsc::Receiver<Session>) {
    let mut sessions = Vec::new();
    loop {
        tokio::select! {
            biased;
            Some(session) = newcomers.recv() => sessions.push(session),
            Ok(publication) = publications.recv() => sessions = send(sessions, &publication).await,
            else => return,
        }
    }
}

/// Sends each line of a publication. Returns the sockets that are still open.
async fn send(sessions: Vec<Session>, publication: &[u8]) -> Vec<Session> {
    let lines = publication.split(|byte| *byte == b'\n').map(Bytes::copy_from_slice);
    let texts: Vec<ByteString> = lines.filter_map(|line| ByteString::try_from(line).ok()).collect();
    let mut open = Vec::with_capacity(sessions.len());
    for mut session in sessions {
        let mut is_open = true;
        for text in &texts {
            is_open = is_open && session.text(text.clone()).await.is_ok();
        }
        if is_open {
            open.push(session);
        }
    }
    open
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::ws::crowd::Crowd;
    use crate::ws::publisher::Publisher;

    #[actix_web::test]
    async fn a_crowd_is_greeted_hears_each_publication_once_and_comes_back() {
        let (server, address) = serve().unwrap();
        let address = address.to_string();
        let handle = server.handle();
        spawn(server);
        let mut crowd = Crowd::gather(vec![endpoint(&address, true)], 20).await.unwrap();
        let texts =
            [&br#"{"event":"sidebar_category_updated","seq":1}"#[..], br#"{"event":"preferences_changed","seq":2}"#];
        let publisher = Publisher::of_texts(&reqwest::Client::new(), &address, &texts.map(<[u8]>::to_vec));
        for round in 0..3 {
            crowd.tally.published.expect(40);
            publisher.publish(round).await.unwrap();
            assert!(crowd.tally.published.is_reached(Duration::from_secs(10)).await);
        }
        assert_eq!((crowd.tally.published.value(), crowd.tally.take_latency().len()), (40, 120));
        crowd.scatter().await;
        crowd.tally.hellos.expect(20);
        crowd.open();
        assert!(crowd.tally.hellos.is_reached(Duration::from_secs(10)).await);
        crowd.tally.check().unwrap();
        handle.stop(false).await;
    }
}
