//! An event as bytes, made once and shared by everybody who receives it.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde::Serialize;
use serde_json::Value;

use super::event::{Audience, Event};
use crate::json::to_json;

/// What a frame costs beside its bytes.
const OVERHEAD: usize = 64;

/// How many bytes of events all connections together hold.
#[derive(Debug, Default)]
pub struct Held(AtomicUsize);

impl Held {
    /// Bytes held now.
    pub fn bytes(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

/// An event as bytes, but for the number that each connection gives it.
#[derive(Debug)]
pub struct Frame {
    text: Box<[u8]>,
    tail: &'static str,
    /// Whether a slow connection can do without it.
    pub(super) is_passing: bool,
    held: Arc<Held>,
}

impl Frame {
    /// The event, in the form that everybody gets: a space after each colon and comma of the outermost object.
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

    /// The event in the form that one connection gets: compact, with a line feed at its end.
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
        held.0.fetch_add(text.len() + OVERHEAD, Ordering::Relaxed);
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
        self.held.0.fetch_sub(self.text.len() + OVERHEAD, Ordering::Relaxed);
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
