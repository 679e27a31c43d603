//! Requests of clients, decoded from JSON or `MessagePack`, and the encoding of replies.

use std::fmt;

use actix_web::web::Bytes;
use quarterdeck_actors::error::AppError;
use quarterdeck_actors::json::to_json;
use quarterdeck_actors::spelling::is_same;
use quarterdeck_actors::steps::walked;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::base::error_text::{status_of, text_of};

/// The largest nesting depth of a `MessagePack` message.
const MAX_DEPTH: usize = 64;

/// A message in the encoding in which it arrived.
#[derive(PartialEq)]
pub(super) enum Encoded {
    /// A text frame.
    Json(Bytes),
    /// A binary frame.
    MessagePack(Bytes),
}

/// A request of a client.
#[derive(Clone, PartialEq)]
pub(super) struct ClientRequest {
    /// The client's number of the request, which the reply repeats.
    pub(super) seq: i64,
    pub(super) action: String,
    pub(super) data: Map<String, Value>,
}

// A message may hold a session token, so only its length is printed.
impl fmt::Debug for Encoded {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (name, bytes) = match self {
            Self::Json(bytes) => ("Json", bytes),
            Self::MessagePack(bytes) => ("MessagePack", bytes),
        };
        formatter.debug_struct(name).field("bytes", &bytes.len()).finish()
    }
}

impl fmt::Debug for ClientRequest {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = formatter.debug_struct("Asked");
        shown.field("seq", &self.seq).field("action", &self.action).finish_non_exhaustive()
    }
}

impl ClientRequest {
    /// Decodes a message; `None` if it is not a request.
    pub(super) fn read(message: &Encoded) -> Option<Self> {
        let (Encoded::Json(bytes) | Encoded::MessagePack(bytes)) = message;
        walked(bytes.len());
        let value = match message {
            // Bytes after the first JSON value are ignored.
            Encoded::Json(text) => Value::deserialize(&mut serde_json::Deserializer::from_slice(text)).ok()?,
            Encoded::MessagePack(bytes) => {
                to_value(rmpv::decode::read_value_with_max_depth(&mut &bytes[..], MAX_DEPTH).ok()?)?
            }
        };
        let mut members = match value {
            Value::Object(members) => members,
            Value::Null => Map::new(),
            Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => return None,
        };
        let mut member = |name| taken(&mut members, name).filter(|value| !value.is_null());
        Some(Self {
            seq: member("seq").map_or(Some(0), |seq| seq.as_i64())?,
            action: member("action").map_or(Some(String::new()), |action| action.as_str().map(str::to_owned))?,
            data: member("data").map_or(Some(Map::new()), |data| data.as_object().cloned())?,
        })
    }

    /// Returns a text parameter.
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        self.data.get(name).and_then(Value::as_str)
    }

    /// Returns a boolean parameter.
    pub(super) fn truth(&self, name: &str) -> Option<bool> {
        self.data.get(name).and_then(Value::as_bool)
    }
}

/// Takes the member `name` out, which may be in another letter case if it does not stand there exactly so.
fn taken(members: &mut Map<String, Value>, name: &str) -> Option<Value> {
    let other = || members.keys().rev().find(|key| is_same(key, name)).cloned();
    let key = if members.contains_key(name) { name.to_owned() } else { other()? };
    members.remove(&key)
}

/// Converts a value to JSON. Bytes become text, because the reference client sends text as bytes. Returns `None` for
/// values that JSON cannot hold.
fn to_value(value: rmpv::Value) -> Option<Value> {
    walked(1);
    Some(match value {
        rmpv::Value::Nil => Value::Null,
        rmpv::Value::Boolean(truth) => Value::Bool(truth),
        rmpv::Value::Integer(number) => {
            number.as_i64().map(Value::from).or_else(|| number.as_u64().map(Value::from))?
        }
        rmpv::Value::F32(number) => Value::from(number),
        rmpv::Value::F64(number) => Value::from(number),
        rmpv::Value::String(text) => Value::from(text.into_str()?),
        rmpv::Value::Binary(bytes) => Value::from(String::from_utf8(bytes).ok()?),
        rmpv::Value::Array(items) => Value::Array(items.into_iter().map(to_value).collect::<Option<_>>()?),
        rmpv::Value::Map(members) => {
            let member = |(key, value)| Some((to_value(key)?.as_str()?.to_owned(), to_value(value)?));
            Value::Object(members.into_iter().map(member).collect::<Option<_>>()?)
        }
        rmpv::Value::Ext(..) => return None,
    })
}

