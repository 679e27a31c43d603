//! Checks of URLs as the API's contract defines them. They are laxer than the standard: a scheme followed by anything
//! passes.

use std::net::Ipv6Addr;

/// Returns true if `text` is an absolute URI of any scheme, or a path from the root.
pub(super) fn is_uri_or_path(text: &str) -> bool {
    Uri::parse(text).is_some()
}

/// Returns true if `text` is an HTTP or HTTPS URL with a host.
pub(super) fn is_http_url(text: &str) -> bool {
    let is_for_the_web = text.starts_with("http://") || text.starts_with("https://");
    is_for_the_web && Uri::parse(text).is_some_and(|uri| !uri.authority.is_empty())
}

/// Returns true if `text` is an absolute URI with a host.
pub(super) fn has_scheme_and_host(text: &str) -> bool {
    Uri::parse(text).is_some_and(|uri| !uri.scheme.is_empty() && !uri.host().is_empty())
}

/// Returns true if `text` is an HTTP or HTTPS URL in which `*` and `**` may stand for any part.
pub(super) fn is_redirect_pattern(text: &str) -> bool {
    let pattern = text.trim();
    let instance = pattern.replace("**", "1").replace('*', "1");
    !pattern.contains("***") && is_http_url(&instance)
}

/// Returns true if `text` can be the scheme of a URI, without the colon.
pub(super) fn is_scheme(text: &str) -> bool {
    let begins_with_a_letter = text.starts_with(|first: char| first.is_ascii_alphabetic());
    begins_with_a_letter && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte))
}

struct Uri<'a> {
    scheme: &'a str,
    /// User, host and port, as written.
    authority: &'a str,
}

impl<'a> Uri<'a> {
    fn parse(text: &'a str) -> Option<Self> {
        let has_control = text.bytes().any(|byte| byte.is_ascii_control());
        let (scheme, rest) = match text.split_once(':') {
            Some((scheme, rest)) if is_scheme(scheme) => (scheme, rest),
            _ => ("", text),
        };
        let path = rest.split('?').next().unwrap_or_default();
        let is_opaque = !path.starts_with('/');
        let is_relative = is_opaque && scheme.is_empty();
        if has_control || is_relative {
            return None;
        }
        let after_slashes = path.strip_prefix("//").filter(|_| !scheme.is_empty());
        let authority = after_slashes.and_then(|rest| rest.split('/').next()).unwrap_or_default();
        let is_right = is_opaque || (is_authority(authority) && has_whole_escapes(path));
        is_right.then_some(Self { scheme, authority })
    }

    fn host(&self) -> &'a str {
        let (_, host_and_port) = split_user(self.authority);
        split_port(host_and_port).0
    }
}

fn is_authority(authority: &str) -> bool {
    let (user, host_and_port) = split_user(authority);
    let (host, port) = split_port(host_and_port);
    let is_host = if host.contains(['[', ']']) { is_bracketed_ipv6(host) } else { !host.contains(is_never_in_a_host) };
    !user.contains(is_never_in_a_host) && is_host && port.bytes().all(|byte| byte.is_ascii_digit())
}

fn is_never_in_a_host(character: char) -> bool {
    character.is_whitespace() || "<>\"\\^`{|}#".contains(character)
}

fn split_user(authority: &str) -> (&str, &str) {
    authority.rsplit_once('@').unwrap_or(("", authority))
}

fn split_port(host_and_port: &str) -> (&str, &str) {
    match host_and_port.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, port),
        _ => (host_and_port, ""),
    }
}

fn is_bracketed_ipv6(host: &str) -> bool {
    let address = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    address.is_some_and(|address| address.parse::<Ipv6Addr>().is_ok())
}

/// Returns true if each `%` is followed by two hexadecimal digits.
fn has_whole_escapes(text: &str) -> bool {
    let mut after_percents = text.split('%').skip(1);
    after_percents.all(|rest| rest.len() >= 2 && rest.bytes().take(2).all(|byte| byte.is_ascii_hexdigit()))
}

#[cfg(test)]
mod tests {
    use super::super::tests::assert_form;
    use super::*;

    #[test]
    fn a_site_url_is_any_absolute_uri_or_a_path_from_the_root() {
        assert_form(
            is_uri_or_path,
            &["http://chat.example", "ftp://x", "/x", "localhost:8065", "ftp://a:b@[::1]:1/?%y", "http://é.example"],
            &["a.com", "", ":x", "a/b:c", "http://a b", "http://a:port", "http://x/%zz", "http://x/\n", "http://[::1"],
        );
    }

    #[test]
    fn a_url_of_the_web_has_a_lower_case_scheme_and_a_host() {
        assert_form(
            is_http_url,
            &["http://a", "https://a.example:8065/path?query"],
            &["", "a.com", "ftp://a", "HTTP://a", "http://", "http:///path", "http:a"],
        );
    }

    #[test]
    fn a_download_link_names_scheme_and_host() {
        assert_form(
            has_scheme_and_host,
            &["https://a.example/app", "itms-apps://a"],
            &["/app", "a.example", "https://", "https://:443/", "https://user@/", "mailto:a@b.c"],
        );
    }

    #[test]
    fn a_redirect_pattern_is_a_url_with_stars() {
        assert_form(
            is_redirect_pattern,
            &["https://a.example/cb", " https://*.a.example/** ", "http://localhost:*/cb"],
            &["", "  ", "*", "https://", "https://a.example/***", "ftp://a.example", "https://a\u{7}.example"],
        );
    }

    #[test]
    fn a_scheme_begins_with_a_letter() {
        assert_form(is_scheme, &["steam", "a", "git+ssh", "x.y-z1"], &["", "1a", "+a", "a:", "a_b", "é"]);
    }
}
