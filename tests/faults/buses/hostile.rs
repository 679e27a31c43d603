//! A program at the address of Redis that answers nothing, without end, or in another form: the bus goes on without it after
//! a time and a number of bytes that have bounds.

use std::rc::Rc;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::*;
use crate::support::waiting::within;

/// The beginning of each answer, the bytes that follow it without end, and a part of the reason that the bus gives.
const ANSWERS: [(&str, &str, &str); 7] = [
    ("", "", "no answer within"),
    ("+", "x", "an answer is too long"),
    ("$9223372036854775807\r\n", "x", "an answer is too long"),
    ("*60\r\n", "$10000\r\n", "an answer"),
    ("*9223372036854775807\r\n", ":1\r\n", "an answer is too long"),
    ("*2\r\n$1\r\nx\r\n-ERR in the middle\r\n", "", "an answer cannot be read"),
    ("HTTP/1.1 400 Bad Request\r\n\r\n", "", "an answer cannot be read"),
];

/// More than the buffers of a connection.
const MAX_SENT_BYTES: usize = 32 << 20;

/// A program that answers each connection alike.
struct Program {
    address: String,
    sent_bytes: Rc<Cell<usize>>,
    open: Rc<Cell<usize>>,
}

impl Program {
    async fn start(begin: &'static str, rest: &'static str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let program = Self { address, sent_bytes: Rc::default(), open: Rc::default() };
        let (sent_bytes, open) = (program.sent_bytes.clone(), program.open.clone());
        actix_web::rt::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (sent_bytes, open) = (sent_bytes.clone(), open.clone());
                actix_web::rt::spawn(async move {
                    open.set(open.get() + 1);
                    answer(stream, begin, rest, &sent_bytes).await;
                    open.set(open.get() - 1);
                });
            }
        });
        program
    }
}

/// Answers until the connection ends.
async fn answer(mut stream: TcpStream, begin: &str, rest: &str, sent_bytes: &Cell<usize>) {
    let _ = stream.read(&mut [0; 1024]).await;
    let rest = rest.repeat(8192);
    let mut next = begin;
    while stream.write_all(next.as_bytes()).await.is_ok() && !rest.is_empty() {
        sent_bytes.set(sent_bytes.get() + next.len());
        next = &rest;
    }
    let _ = stream.read_to_end(&mut Vec::new()).await;
}

#[actix_web::test]
async fn a_program_that_is_no_redis_costs_some_time_and_some_bytes() {
    let Some(site) = Site::start_on(false).await else { return };
    for (begin, rest, reason) in ANSWERS {
        let program = Program::start(begin, rest).await;
        let mut view = site.view.clone();
        view.cache.redis_address.clone_from(&program.address);
        let installation = Secret::new("a secret of all servers".to_owned());
        let bus = within("a start ends", RedisBus::new(site.db.clone(), &view, &installation)).await.unwrap();
        let problem = bus.redis().unwrap().problem.unwrap_or_default();
        assert!(problem.contains(reason), "{begin:?}: {problem}");
        join(&*bus, "one").await;
        join(&*bus, "two").await;
        site.publish(&*bus, "one", &["x"]).await;
        assert_eq!(site.last_kind().await, "event", "{begin:?}");
        until("its connections are closed", async || program.open.get() == 0).await;
        assert!(program.sent_bytes.get() < MAX_SENT_BYTES, "{begin:?}: {}", program.sent_bytes.get());
    }
}
