//! Finds the token of a request. The cookie comes first, then the `Authorization` header, then the query.

use actix_web::HttpRequest;

use crate::web::cookies;
use crate::web::request::{header_of, query_of};

/// The cookie that holds a session's token.
pub(crate) const COOKIE: &str = "MMAUTHTOKEN";

/// The number of characters to which tokens are cut.
const MAX_TOKEN_CHARACTERS: usize = 50;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    Cookie,
    Header,
    Query,
}

pub(super) struct Token {
    pub(super) text: String,
    pub(super) place: Place,
}

impl Token {
    /// Returns the token, if the request carries one. A cookie takes precedence over header and query, even when it is
    /// empty.
    pub(super) fn of(http: &HttpRequest) -> Option<Self> {
        let (text, place) = find(http)?;
        let text: String = text.chars().take(MAX_TOKEN_CHARACTERS).collect();
        (!text.is_empty()).then_some(Self { text, place })
    }
}

fn find(http: &HttpRequest) -> Option<(String, Place)> {
    if let Some(text) = cookies::of(http, COOKIE) {
        return Some((text, Place::Cookie));
    }
    if let Some(text) = header_of(http, "Authorization").and_then(credentials) {
        return Some((text.to_owned(), Place::Header));
    }
    query_of(http, "access_token").map(|text| (text, Place::Query))
}

/// Returns the text after `Bearer` or `token`, which are matched in upper or lower case.
fn credentials(header: &str) -> Option<&str> {
    ["bearer", "token"].iter().find_map(|scheme| {
        let word = header.get(..scheme.len())?;
        word.eq_ignore_ascii_case(scheme).then(|| header.get(scheme.len() + 1..).unwrap_or_default())
    })
}

#[cfg(test)]
mod tests {
    use actix_web::cookie::Cookie;
    use actix_web::test::TestRequest;

    use super::*;

    fn found(request: TestRequest) -> Option<(String, Place)> {
        Token::of(&request.to_http_request()).map(|token| (token.text, token.place))
    }

    #[test]
    fn the_first_place_that_has_a_token_wins() {
        let header = || TestRequest::with_uri("/?access_token=query").insert_header(("Authorization", "BEARER header"));
        assert_eq!(found(header()), Some(("header".to_owned(), Place::Header)));
        let cookie = header().cookie(Cookie::new(COOKIE, "cookie"));
        assert_eq!(found(cookie), Some(("cookie".to_owned(), Place::Cookie)));
        let query = TestRequest::with_uri("/?access_token=query");
        assert_eq!(found(query), Some(("query".to_owned(), Place::Query)));
        let token = TestRequest::default().insert_header(("Authorization", "Token word"));
        assert_eq!(found(token), Some(("word".to_owned(), Place::Header)));
    }

    #[test]
    fn a_token_behind_very_many_cookies_is_found_in_no_time() {
        let shapes =
            ["a=b; ".repeat(60_000), ";".repeat(300_000), "%".repeat(300_000) + "; ", "=".repeat(300_000) + "; "];
        for cookies in shapes {
            let begun = std::time::Instant::now();
            let token = found(TestRequest::default().insert_header(("Cookie", format!("{cookies}{COOKIE}=token"))));
            assert_eq!(token, Some(("token".to_owned(), Place::Cookie)));
            assert!(begun.elapsed() < std::time::Duration::from_secs(5), "{:?}", begun.elapsed());
        }
    }

    #[test]
    fn an_empty_cookie_hides_a_valid_header() {
        let request =
            TestRequest::default().insert_header(("Authorization", "Bearer x")).cookie(Cookie::new(COOKIE, ""));
        assert_eq!(found(request), None);
    }

    #[test]
    fn a_token_is_cut_and_other_schemes_are_none() {
        let long = TestRequest::default().insert_header(("Authorization", format!("Bearer {}", "x".repeat(60))));
        assert_eq!(found(long).unwrap().0.len(), MAX_TOKEN_CHARACTERS);
        assert_eq!(found(TestRequest::default().insert_header(("Authorization", "Basic eDp5"))), None);
        assert_eq!(found(TestRequest::default().insert_header(("Authorization", "Bearer"))), None);
    }
}
