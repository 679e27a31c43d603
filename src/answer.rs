//! What a handler gives back, before the pipeline dresses it.

use std::io;

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::http::header::{CONTENT_TYPE, HeaderValue};
use quarterdeck_actors::error::{AppError, OrFail};
use serde::Serialize;
use serde_json::ser::{CompactFormatter, Formatter};

/// What most handlers give: a value as JSON, or a refusal.
pub(crate) type Answer<T> = Result<Json<T>, AppError>;

/// Exactly this: clients compare the whole value, and a charset makes them treat the body as text.
pub(crate) const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// 200 with a value.
pub(crate) struct Json<T>(pub(crate) T);

/// 201 with a value.
pub(crate) struct Created<T>(pub(crate) T);

/// 200 with `{"status":"OK"}`.
pub(crate) struct Done;

/// What can become a response.
pub(crate) trait Reply {
    fn reply(self) -> Result<HttpResponse, AppError>;
}

impl<T: Serialize> Reply for Json<T> {
    fn reply(self) -> Result<HttpResponse, AppError> {
        json_response(StatusCode::OK, &self.0)
    }
}

impl<T: Serialize> Reply for Created<T> {
    fn reply(self) -> Result<HttpResponse, AppError> {
        json_response(StatusCode::CREATED, &self.0)
    }
}

impl Reply for Done {
    fn reply(self) -> Result<HttpResponse, AppError> {
        Ok(HttpResponse::Ok().insert_header((CONTENT_TYPE, JSON)).body(r#"{"status":"OK"}"#))
    }
}

impl Reply for HttpResponse {
    fn reply(self) -> Result<HttpResponse, AppError> {
        Ok(self)
    }
}

impl<R: Reply> Reply for Result<R, AppError> {
    fn reply(self) -> Result<HttpResponse, AppError> {
        self.and_then(Reply::reply)
    }
}

/// 200 with a body that is JSON already.
pub(crate) fn json_body(body: Vec<u8>) -> HttpResponse {
    HttpResponse::Ok().insert_header((CONTENT_TYPE, JSON)).body(body)
}

fn json_response(status: StatusCode, value: &impl Serialize) -> Result<HttpResponse, AppError> {
    let body = to_json(value).or_fail("api.marshal_error")?;
    Ok(HttpResponse::build(status).insert_header((CONTENT_TYPE, JSON)).body(body))
}

/// JSON as the API writes it: `<`, `>` and `&` are escaped, so that no browser takes a body for markup.
pub(crate) fn to_json(value: &impl Serialize) -> serde_json::Result<Vec<u8>> {
    let mut body = Vec::with_capacity(256);
    value.serialize(&mut serde_json::Serializer::with_formatter(&mut body, MarkupSafe))?;
    Ok(body)
}

struct MarkupSafe;

impl Formatter for MarkupSafe {
    fn write_string_fragment<W: io::Write + ?Sized>(&mut self, writer: &mut W, fragment: &str) -> io::Result<()> {
        let mut rest = fragment;
        while let Some(at) = rest.find(['<', '>', '&', '\u{2028}', '\u{2029}']) {
            let (safe, from_mark) = rest.split_at(at);
            CompactFormatter.write_string_fragment(writer, safe)?;
            let mut characters = from_mark.chars();
            let mark = characters.next().map_or(0, u32::from);
            write!(writer, "\\u{mark:04x}")?;
            rest = characters.as_str();
        }
        CompactFormatter.write_string_fragment(writer, rest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markup_in_strings_is_escaped_and_reads_back_as_it_was() {
        let text = "a<b>&\u{2028}ü\"";
        let body = String::from_utf8(to_json(&text).unwrap()).unwrap();
        assert_eq!(body, r#""a\u003cb\u003e\u0026\u2028ü\"""#);
        assert_eq!(serde_json::from_str::<String>(&body).unwrap(), text);
    }
}
