//! A client with a WebSocket that connects again whenever it has to, and resumes its connection.

use std::rc::Rc;
use std::time::Duration;

use serde_json::Value;
use tokio::time::{Instant, sleep, timeout};

use super::record::{Connection, Phases, Record, Span};
use crate::support::websocket::{Frame, PONG, WebSocket, frame, upgrade};

/// The time without a ping of the server after which the client connects again.
const SILENCE: Duration = Duration::from_secs(4);

/// The time between two attempts to connect.
const RETRY: Duration = Duration::from_millis(100);

pub(super) struct Subscriber {
    number: usize,
    pub(super) base: String,
    pub(super) token: String,
    pub(super) record: Rc<Record>,
    pub(super) phases: Rc<Phases>,
    connection: String,
    next: i64,
    span: Option<Span>,
}

impl Subscriber {
    pub(super) fn new(number: usize, base: &str, token: &str, record: &Rc<Record>, phases: &Rc<Phases>) -> Self {
        Self {
            number,
            base: base.to_owned(),
            token: token.to_owned(),
            record: record.clone(),
            phases: phases.clone(),
            connection: String::new(),
            next: 0,
            span: None,
        }
    }

    /// Follows events until the run is over.
    pub(super) async fn follow(mut self) {
        let mut is_open = false;
        while !self.phases.is_over.get() {
            let query = match self.connection.as_str() {
                "" => String::new(),
                id => format!("?connection_id={id}&sequence_number={}", self.next),
            };
            let round = self.phases.round.get();
            let head = upgrade(&query, &format!("Authorization: Bearer {}\r\n", self.token));
            if let Ok(Some(socket)) = timeout(SILENCE, WebSocket::attempt(&self.base, &head)).await {
                is_open = self.read(socket, round).await;
            } else {
                sleep(RETRY).await;
            }
        }
        self.close_span(is_open);
    }

    /// Reads events until the connection ends, or the client has to connect again. Returns true if it was open when the run
    /// ended.
    async fn read(&mut self, mut socket: WebSocket, round: u32) -> bool {
        let mut is_new = true;
        while !self.phases.is_over.get() {
            if self.phases.round.get() != round {
                socket.cut();
                return false;
            }
            match timeout(SILENCE, socket.next()).await {
                Ok(Frame::Text(text)) => {
                    let is_resumed = !self.take(&text);
                    if std::mem::take(&mut is_new) {
                        let connection = Connection { id: self.connection.clone(), round, is_resumed };
                        self.record.note_connection(self.number, connection);
                    }
                }
                Ok(Frame::Ping) => {
                    if !socket.try_send_raw(&frame(true, PONG, b"")).await {
                        return false;
                    }
                }
                Ok(Frame::Pong(_)) => {}
                Ok(Frame::Close(..) | Frame::End) | Err(_) => return false,
            }
        }
        true
    }

    /// Takes an event. Returns true if it is a greeting.
    fn take(&mut self, text: &str) -> bool {
        let event: Value = serde_json::from_str(text).unwrap();
        let number = event["seq"].as_i64().unwrap();
        let is_greeting = event["event"] == "hello";
        if is_greeting {
            self.close_span(false);
            event["data"]["connection_id"].as_str().unwrap().clone_into(&mut self.connection);
            self.span = Some(Span { greeted: Instant::now(), values: Vec::new(), is_last: false });
        } else {
            if number != self.next {
                self.record.violation(format!("event {number} came in place of event {} ({text:.200})", self.next));
            }
            if let (Some(value), Some(span)) = (written(&event), &mut self.span) {
                span.values.push(value);
            }
        }
        self.next = number + 1;
        is_greeting
    }

    fn close_span(&mut self, is_last: bool) {
        let span = self.span.take().map(|span| Span { is_last, ..span });
        self.record.spans.borrow_mut().extend(span);
    }
}

/// Returns the value of the write that an event is about; `None` for another event.
pub(super) fn written(event: &Value) -> Option<String> {
    if event["event"] != "preferences_changed" {
        return None;
    }
    let preferences: Value = serde_json::from_str(event["data"]["preferences"].as_str()?).ok()?;
    preferences[0]["value"].as_str().map(str::to_owned)
}
