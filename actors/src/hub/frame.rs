//! An event as bytes, which are made once and shared by all receivers.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde::Serialize;
use serde_json::Value;

use super::event::{Audience, Event};
use crate::json::to_json;

/// The estimated memory of a frame beside its text, in bytes.
const OVERHEAD_BYTES: usize = 64;

/// The number of bytes of events that all connections together hold.
#[derive(Debug, Default)]
pub struct Held(AtomicUsize);

impl Held {
    /// Returns the current number of bytes.
    pub fn bytes(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

/// An event as bytes, without the number that each connection adds.
#[derive(Debug)]
pub struct Frame {
    text: Box<[u8]>,
    tail: &'static str,
    /// True if the event is not sent to slow connections.
    pub(super) is_passing: bool,
    held: Arc<Held>,
}

impl Frame {
    /// Writes the event in the form for many connections: with a space after each colon and comma of the outermost
    /// object.
    pub(super) fn of(event: &Event, held: &Arc<Held>) -> serde_json::Result<Arc<Self>> {
        let mut text = b"{\"event\": ".to_vec();
        text.extend(to_json(&event.name)?);
        text.extend_from_slice(b", \"data\": ");
        text.extend(to_json(&event.data)?);
        text.extend_from_slice(b", \"broadcast\": ");
        text.extend(to_json(&event.audience)?);
        text.extend_from_slice(b", \"seq\": ");
        Ok(Self::new(text, "}", event.is_passing(), held))
    }

    /// Writes the event in the form for one connection: compact, with a line feed at the end.
    pub(super) fn private(event: &Event, held: &Arc<Held>) -> serde_json::Result<Arc<Self>> {
        #[derive(Serialize)]
        struct Compact<'a> {
            event: &'a str,
            data: &'a Value,
            broadcast: &'a Audience,
        }
        let mut text = to_json(&Compact { event: &event.name, data: &event.data, broadcast: &event.audience })?;
        text.pop();
        text.extend_from_slice(b",\"seq\":");
        Ok(Self::new(text, "}\n", event.is_passing(), held))
    }

    fn new(text: Vec<u8>, tail: &'static str, is_passing: bool, held: &Arc<Held>) -> Arc<Self> {
        let text = text.into_boxed_slice();
        held.0.fetch_add(text.len() + OVERHEAD_BYTES, Ordering::Relaxed);
        Arc::new(Self { text, tail, is_passing, held: held.clone() })
    }

    /// Writes the event as number `seq`.
    pub fn write(&self, seq: i64, out: &mut Vec<u8>) {
        let number = seq.to_string();
        out.reserve(self.text.len() + number.len() + self.tail.len());
        out.extend_from_slice(&self.text);
        out.extend_from_slice(number.as_bytes());
        out.extend_from_slice(self.tail.as_bytes());
    }
}

impl Drop for Frame {
    fn drop(&mut self) {
        self.held.0.fetch_sub(self.text.len() + OVERHEAD_BYTES, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn written(frame: &Frame, seq: i64) -> String {
        let mut out = Vec::new();
        frame.write(seq, &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn an_event_is_written_as_the_wire_has_it() {
        let held = Arc::new(Held::default());
        let event =
            Event::new("typing", json!({ "user_id": "a&b", "parent_id": "" })).for_channel("c").without_user("anna");
        let shared = Frame::of(&event, &held).unwrap();
        let broadcast = r#"{"omit_users":{"anna":true},"user_id":"","channel_id":"c","team_id":"","connection_id":"","omit_connection_id":""}"#;
        let data = r#"{"parent_id":"","user_id":"a\u0026b"}"#;
        assert_eq!(
            written(&shared, 17),
            format!(r#"{{"event": "typing", "data": {data}, "broadcast": {broadcast}, "seq": 17}}"#)
        );
        let private = Frame::private(&event, &held).unwrap();
        assert_eq!(
            written(&private, 0),
            format!("{{\"event\":\"typing\",\"data\":{data},\"broadcast\":{broadcast},\"seq\":0}}\n")
        );
    }

    #[test]
    fn what_is_held_is_known_and_given_back() {
        let held = Arc::new(Held::default());
        let frame = Frame::of(&Event::new("hello", json!({})).sensitive(), &held).unwrap();
        let shared = frame.clone();
        assert!(held.bytes() > 100);
        drop(frame);
        assert!(held.bytes() > 100);
        drop(shared);
        assert_eq!(held.bytes(), 0);
    }
}
