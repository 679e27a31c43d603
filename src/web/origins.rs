//! The origins whose pages may call the server. Requests (CORS) and sockets use the same rule.

use std::fmt;

use actix_web::http::header::{HeaderMap, ORIGIN};
use reqwest::Url;

/// The entry that admits every site. Browsers must not send credentials then.
const ANY: &str = "*";

/// The scheme, host and port of a page. The default port of the scheme is left out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Origin {
    scheme: String,
    host: String,
    port: Option<u16>,
}

/// The page that sent a request, according to its `Origin` header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Page {
    /// The request has no `Origin` header: a program sent it, or a page of this site.
    None,
    /// A page of this origin.
    Known(Origin),
    /// The header is `null`, is malformed, or is given twice.
    Foreign,
}

/// The sites that `AllowCorsFrom` admits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Allowed {
    /// No site but this one: the setting is empty.
    Own,
    /// Every site, but without credentials.
    Any,
    /// The listed ones.
    Listed(Vec<Entry>),
}

/// An entry of the setting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Entry {
    /// One origin.
    One(Origin),
    /// Every origin with this beginning and this end, in lower case: an entry with one `*`.
    Between(String, String),
}

impl Origin {
    /// Parses an `Origin` header as browsers send it: scheme, host and an optional port, in ASCII.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (_, authority) = text.split_once("://")?;
        let is_plain = text.is_ascii()
            && !authority.contains(|character: char| {
                "/?#@\\".contains(character) || character.is_ascii_whitespace() || character.is_ascii_control()
            });
        if is_plain { Self::of_site(text) } else { None }
    }

    /// Returns the origin of a URL; the path is ignored.
    pub(crate) fn of_site(address: &str) -> Option<Self> {
        let url = Url::parse(address).ok()?;
        let host = url.host_str().filter(|host| !host.is_empty())?.to_ascii_lowercase();
        Some(Self { scheme: url.scheme().to_owned(), host, port: url.port() })
    }

    /// Returns true if a `Host` header, together with this origin's scheme, gives this origin.
    pub(crate) fn is_at(&self, host: &str) -> bool {
        Self::parse(&format!("{}://{host}", self.scheme)).as_ref() == Some(self)
    }
}

impl Page {
    /// Returns the page that the `Origin` header names.
    pub(crate) fn of(headers: &HeaderMap) -> Self {
        let mut values = headers.get_all(ORIGIN);
        match (values.next(), values.next()) {
            (None, _) => Self::None,
            (Some(value), None) => value.to_str().ok().and_then(Origin::parse).map_or(Self::Foreign, Self::Known),
            (Some(_), Some(_)) => Self::Foreign,
        }
    }
}

impl Allowed {
    /// Parses the setting: origins separated by whitespace, or `*` among them.
    pub(crate) fn of(setting: &str) -> Self {
        let entries: Vec<&str> = setting.split_whitespace().collect();
        if entries.is_empty() {
            Self::Own
        } else if entries.iter().any(|entry| is_everyone(entry)) {
            Self::Any
        } else {
            Self::Listed(entries.into_iter().filter_map(Entry::of).collect())
        }
    }

    /// Returns true if the origin is listed by name, or by an entry with a `*`.
    pub(crate) fn lists(&self, origin: &Origin) -> bool {
        matches!(self, Self::Listed(entries) if entries.iter().any(|entry| entry.holds(origin)))
    }
}

impl Entry {
    fn of(entry: &str) -> Option<Self> {
        if !is_bare(entry) {
            return None;
        }
        match entry.split_once(ANY) {
            None => Origin::of_site(entry).map(Self::One),
            Some((start, end)) => Self::between(&start.to_ascii_lowercase(), &end.to_ascii_lowercase()),
        }
    }

    /// A star stands for a port or for the first parts of a host name. It does not stand for its end, because
    /// `https://chat.example*` would admit `https://chat.example.other.example`, nor for the beginning of a part, because
    /// `https://*chat.example` would admit `https://otherchat.example`.
    fn between(start: &str, end: &str) -> Option<Self> {
        let end = end.strip_suffix('/').unwrap_or(end);
        let end = match start.split_once("://") {
            Some(("https", _)) => end.strip_suffix(":443").unwrap_or(end),
            Some(("http", _)) => end.strip_suffix(":80").unwrap_or(end),
            Some(_) | None => end,
        };
        let is_port = end.is_empty() && start.contains("://") && start.ends_with(':');
        let is_scheme = start.is_empty() && end.starts_with("://");
        let is_right = !end.contains(ANY) && (is_port || is_scheme || end.starts_with('.'));
        is_right.then(|| Self::Between(start.to_owned(), end.to_owned()))
    }

    fn holds(&self, origin: &Origin) -> bool {
        match self {
            Self::One(one) => one == origin,
            Self::Between(start, end) => {
                let text = origin.to_string();
                text.strip_prefix(start.as_str()).is_some_and(|rest| rest.ends_with(end.as_str()))
            }
        }
    }
}

/// Returns true for an entry that admits every host, with or without a scheme and a port.
fn is_everyone(entry: &str) -> bool {
    let host = entry.split_once("://").map_or(entry, |(_, host)| host);
    let host = host.strip_suffix('/').unwrap_or(host);
    host.split_once(':').map_or(host, |(host, _)| host) == ANY
}

impl fmt::Display for Origin {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}://{}", self.scheme, self.host)?;
        self.port.map_or(Ok(()), |port| write!(formatter, ":{port}"))
    }
}