#[derive(Serialize)]
struct Reply<'a> {
    status: &'static str,
    #[serde(rename = "seq_reply", skip_serializing_if = "is_zero")]
    seq: i64,
    #[serde(skip_serializing_if = "Map::is_empty")]
    data: &'a Map<String, Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<Refusal<'a>>,
}

#[derive(Serialize)]
struct Refusal<'a> {
    id: &'a str,
    message: String,
    detailed_error: &'static str,
    status_code: u16,
}

/// Returns the reply to request number `seq`, with its result.
pub(super) fn granted(seq: i64, data: &Map<String, Value>) -> Vec<u8> {
    written(&Reply { status: "OK", seq, data, error: None })
}

/// Returns the reply that refuses request number `seq`.
pub(super) fn refused(seq: i64, refusal: &AppError) -> Vec<u8> {
    let error =
        Refusal { id: &refusal.id, message: text_of(refusal), detailed_error: "", status_code: status_of(&refusal.id) };
    written(&Reply { status: "FAIL", seq, data: &Map::new(), error: Some(error) })
}

fn written(reply: &Reply<'_>) -> Vec<u8> {
    let mut text = to_json(reply).unwrap_or_default();
    text.push(b'\n');
    text
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes references")]
fn is_zero(number: &i64) -> bool {
    *number == 0
}

#[cfg(test)]
mod tests {
    use quarterdeck_actors::steps::assert_linear;
    use serde_json::json;

    use super::*;

    #[test]
    fn what_a_client_sends_is_not_printed() {
        let text = r#"{"seq":1,"action":"authentication_challenge","data":{"token":"canary"}}"#;
        let demand = Encoded::Json(Bytes::from_static(text.as_bytes()));
        let request = ClientRequest::read(&demand).unwrap();
        assert!(!format!("{demand:?}{request:?}").contains("canary"));
    }

    fn json(text: &'static str) -> Option<ClientRequest> {
        ClientRequest::read(&Encoded::Json(Bytes::from_static(text.as_bytes())))
    }

    fn packed(value: &rmpv::Value) -> Option<ClientRequest> {
        let mut bytes = Vec::new();
        rmpv::encode::write_value(&mut bytes, value).unwrap();
        ClientRequest::read(&Encoded::MessagePack(bytes.into()))
    }

    #[test]
    fn a_request_is_read_from_the_first_value_and_what_is_absent_is_empty() {
        let request = json(r#"{"seq":3,"action":"ping","data":null,"more":1} trailing"#).unwrap();
        assert_eq!(request, ClientRequest { seq: 3, action: "ping".to_owned(), data: Map::new() });
        assert_eq!(json("null").unwrap().action, "");
        assert_eq!(json("{}").unwrap().seq, 0);
    }

    #[test]
    fn the_members_of_a_request_may_be_in_any_letter_case_and_the_exact_ones_come_first() {
        let request = json(r#"{"Seq":3,"ACTION":"ping","Data":{"Token":"x"}}"#).unwrap();
        assert_eq!((request.seq, request.action.as_str(), request.text("Token")), (3, "ping", Some("x")));
        assert_eq!(request.text("token"), None, "the parameters of an action are a free map");
        let request = json(r#"{"ACTION":"one","action":"two","Action":"three"}"#).unwrap();
        assert_eq!(request.action, "two");
        assert_eq!(json(r#"{"Seq":"1"}"#), None);
    }

    #[test]
    fn what_is_no_request_is_none() {
        for text in ["", "{", "[]", "1", r#"{"seq":1.5}"#, r#"{"seq":"1"}"#, r#"{"action":1}"#, r#"{"data":[]}"#] {
            assert_eq!(json(text), None, "{text}");
        }
    }

    #[test]
    fn a_packed_request_means_the_same_with_text_or_bytes() {
        let text = |text: &str| rmpv::Value::from(text);
        let bytes = |text: &str| rmpv::Value::from(text.as_bytes());
        for form in [text, bytes] as [fn(&str) -> rmpv::Value; 2] {
            let data = rmpv::Value::Map(vec![(form("user_ids"), rmpv::Value::Array(vec![form("anna")]))]);
            let members = vec![
                (form("seq"), rmpv::Value::from(7)),
                (form("action"), form("get_statuses_by_ids")),
                (form("data"), data),
            ];
            let request = packed(&rmpv::Value::Map(members)).unwrap();
            assert_eq!((request.seq, request.action.as_str()), (7, "get_statuses_by_ids"));
            assert_eq!(Value::Object(request.data), json!({ "user_ids": ["anna"] }));
        }
    }

    #[test]
    fn a_hostile_packed_message_is_none_and_costs_nothing() {
        let nested: Vec<u8> = std::iter::repeat_n(0x91, 8_000).collect();
        // An array whose header claims four billion members.
        let huge = vec![0xdd, 0xff, 0xff, 0xff, 0xff];
        for bytes in [nested, huge, vec![]] {
            assert_eq!(ClientRequest::read(&Encoded::MessagePack(bytes.into())), None);
        }
    }

    /// Makes a message of about the given number of members.
    type Shape = fn(usize) -> Encoded;

    #[test]
    fn a_message_is_read_in_steps_that_grow_as_it_does() {
        let shapes: [(&str, Shape); 7] = [
            ("packed lists in lists", |size| Encoded::MessagePack(vec![0x91; size].into())),
            ("a packed list", |size| {
                Encoded::MessagePack([&[0xdd, 0, 0, 0x40, 0][..], &vec![1; size]].concat().into())
            }),
            ("packed maps in maps", |size| Encoded::MessagePack([0x81, 0xa1, b'a'].repeat(size).into())),
            ("packed empty maps", |size| {
                Encoded::MessagePack([&[0xdd, 0, 0, 0x40, 0][..], &vec![0x80; size]].concat().into())
            }),
            ("lists in lists", |size| Encoded::Json("[".repeat(size).into())),
            ("backslashes", |size| Encoded::Json(format!("{{\"{}", "\\".repeat(size)).into())),
            ("equal members", |size| Encoded::Json(format!("{{{}\"a\":0}}", "\"a\":0,".repeat(size)).into())),
        ];
        for (shape, message) in shapes {
            assert_linear(shape, 1_000, |size| drop(ClientRequest::read(&message(size))));
        }
    }

    #[test]
    fn replies_have_the_members_of_the_wire_in_its_order() {
        let data = json!({ "b": 1, "a": "<" });
        let reply = granted(2, data.as_object().unwrap());
        assert_eq!(
            String::from_utf8(reply).unwrap(),
            "{\"status\":\"OK\",\"seq_reply\":2,\"data\":{\"a\":\"\\u003c\",\"b\":1}}\n"
        );
        assert_eq!(granted(0, &Map::new()), b"{\"status\":\"OK\"}\n");
        let refusal = AppError::new("api.web_socket_router.bad_action.app_error");
        let text = String::from_utf8(refused(-4, &refusal)).unwrap();
        assert!(text.starts_with(r#"{"status":"FAIL","seq_reply":-4,"error":{"id":"api.web_socket_router.bad_action.app_error","message":""#), "{text}");
        assert!(text.ends_with("\",\"detailed_error\":\"\",\"status_code\":500}}\n"), "{text}");
    }
}
