//! The path of a request in its clean form, which decides about everything: the route, the checks, logs and records.

use std::borrow::Cow;

use actix_web::HttpResponse;
use actix_web::http::header::LOCATION;
use quarterdeck_actors::steps::walked;

/// The path of the front page.
pub(crate) const FRONT_PATH: &str = "/";

/// The clean path of a request that has another one.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct CleanPath {
    /// The path without empty segments, `.` and `..`, and with plain letters instead of encoded ones.
    pub(crate) text: String,
    /// True if the request has other segments. Encoded letters alone make no difference.
    pub(crate) has_other_segments: bool,
}

impl CleanPath {
    /// Returns the clean form of `path`; `None` if it is clean already.
    pub(crate) fn of(path: &str) -> Option<Self> {
        walked(path.len());
        let plain = with_plain_letters(path);
        // `*` and the address of CONNECT are no paths.
        let has_other_segments = plain.starts_with('/') && needs_cleaning(&plain);
        match plain {
            _ if has_other_segments => Some(Self { text: cleaned(&plain), has_other_segments }),
            Cow::Owned(text) => Some(Self { text, has_other_segments }),
            Cow::Borrowed(_) => None,
        }
    }
}

/// Returns the redirect to a clean path.
///
/// The target never names a host. It begins with one slash, and browsers treat a backslash like a slash, so backslashes
/// are encoded.
pub(crate) fn redirect(path: &str, query: &str) -> HttpResponse {
    let mut target = path.replace('\\', "%5C");
    if !query.is_empty() {
        target.push('?');
        target.push_str(query);
    }
    HttpResponse::MovedPermanently().insert_header((LOCATION, target)).finish()
}

/// Decodes the characters that RFC 3986 calls unreserved. Encoded or not, they mean the same, while an encoded slash is
/// part of a segment.
///
/// A path with a percent sign that encodes nothing stays as it is, because `%%370` would become `%70`.
fn with_plain_letters(path: &str) -> Cow<'_, str> {
    if !path.contains('%') {
        return Cow::Borrowed(path);
    }
    let mut parts = path.split('%');
    let mut plain = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let code = part.get(..2).filter(|digits| digits.bytes().all(|digit| digit.is_ascii_hexdigit()));
        let Some(letter) = code.and_then(|digits| u8::from_str_radix(digits, 16).ok()).map(char::from) else {
            return Cow::Borrowed(path);
        };
        if letter.is_ascii_alphanumeric() || "-._~".contains(letter) {
            plain.push(letter);
            plain.push_str(part.get(2..).unwrap_or_default());
        } else {
            plain.push('%');
            plain.push_str(part);
        }
    }
    Cow::Owned(plain)
}

fn needs_cleaning(path: &str) -> bool {
    path.contains("//") || path.split('/').any(|segment| segment == "." || segment == "..")
}

fn cleaned(path: &str) -> String {
    let mut kept = Vec::new();
    for segment in path.split('/') {
        match segment {
            "" | "." => {}
            ".." => {
                kept.pop();
            }
            segment => kept.push(segment),
        }
    }
    let mut clean = String::with_capacity(path.len());
    for segment in &kept {
        clean.push('/');
        clean.push_str(segment);
    }
    if kept.is_empty() || path.ends_with('/') {
        clean.push('/');
    }
    clean
}

#[cfg(test)]
mod tests {
    use super::*;

    fn clean(path: &str) -> (String, bool) {
        let clean = CleanPath::of(path);
        clean.map_or_else(|| (path.to_owned(), false), |clean| (clean.text, clean.has_other_segments))
    }

    #[test]
    fn a_path_with_other_segments_is_redirected_and_never_to_another_host() {
        for (path, expected) in [
            ("//api/v4/system/ping", "/api/v4/system/ping"),
            ("/api/v4//system/ping", "/api/v4/system/ping"),
            ("/api/v4/../v4/system/ping", "/api/v4/system/ping"),
            ("/api/./v4/system/ping/", "/api/v4/system/ping/"),
            ("/api/v4/%2e%2E/v4/system/ping", "/api/v4/system/ping"),
            ("//", "/"),
            ("/..", "/"),
            ("/../..//", "/"),
            ("//evil.example/..", "/"),
            ("//evil.example/%2e%2e/x", "/x"),
            ("///evil.example", "/evil.example"),
            ("/x/..//evil.example/", "/evil.example/"),
            ("/api/v4/..", "/api"),
            ("/a/b/../../..//c", "/c"),
        ] {
            assert_eq!(clean(path), (expected.to_owned(), true), "{path}");
        }
        let response = redirect(&clean("//\\evil.example").0, "a=//b");
        assert_eq!(response.headers().get(LOCATION).unwrap(), "/%5Cevil.example?a=//b");
    }

    #[test]
    fn encoded_letters_are_the_letters_and_other_characters_stay_encoded() {
        for (path, expected) in [
            ("/api/v4/system/ping", "/api/v4/system/ping"),
            ("/api/v4/system/%70ing", "/api/v4/system/ping"),
            ("/%61%70%69/%764/x%2dy%5F%7e", "/api/v4/x-y_~"),
            ("/api/v4/%2570ing", "/api/v4/%2570ing"),
            ("/api%2Fv4/%2F/..%2f", "/api%2Fv4/%2F/..%2f"),
            ("/%70%", "/%70%"),
            ("/%%370ing", "/%%370ing"),
            ("/%2%35", "/%2%35"),
            ("/%7", "/%7"),
            ("/%zz/%C3%A9", "/%zz/%C3%A9"),
            ("/...", "/..."),
            ("*", "*"),
            ("", ""),
        ] {
            assert_eq!(clean(path), (expected.to_owned(), false), "{path}");
        }
    }
}