/// Returns true if the entry is an origin. A slash at the end is allowed, because people copy it along.
fn is_bare(entry: &str) -> bool {
    let authority = entry.split_once("://").map_or("", |(_, rest)| rest);
    !authority.strip_suffix('/').unwrap_or(authority).contains(['/', '?', '#', '@', '\\'])
}

#[cfg(test)]
mod tests {
    use actix_web::http::header::HeaderValue;

    use super::*;

    fn page(values: &[&[u8]]) -> Page {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(ORIGIN, HeaderValue::from_bytes(value).unwrap());
        }
        Page::of(&headers)
    }

    #[test]
    fn case_and_default_ports_make_no_difference() {
        for (one, other) in [
            ("https://Chat.Example", "HTTPS://chat.example:443"),
            ("http://chat.example:80", "http://chat.example"),
            ("https://[2001:DB8::1]:443", "https://[2001:db8::1]"),
        ] {
            assert_eq!(Origin::parse(one).unwrap(), Origin::parse(other).unwrap());
        }
        for (one, other) in [
            ("https://chat.example", "http://chat.example"),
            ("https://chat.example", "https://chat.example:8443"),
            ("http://chat.example:443", "https://chat.example:443"),
            ("https://chat.example", "https://chat.example.evil.example"),
        ] {
            assert_ne!(Origin::parse(one).unwrap(), Origin::parse(other).unwrap());
        }
    }

    #[test]
    fn what_is_no_origin_is_foreign() {
        for header in [
            "null",
            "chat.example",
            "https://chat.example/",
            "https://chat.example/path",
            "https://u@chat.example",
            "https://chat.example https://evil.example",
            "https://",
            "://",
            "*",
        ] {
            assert_eq!(page(&[header.as_bytes()]), Page::Foreign, "{header}");
        }
        assert_eq!(page(&["https://b\u{fc}cher.example".as_bytes()]), Page::Foreign);
        assert_eq!(page(&[b"https://chat.example\xff"]), Page::Foreign);
        assert_eq!(page(&[b"https://chat.example", b"https://chat.example"]), Page::Foreign);
        assert_eq!((page(&[]), page(&[b""])), (Page::None, Page::Foreign));
    }

    #[test]
    fn the_setting_is_read_once_for_both_uses() {
        assert_eq!(Allowed::of(" \t"), Allowed::Own);
        assert_eq!(Allowed::of("*"), Allowed::Any);
        assert_eq!(Allowed::of(" https://one.example  * "), Allowed::Any);
        for entry in ["https://*", "http://*:8443", "*:8443", "https://*/"] {
            assert_eq!(Allowed::of(entry), Allowed::Any, "{entry}: its pages must not act for their visitors");
        }
        let listed =
            Allowed::of("  HTTPS://One.Example:443/ \n http://two.example https://three.example/path three.example");
        for (origin, is_listed) in [
            ("https://one.example", true),
            ("http://two.example:80", true),
            ("http://one.example", false),
            ("https://three.example", false),
        ] {
            assert_eq!(listed.lists(&Origin::parse(origin).unwrap()), is_listed, "{origin}");
        }
        // Names in other scripts are compared in the encoded form that browsers send.
        assert!(
            Allowed::of("https://b\u{fc}cher.example").lists(&Origin::parse("https://xn--bcher-kva.example").unwrap())
        );
    }

    #[test]
    fn one_star_in_an_origin_stands_for_any_text_there() {
        for (entry, listed, others) in [
            (
                "https://*.Chat.example/",
                &["https://a.chat.example", "https://a.b.chat.example:443"][..],
                &[
                    "https://chat.example",
                    "http://a.chat.example",
                    "https://a.chat.example:8443",
                    "https://achat.example",
                ][..],
            ),
            ("https://*.chat.example:443", &["https://a.chat.example"], &["https://a.chat.example:8443"]),
            ("https://app-*.chat.example:8443", &["https://app-1.chat.example:8443"], &["https://app-1.chat.example"]),
            (
                "http://localhost:*",
                &["http://localhost:3000"],
                &["http://localhost", "http://localhost.other.example:80"],
            ),
            ("https:*", &[], &["https://any.example"]),
            ("https://*chat.example", &[], &["https://otherchat.example", "https://chat.example"]),
            ("https://app*one.example", &[], &["https://app.otherone.example"]),
            ("https://chat.example*0", &[], &["https://chat.example.other.example:8080"]),
            ("https://chat.example*", &[], &["https://chat.example.other.example", "https://chat.example"]),
            ("https://chat*:8443", &[], &["https://chat.other.example:8443"]),
            ("https://*.chat.*", &[], &["https://a.chat.example"]),
            ("https://*.chat.example/path", &[], &["https://a.chat.example"]),
            ("*.chat.example", &["https://a.chat.example", "http://a.chat.example"], &["https://a.chat.example.other"]),
            ("*://chat.example", &["https://chat.example", "http://chat.example"], &["https://chat.example:8443"]),
            ("*chat.example", &[], &["https://otherchat.example"]),
        ] {
            let allowed = Allowed::of(&format!("https://first.example {entry}"));
            for (origins, is_listed) in [(listed, true), (others, false)] {
                for origin in origins {
                    assert_eq!(allowed.lists(&Origin::parse(origin).unwrap()), is_listed, "{entry} {origin}");
                }
            }
        }
    }

    #[test]
    fn a_host_header_is_compared_under_the_scheme_of_the_page() {
        let at = |origin: &str, host: &str| Origin::parse(origin).unwrap().is_at(host);
        assert!(at("https://chat.example", "CHAT.example:443") && at("http://chat.example:8065", "chat.example:8065"));
        assert!(!at("https://chat.example", "chat.example:80") && !at("https://chat.example", ""));
    }
}
