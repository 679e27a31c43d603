//! The cookies of a browser session.

use std::borrow::Cow;

use actix_web::HttpRequest;
use actix_web::cookie::time::{Duration, OffsetDateTime};
use actix_web::cookie::{Cookie, SameSite};
use actix_web::http::header::COOKIE;
use percent_encoding::percent_decode;
use quarterdeck_actors::session::Session;
use quarterdeck_actors::steps::walked;

use crate::base::site_path::SitePath;
use crate::web::request::Request;

const HOUR_S: i64 = 3600;

/// Returns the value of the cookie `name` of a request, decoded.
///
/// A cookie that is not UTF-8, or has no value, is skipped; the others are read. Other sites of the same domain may set
/// such cookies.
pub(crate) fn of(http: &HttpRequest, name: &str) -> Option<String> {
    let lines = http.headers().get_all(COOKIE);
    lines.flat_map(|line| line.as_bytes().split(|byte| *byte == b';')).find_map(|cookie| {
        walked(cookie.len());
        let cookie = cookie.trim_ascii();
        let value = cookie.strip_prefix(name.as_bytes())?.trim_ascii_start().strip_prefix(b"=")?;
        percent_decode(value.trim_ascii()).decode_utf8().ok().map(Cow::into_owned)
    })
}

/// Returns the cookie that makes a browser delete its token.
pub(crate) fn cleared(site: &SitePath) -> Cookie<'static> {
    Cookie::build("MMAUTHTOKEN", "").path(site.of_cookies().to_owned()).max_age(Duration::ZERO).http_only(true).finish()
}

/// Returns the three cookies of a new session: token, user and CSRF token, in this order.
pub(crate) fn of_session(session: &Session, request: &Request, site: &SitePath) -> [Cookie<'static>; 3] {
    let cookie = |name, value: &str, http_only| cookie(name, value, http_only, request, site);
    let token = cookie("MMAUTHTOKEN", session.token.expose(), true);
    let user = cookie("MMUSERID", &session.user_id, false);
    let csrf = cookie("MMCSRF", session.prop("csrf"), false);
    [token, user, csrf]
}

fn cookie(name: &'static str, value: &str, http_only: bool, request: &Request, site: &SitePath) -> Cookie<'static> {
    let config = request.config();
    let service = &config.view.service;
    let life_s = service.session_length_web_in_hours.saturating_mul(HOUR_S);
    let mut cookie = Cookie::build(name, value.to_owned())
        .path(site.of_cookies().to_owned())
        .max_age(Duration::seconds(life_s))
        .expires(OffsetDateTime::now_utc().saturating_add(Duration::seconds(life_s)))
        .http_only(http_only)
        .finish();
    let is_secure = request.context.is_secure;
    if is_secure {
        cookie.set_secure(true);
    }
    if service.allow_cookies_for_subdomains
        && let Some(host) = host(&service.site_url)
    {
        cookie.set_domain(host);
    }
    let is_embedded = is_secure && request.cookie("MMEMBED").as_deref() == Some("1");
    if is_embedded {
        cookie.set_same_site(SameSite::None);
    }
    cookie
}

fn host(site_url: &str) -> Option<String> {
    let after_scheme = site_url.split_once("://")?.1;
    let host = after_scheme.split(['/', ':']).next()?;
    let is_name = host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-_".contains(&byte));
    (is_name && !host.is_empty()).then(|| host.to_owned())
}

#[cfg(test)]
mod tests {
    use actix_web::http::header::HeaderValue;
    use actix_web::test::TestRequest;

    use super::*;

    #[test]
    fn a_cookie_that_is_not_utf_8_is_skipped_and_the_others_are_read() {
        let found = |lines: &[&[u8]], name: &str| {
            let mut request = TestRequest::default();
            for line in lines {
                request = request.append_header((COOKIE, HeaderValue::from_bytes(line).unwrap()));
            }
            of(&request.to_http_request(), name)
        };
        let text = |value: &str| Some(value.to_owned());
        assert_eq!(found(&[b"x=\xff\xfe; MMAUTHTOKEN=abc"], "MMAUTHTOKEN"), text("abc"));
        assert_eq!(found(&[b"\xe9t\xe9=1;broken; =; MMUSERID = u%20v ;"], "MMUSERID"), text("u v"));
        assert_eq!(found(&[b"x=\xff", b"MMAUTHTOKEN=abc"], "MMAUTHTOKEN"), text("abc"));
        assert_eq!(found(&[b"MMAUTHTOKEN=\xff; MMAUTHTOKEN=b=c"], "MMAUTHTOKEN"), text("b=c"));
        assert_eq!(found(&[b"MMAUTHTOKEN=%ff"], "MMAUTHTOKEN"), None);
        assert_eq!(found(&[b"MMAUTHTOKEN="], "MMAUTHTOKEN"), text(""));
        assert_eq!(found(&[b"MMAUTHTOKENS=a; XMMAUTHTOKEN=b; MMAUTHTOKEN"], "MMAUTHTOKEN"), None);
    }

    #[test]
    fn only_a_name_becomes_the_domain_of_a_cookie() {
        assert_eq!(host("https://chat.example:8065/x").as_deref(), Some("chat.example"));
        for site in
            ["https://chat.example;HttpOnly/x", "https://u@chat.example", "https://", "chat.example", "https://[::1]/"]
        {
            assert_eq!(host(site), None, "{site}");
        }
    }
}
