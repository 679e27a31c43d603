//! The body of a request: its bytes are read within limits of size and time, then parsed as JSON.

use std::rc::Rc;
use std::time::Duration;

use actix_web::dev::Payload;
use actix_web::web::Bytes;
use actix_web::{FromRequest, HttpRequest};
use futures_util::FutureExt;
use futures_util::future::LocalBoxFuture;
use quarterdeck_actors::background;
use quarterdeck_actors::config::repeated::Parsed;
use quarterdeck_actors::error::{AppError, OrFail};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use tokio::sync::Semaphore;

use super::{Context, Refused, context_of, reading};
use crate::base::any_case::{AnyCase, Members};
use crate::base::nul::holds_nul;

/// A larger body, in bytes, is parsed on a background thread. Parsing this many bytes takes a worker less than half a
/// millisecond.
const MAX_INLINE_BYTES: usize = 16 * 1024;

/// The number of larger bodies that are parsed at the same time. It is small because parsed JSON takes many times the
/// memory of its bytes.
const MAX_PARSED_AT_ONCE: usize = 2;

/// The permits to parse a larger body.
static PARSE_PERMITS: Semaphore = Semaphore::const_new(MAX_PARSED_AT_ONCE);

/// The body of a request, read within its limits of size and time. The handler decides if an unreadable body is an
/// error.
pub(crate) struct Body {
    read: Result<Bytes, AppError>,
}

impl Body {
    /// Reads a body of at most `limit` bytes.
    pub(crate) async fn read(payload: Payload, limit: u64, context: Rc<Context>) -> Self {
        let max_duration = Duration::from_secs(context.config.view.service.read_timeout);
        Self { read: reading::read(payload, limit, &context.body, max_duration).await }
    }

    /// Returns a body that has been read, for tests.
    #[cfg(test)]
    pub(crate) fn of(bytes: &[u8]) -> Self {
        Self { read: Ok(Bytes::copy_from_slice(bytes)) }
    }

    /// Returns the bytes of the body unchanged.
    pub(crate) fn bytes(self) -> Result<Bytes, AppError> {
        self.read
    }

    /// Parses the body as an object, whose members may be in any letter case. A refusal calls it `name`.
    pub(crate) async fn object<T: DeserializeOwned + Send + 'static>(self, name: &'static str) -> Result<T, AppError> {
        self.object_for(name, Ok).await
    }

    /// Parses the body as an object, as [`Body::object`] does, and hands it to `then` on the same thread.
    pub(crate) async fn object_for<T: DeserializeOwned, R: Send + 'static>(
        self,
        name: &'static str,
        then: impl FnOnce(T) -> Result<R, AppError> + Send + 'static,
    ) -> Result<R, AppError> {
        worked_out(self.read?, move |bytes| then(json::<AnyCase<T>>(bytes, b'{', name)?.0)).await?
    }

    /// Parses the body as a list. A refusal calls it `name`.
    pub(crate) async fn list<T>(self, name: &'static str) -> Result<Vec<T>, AppError>
    where
        T: DeserializeOwned + Send + 'static,
    {
        let list: Vec<AnyCase<T>> = worked_out(self.read?, move |bytes| json(bytes, b'[', name)).await??;
        Ok(list.into_iter().map(|AnyCase(item)| item).collect())
    }

    /// Parses the body as a list, of a route for which Mattermost does not name the body in the refusal.
    pub(crate) async fn unnamed_list<T>(self) -> Result<Vec<T>, AppError>
    where
        T: DeserializeOwned + Send + 'static,
    {
        self.list("body").await.map_err(|refusal| match refusal.id.as_ref() {
            "api.context.invalid_body_param.app_error" => AppError::new("api.payload.parse.error").because(refusal),
            _ => refusal,
        })
    }

    /// Parses the body as any JSON value; `None` if it is empty, malformed or `null`.
    pub(crate) async fn anything(self) -> Result<Option<Value>, AppError> {
        Ok(self.parsed().await?.map(|parsed| parsed.value))
    }

    /// Parses the body as any JSON value, with the keys that it gives twice; `None` if it is empty, malformed or `null`.
    pub(crate) async fn parsed(self) -> Result<Option<Parsed>, AppError> {
        worked_out(self.read?, anything).await
    }

    /// Parses the body as a structure, without failing. Its members may be in any letter case and are read with
    /// `lenient::or_default`. A malformed or too large body gives the default.
    pub(crate) async fn lenient<T: DeserializeOwned + Default + Send + 'static>(self) -> T {
        let Ok(bytes) = self.read else { return T::default() };
        // The members are read as a map first, because a structure refuses a repeated member.
        let read = |bytes: &[u8]| T::deserialize(Members(members(bytes))).unwrap_or_default();
        worked_out(bytes, read).await.unwrap_or_default()
    }

    /// Parses the body as an object with values of any type, without failing. A malformed or too large body gives an
    /// empty object.
    pub(crate) async fn members(self) -> Map<String, Value> {
        let Ok(bytes) = self.read else { return Map::new() };
        worked_out(bytes, members).await.unwrap_or_default()
    }
}

