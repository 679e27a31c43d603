//! Follows redirects: the next URL, and the request that is sent there.

use super::failure::CallFailure;
use super::{Call, address};
use actix_web::web::Bytes;
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, COOKIE, LOCATION, PROXY_AUTHORIZATION};
use reqwest::{Method, Response, StatusCode, Url};

/// The headers with credentials; they are sent to the original origin only.
const CREDENTIALS: [reqwest::header::HeaderName; 3] = [AUTHORIZATION, COOKIE, PROXY_AUTHORIZATION];

/// Returns the URL to which a response redirects, if it is a redirect.
pub(super) fn next_of(url: &Url, answer: &Response) -> Result<Option<Url>, CallFailure> {
    let is_redirect = matches!(answer.status().as_u16(), 301 | 302 | 303 | 307 | 308);
    let location = answer.headers().get(LOCATION).filter(|_| is_redirect);
    let Some(location) = location else { return Ok(None) };
    let location = location.to_str().map_err(|cause| CallFailure::Address(cause.to_string()))?;
    address::join(url, location).map(Some)
}

/// Changes `call` for the redirect: a `GET` without a body, unless the status asks to repeat the request as it is.
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
