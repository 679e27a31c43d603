//! Where an answer leads, and what goes there.

use super::failure::CallFailure;
use super::{Call, address};
use actix_web::web::Bytes;
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, COOKIE, LOCATION, PROXY_AUTHORIZATION};
use reqwest::{Method, Response, StatusCode, Url};

/// What says who is asking; it is for the host to which it was sent first.
const CREDENTIALS: [reqwest::header::HeaderName; 3] = [AUTHORIZATION, COOKIE, PROXY_AUTHORIZATION];

/// The address to which an answer redirects, if it does.
pub(super) fn next_of(url: &Url, answer: &Response) -> Result<Option<Url>, CallFailure> {
    let is_redirect = matches!(answer.status().as_u16(), 301 | 302 | 303 | 307 | 308);
    let location = answer.headers().get(LOCATION).filter(|_| is_redirect);
    let Some(location) = location else { return Ok(None) };
    let location = location.to_str().map_err(|cause| CallFailure::Address(cause.to_string()))?;
    address::join(url, location).map(Some)
}

/// Makes of `call` what follows the redirect: a question without a body, unless the status says to send it all again.
pub(super) fn change(call: &mut Call<'_>, status: StatusCode, from: &Url, to: &Url) {
    let repeats = matches!(status.as_u16(), 307 | 308);
    if !repeats && call.method != Method::HEAD {
        call.method = Method::GET;
        call.body = Bytes::new();
        call.headers.remove(CONTENT_TYPE);
    }
    if from.origin() != to.origin() {
        for name in CREDENTIALS {
            call.headers.remove(name);
        }
    }
}