/// Runs `work` on `bytes`: here if they are few, otherwise on a background thread, so that other requests of this
/// worker do not wait.
async fn worked_out<T: Send + 'static>(
    bytes: Bytes,
    work: impl FnOnce(&[u8]) -> T + Send + 'static,
) -> Result<T, AppError> {
    if bytes.len() <= MAX_INLINE_BYTES {
        return Ok(work(&bytes));
    }
    let turn = PARSE_PERMITS.acquire().await.or_fail("api.marshal_error")?;
    let worked_out = move || {
        // The permit is released when the work ends, even if the client has disconnected and dropped the request.
        let _turn = turn;
        work(&bytes)
    };
    background::compute(worked_out).await.or_fail("api.marshal_error")
}

// The first byte is checked, because serde accepts a list for a struct as well.
fn json<T: DeserializeOwned>(bytes: &[u8], first: u8, name: &'static str) -> Result<T, AppError> {
    let is_fitting = bytes.trim_ascii_start().first() == Some(&first) && !holds_nul(bytes);
    if !is_fitting {
        return Err(AppError::invalid_body(name));
    }
    serde_json::from_slice(bytes).map_err(|cause| AppError::invalid_body(name).because(place_of(&cause)))
}

fn anything(bytes: &[u8]) -> Option<Parsed> {
    serde_json::from_slice(bytes).ok().filter(|parsed: &Parsed| !parsed.value.is_null())
}

fn members(bytes: &[u8]) -> Map<String, Value> {
    Some(bytes)
        .filter(|bytes| !holds_nul(bytes))
        .and_then(|bytes| serde_json::from_slice(bytes).ok())
        .unwrap_or_default()
}

/// Returns the position of a JSON error. The message of serde is not used, because it quotes the value, which may be a
/// password.
fn place_of(cause: &serde_json::Error) -> String {
    let text = cause.to_string();
    // The name is one of the structure's own members, in its own spelling.
    let doubled = text.strip_prefix("duplicate field `").and_then(|rest| rest.split('`').next());
    let problem = match (cause.is_data(), doubled) {
        (true, Some(name)) => format!("the member {name} is given twice"),
        (true, None) => "a member has the wrong type".to_owned(),
        (false, _) => "no JSON".to_owned(),
    };
    format!("{problem} at line {} column {}", cause.line(), cause.column())
}

impl FromRequest for Body {
    type Error = Refused;
    type Future = LocalBoxFuture<'static, Result<Self, Refused>>;

