//! A program at the address of Redis that does not answer, answers without end, or answers in another form: the bus goes on
//! without it, after a time and a number of bytes that have bounds.

use std::rc::Rc;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
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

/// A program that answers like a Redis without entries, apart from one command.
struct Program {
    address: String,
    counts: Rc<Counts>,
}

#[derive(Default)]
struct Counts {
    sent_bytes: Cell<usize>,
    open: Cell<usize>,
    /// The number of answers that no Redis gives.
    hostile: Cell<usize>,
}

/// The command that is answered as no Redis does, the beginning of the answer, and the bytes that follow without end.
#[derive(Clone, Copy)]
struct Hostile {
    command: &'static str,
    begin: &'static str,
    rest: &'static str,
}

impl Program {
    async fn start(hostile: Hostile) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let program = Self { address, counts: Rc::default() };
        let counts = program.counts.clone();
        actix_web::rt::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let counts = counts.clone();
                actix_web::rt::spawn(async move {
                    counts.open.set(counts.open.get() + 1);
                    serve(BufReader::new(stream), hostile, &counts).await;
                    counts.open.set(counts.open.get() - 1);
                });
            }
        });
        program
    }

    /// Returns a bus at this address, after its start.
    async fn bus(&self, site: &Site) -> Arc<dyn Bus> {
        let mut view = site.view.clone();
        view.cache.redis_address.clone_from(&self.address);
        let installation = Secret::new("a secret of all servers".to_owned());
        let bus = within("a start ends", RedisBus::new(site.db.clone(), &view, &installation)).await.unwrap();
        join(&*bus, "one").await;
        join(&*bus, "two").await;
        bus
    }

    /// Checks that the bus has closed its connections and has read little.
    async fn check_bounds(&self, hostile: Hostile) {
        until("its connections are closed", async || self.counts.open.get() == 0).await;
        let Counts { sent_bytes, hostile: answers, .. } = &*self.counts;
        assert!(sent_bytes.get() < MAX_SENT_BYTES * answers.get(), "{:?}: {}", hostile.begin, sent_bytes.get());
    }
}

/// Answers until the connection ends.
async fn serve(mut stream: BufReader<TcpStream>, hostile: Hostile, counts: &Counts) {
    while let Some(command) = next_command(&mut stream).await {
        if command == hostile.command {
            counts.hostile.set(counts.hostile.get() + 1);
            answer(&mut stream, hostile, counts).await;
        } else if command != "XREAD" && stream.write_all(honest(&command).as_bytes()).await.is_err() {
            break;
        }
    }
}

/// Returns the name of the next command; `None` at the end of the connection.
async fn next_command(stream: &mut BufReader<TcpStream>) -> Option<String> {
    let words = number(stream, '*').await?;
    let mut name = None;
    for _ in 0..words {
        let mut word = vec![0; number(stream, '$').await? + 2];
        stream.read_exact(&mut word).await.ok()?;
        name.get_or_insert(word);
    }
    String::from_utf8(name?).ok().map(|name| name.trim_end().to_owned())
}

/// Reads a line with a number after a character.
async fn number(stream: &mut BufReader<TcpStream>, kind: char) -> Option<usize> {
    let mut line = String::new();
    stream.read_line(&mut line).await.ok()?;
    line.strip_prefix(kind)?.trim_end().parse().ok()
}

/// Returns the answer of a Redis without entries, which does not tell its time. Redis answers `XREAD` once there is an entry.
fn honest(command: &str) -> String {
    const INFO: &str = "redis_version:7.0.15\r\nrun_id:ab12\r\n";
    match command {
        "INFO" => format!("${}\r\n{INFO}\r\n", INFO.len()),
        "XADD" => "$3\r\n5-0\r\n".to_owned(),
        "XRANGE" | "XREVRANGE" => "*0\r\n".to_owned(),
        _ => ":1\r\n".to_owned(),
    }
}

/// Answers as no Redis does, until the connection ends.
async fn answer(stream: &mut BufReader<TcpStream>, Hostile { begin, rest, .. }: Hostile, counts: &Counts) {
    let rest = rest.repeat(8192);
    let mut next = begin;
    while stream.write_all(next.as_bytes()).await.is_ok() && !rest.is_empty() {
        counts.sent_bytes.set(counts.sent_bytes.get() + next.len());
        next = &rest;
    }
    let _ = stream.read_to_end(&mut Vec::new()).await;
}

/// Returns true if the bus tells this reason why it does not use Redis, or that an answer or an entry did not come in time.
fn tells(bus: &dyn Bus, reason: &str) -> bool {
    let problem = bus.redis().unwrap().problem.unwrap_or_default();
    [reason, " within "].iter().any(|part| problem.contains(part))
}

#[actix_web::test]
async fn a_login_that_is_answered_in_another_form_costs_some_time_and_some_bytes() {
    let Some(site) = Site::start_on(false).await else { return };
    for (begin, rest, reason) in ANSWERS {
        let hostile = Hostile { command: "INFO", begin, rest };
        let program = Program::start(hostile).await;
        let bus = program.bus(&site).await;
        assert!(tells(&*bus, reason), "{begin:?}: {:?}", bus.redis());
        site.publish(&*bus, "one", &["x"]).await;
        assert_eq!(site.last_kind().await, "event", "{begin:?}");
        program.check_bounds(hostile).await;
    }
}

#[actix_web::test]
async fn a_command_that_is_answered_in_another_form_costs_some_time_and_some_bytes() {
    let Some(site) = Site::start_on(false).await else { return };
    for command in ["XADD", "XREAD", "XRANGE"] {
        for (begin, rest, reason) in ANSWERS {
            let hostile = Hostile { command, begin, rest };
            let program = Program::start(hostile).await;
            let bus = program.bus(&site).await;
            let start = position(&*bus).await;
            site.execute(
                "INSERT INTO qd_events (position, at, node, kind, body) \
                 SELECT COALESCE(MAX(position), 0) + 2, qd_now(), '', 'redis', 'x 1 10 ab 1-0' FROM qd_events",
            )
            .await;
            // An entry that is too long is a lost one, and the stream begins anew. Redis is used all the same.
            let is_lost = command != "XADD" && "an answer is too long".starts_with(reason);
            let is_met = async || {
                beat(&*bus).await;
                let read = within("a read ends", bus.read(start)).await.unwrap_or_default();
                assert!(read.iter().all(|placed| placed.place.position <= start), "{command} {begin:?}: {read:?}");
                within("a batch is published", site.publish(&*bus, "one", &["x"])).await;
                assert_eq!(site.last_kind().await, "event", "{command} {begin:?}");
                program.counts.hostile.get() > 0 && (is_lost || tells(&*bus, reason))
            };
            until(&format!("{command} is answered with {begin:?}"), is_met).await;
            drop(bus);
            program.check_bounds(hostile).await;
        }
    }
}
