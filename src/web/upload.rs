//! Files that browsers and command lines upload in a multipart form.

use std::convert::Infallible;

use actix_web::dev::Payload;
use actix_web::http::header::CONTENT_TYPE;
use actix_web::web::Bytes;
use actix_web::{FromRequest, HttpRequest};
use futures_util::FutureExt;
use futures_util::future::{LocalBoxFuture, ready};
use futures_util::stream;
use multer::Multipart;
use quarterdeck_actors::error::{AppError, OrFail};

use crate::web::request::{Body, Context, Refused, context_of, header_of};

/// The largest size of a whole form, in bytes, unless its route names another one. The form is held in memory.
const MAX_FORM_BYTES: u64 = 1 << 20;

/// A form. Its body is read only after the handler has checked that the caller may send it.
pub(crate) struct Upload<const MAX_BYTES: u64 = MAX_FORM_BYTES> {
    body: LocalBoxFuture<'static, Body>,
    content_type: String,
}

/// A file of a form.
pub(crate) struct Part {
    /// The file name that the client gives.
    pub(crate) name: String,
    pub(crate) bytes: Bytes,
}

impl<const MAX_BYTES: u64> Upload<MAX_BYTES> {
    /// Returns the first file in the field `name`; `None` if there is none. `unreadable` is the error for a malformed form.
    pub(crate) async fn file(self, name: &str, unreadable: &'static str) -> Result<Option<Part>, AppError> {
        let bytes = self.body.await.bytes()?;
        let boundary = multer::parse_boundary(&self.content_type).or_fail(unreadable)?;
        let whole = stream::once(ready(Ok::<Bytes, Infallible>(bytes)));
        let mut form = Multipart::new(whole, boundary);
        let mut found = None;
        // The form is read to its end, so that a truncated form is refused even if the file came before.
        while let Some(field) = form.next_field().await.or_fail(unreadable)? {
            let file = field.file_name().map(str::to_owned);
            let is_wanted = field.name() == Some(name) && found.is_none();
            let bytes = field.bytes().await.or_fail(unreadable)?;
            if let (Some(file), true) = (file, is_wanted) {
                found = Some(Part { name: file, bytes });
            }
        }
        Ok(found)
    }
}

impl<const MAX_BYTES: u64> FromRequest for Upload<MAX_BYTES> {
    type Error = Refused;
    type Future = std::future::Ready<Result<Self, Refused>>;

    fn from_request(http: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let limit = |context: &Context| context.body.bytes.min(MAX_BYTES);
        let upload = context_of(http).map(|context| Self {
            body: Body::read(payload.take(), limit(&context), context).boxed_local(),
            content_type: header_of(http, CONTENT_TYPE.as_str()).unwrap_or_default().to_owned(),
        });
        std::future::ready(upload)
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::*;

    const UNREADABLE: &str = "api.license.add_license.open.app_error";

    async fn file(form: String) -> Result<Option<Part>, AppError> {
        let body = ready(Body::of(form.as_bytes())).boxed_local();
        Upload::<MAX_FORM_BYTES> { body, content_type: "multipart/form-data; boundary=X".to_owned() }
            .file("license", UNREADABLE)
            .await
    }

    fn part(name: &str, content: &str) -> String {
        format!("--X\r\nContent-Disposition: form-data; name=\"{name}\"; filename=\"f\"\r\n\r\n{content}\r\n")
    }

    /// The library's steps are not counted, so the test measures its time: nested loops over a megabyte would take
    /// minutes.
    #[actix_web::test]
    async fn a_form_made_to_cost_work_is_read_in_no_time() {
        let size = 1 << 20;
        let shapes = [
            ("many parts", part("a", "").repeat(size / 80) + &part("license", "text") + "--X--\r\n"),
            ("almost ends", part("license", &"\r\n--".repeat(size / 4)) + "--X--\r\n"),
            ("line feeds", part("license", &"\r\n".repeat(size / 2)) + "--X--\r\n"),
            ("hyphens", part("license", &"-".repeat(size)) + "--X--\r\n"),
            ("a head without end", format!("--X\r\nContent-Disposition: {}", "a".repeat(size))),
            ("no part", "--X".repeat(size / 3)),
        ];
        for (shape, form) in shapes {
            let begun = Instant::now();
            let found = file(form).await;
            assert!(begun.elapsed() < Duration::from_secs(5), "{shape}: {:?}", begun.elapsed());
            assert_eq!(matches!(found, Ok(Some(_))), !["a head without end", "no part"].contains(&shape), "{shape}");
        }
    }
}