    fn from_request(http: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let context = context_of(http);
        let payload = payload.take();
        async move {
            let context = context?;
            let body = Self::read(payload, context.body.bytes, context.clone()).await;
            match body.read {
                Err(error) if reading::is_final(&error, &context.body) => Err(error.into()),
                read => Ok(Self { read }),
            }
        }
        .boxed_local()
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use proptest::collection::vec;
    use proptest::prelude::*;
    use proptest::sample::select;
    use quarterdeck_actors::steps::assert_linear;

    use super::*;

    /// Parses a body in every way that a handler can.
    fn read_in_all_forms(bytes: &[u8]) {
        let _ = json::<Value>(bytes, b'{', "body");
        let _ = json::<Vec<Value>>(bytes, b'[', "body");
        let _ = anything(bytes);
        drop(members(bytes));
    }

    /// Makes a body of about the given number of bytes.
    type Shape = fn(usize) -> String;

    /// Shapes of bodies that are costly to parse.
    const SHAPES: [(&str, Shape); 12] = [
        ("backslashes", |size| format!("{{{}", "\\".repeat(size))),
        ("backslashes in a text", |size| format!("{{\"a\":\"{}\"}}", "\\\\".repeat(size / 2))),
        ("almost NUL", |size| format!("{{\"a\":\"{}\"}}", "\\u0001".repeat(size / 6))),
        ("escaped almost NUL", |size| format!("{{\"a\":\"{}\"}}", "\\\\u000".repeat(size / 6))),
        ("quotes", |size| format!("{{{}", "\"".repeat(size))),
        ("escaped quotes", |size| format!("{{\"{}", "\\\"".repeat(size / 2))),
        ("open lists", |size| format!("{{\"a\":{}", "[".repeat(size))),
        ("open objects", |size| "{\"a\":".repeat(size / 5)),
        ("many members", |size| format!("{{{}\"z\":0}}", numbered(size / 12))),
        ("equal members", |size| format!("{{{}\"a\":0}}", "\"a\":\"b\",".repeat(size / 8))),
        ("a long list", |size| format!("[{}0]", "0,".repeat(size / 2))),
        ("a long number", |size| format!("{{\"a\":{}}}", "9".repeat(size))),
    ];

    fn numbered(count: usize) -> String {
        (0..count).map(|at| format!("\"{at:07}\":0,")).collect::<Vec<_>>().concat()
    }

    #[test]
    fn a_body_is_read_in_steps_that_grow_as_it_does() {
        for (shape, text) in SHAPES {
            assert_linear(shape, 5_000, |size| read_in_all_forms(text(size).as_bytes()));
        }
    }

    /// The library's steps are not counted, so the test measures its time: nested loops would take a minute.
    #[test]
    fn the_largest_body_of_any_shape_is_read_in_no_time() {
        for (shape, text) in SHAPES {
            let text = text(300_000);
            let begun = Instant::now();
            read_in_all_forms(text.as_bytes());
            assert!(begun.elapsed() < Duration::from_secs(5), "{shape}: {:?}", begun.elapsed());
        }
    }

    #[derive(Debug, Default, PartialEq, serde::Deserialize)]
    struct Lenient {
        #[serde(default, deserialize_with = "crate::base::lenient::or_default")]
        a: String,
        #[serde(default, deserialize_with = "crate::base::lenient::or_default")]
        b: Option<bool>,
    }

    #[actix_rt::test]
    async fn a_lenient_body_has_what_fits_and_the_last_of_equal_members() {
        let read = |text: &'static str| async move {
            let Lenient { a, b } = Body::of(text.as_bytes()).lenient().await;
            (a, b)
        };
        let text = |text: &str| text.to_owned();
        assert_eq!(read(r#"{"a":"x","b":true,"c":[]}"#).await, (text("x"), Some(true)));
        assert_eq!(read(r#"{"a":1,"b":"true"}"#).await, (text(""), None));
        assert_eq!(read(r#"{"a":null,"b":null}"#).await, (text(""), None));
        assert_eq!(read(r#"{"a":"x","a":"y","b":{}}"#).await, (text("y"), None));
        for broken in ["", "[]", "null", r#""a""#, r#"{"a":"x"#, r#"{"a":"x\u0000"}"#] {
            assert_eq!(read(broken).await, (text(""), None), "{broken}");
        }
    }

    #[actix_rt::test]
    async fn a_large_body_is_read_as_a_small_one_is() {
        for count in [1, 100_000] {
            let list = format!("[{}0]", "0,".repeat(count));
            assert_eq!(Body::of(list.as_bytes()).list::<u8>("body").await.unwrap().len(), count + 1);
            assert_eq!(
                Body::of(list.as_bytes()).anything().await.unwrap().unwrap().as_array().unwrap().len(),
                count + 1
            );
            let refusal = Body::of(list.as_bytes()).object::<Value>("body").await.unwrap_err();
            assert_eq!(refusal.id, "api.context.invalid_body_param.app_error");
            let object = format!(r#"{{"a":"{}"}}"#, "b".repeat(count));
            assert_eq!(Body::of(object.as_bytes()).lenient::<Lenient>().await.a.len(), count);
            let hostile = format!(r#"{{"a":"{}\u0000"}}"#, "b".repeat(count));
            assert!(Body::of(hostile.as_bytes()).members().await.is_empty());
        }
    }

    fn holds_nul_character(value: &Value) -> bool {
        match value {
            Value::String(text) => text.contains('\0'),
            Value::Array(items) => items.iter().any(holds_nul_character),
            Value::Object(members) => {
                members.iter().any(|(key, value)| key.contains('\0') || holds_nul_character(value))
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => false,
        }
    }

    /// Texts made of JSON tokens, which the parser reads further than random bytes.
    fn pieces() -> impl Strategy<Value = String> {
        let piece = select(vec![
            "{",
            "}",
            "[",
            "]",
            "\"",
            ":",
            ",",
            "\\",
            "\\u0000",
            "\\u00",
            "u0000",
            "00",
            "\\n",
            "a",
            "\u{e4}",
            "-1",
            "1e9",
            " ",
            "null",
            "true",
            "\"a\":",
            "\"b\"",
            "{\"a\":\"",
            "\"}",
        ]);
        vec(piece, 0..40).prop_map(|pieces| pieces.concat())
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2_000))]
        #[test]
        fn noise_is_read_without_a_panic(bytes in vec(any::<u8>(), 0..200)) {
            read_in_all_forms(&bytes);
        }

        #[test]
        fn nul_is_refused_wherever_a_text_or_a_name_holds_it(text in pieces()) {
            read_in_all_forms(text.as_bytes());
            if let Ok(value) = serde_json::from_str::<Value>(&text) {
                let is_refused = json::<Value>(text.as_bytes(), b'{', "body").is_err()
                    && json::<Value>(text.as_bytes(), b'[', "body").is_err();
                let is_collection = value.is_object() || value.is_array();
                // Of two members with the same name serde keeps the last, but the check for NUL covers both. So a
                // refusal is allowed even if the parsed value holds no NUL.
                prop_assert!(is_refused || !holds_nul_character(&value));
                prop_assert!(!is_refused || !is_collection || text.contains("\\u0000"));
            }
        }
    }
}
