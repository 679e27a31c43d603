//! The path of `SiteURL`, below which browsers reach the server.

use reqwest::Url;

use super::percent::decoded;

/// The URL that completes a `SiteURL` without scheme and host, such as `/team`.
const PLACEHOLDER: &str = "http://localhost/";

/// The path of `SiteURL`: empty, or segments such as `/team` or `/a/b`, without a slash at the end.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct SitePath(String);

impl SitePath {
    /// Returns the path of `site_url` in the form in which browsers send it. Empty segments are left out.
    pub(crate) fn of(site_url: &str) -> Self {
        let url = Url::parse(PLACEHOLDER).and_then(|placeholder| placeholder.join(site_url));
        let path = url.as_ref().map_or("", |url| if url.cannot_be_a_base() { "" } else { url.path() });
        let segments = path.split('/').filter(|segment| !segment.is_empty());
        Self(segments.flat_map(|segment| ["/", segment]).collect())
    }

    /// Returns true if `SiteURL` has no path.
    pub(crate) fn is_root(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns the path as text; `/` if `SiteURL` has none.
    pub(crate) fn as_str(&self) -> &str {
        if self.is_root() { "/" } else { &self.0 }
    }

    /// Returns the path at which a browser finds `path`, which begins with a slash.
    pub(crate) fn link(&self, path: &str) -> String {
        format!("{}{path}", self.0)
    }

    /// Returns the part of `path` below this one, with its slash; an empty text for this path itself. Returns `None` for
    /// other paths, and if `SiteURL` has no path.
    ///
    /// Segments are compared as a whole and decoded, so `/teamwork` is not below `/team`, and `/%74eam` is `/team`.
    pub(crate) fn below<'a>(&self, path: &'a str) -> Option<&'a str> {
        if self.is_root() {
            return None;
        }
        let mut rest = path;
        for segment in self.0.split('/').skip(1) {
            let after_slash = rest.strip_prefix('/')?;
            let (found, remaining) = after_slash.split_at(after_slash.find('/').unwrap_or(after_slash.len()));
            if found != segment && decoded(found) != decoded(segment) {
                return None;
            }
            rest = remaining;
        }
        Some(rest)
    }

    /// Returns the path for cookies: the longest leading part that is safe in a cookie. It ends at the last folder
    /// before a character that would begin another attribute. A shorter path only sends the cookie to more of the same
    /// site.
    pub(crate) fn of_cookies(&self) -> &str {
        let is_safe = |character: char| character.is_ascii_alphanumeric() || "/-._~!$&'()*+=:@%".contains(character);
        let safe = match self.0.find(|character| !is_safe(character)) {
            None => &self.0,
            Some(end) => {
                let before = self.0.get(..end).unwrap_or_default();
                before.rsplit_once('/').map_or("", |(folders, _)| folders)
            }
        };
        if safe.is_empty() { "/" } else { safe }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_path_of_an_address_is_in_the_form_that_browsers_send() {
        for (site_url, path) in [
            ("", "/"),
            ("https://chat.example", "/"),
            ("https://chat.example/", "/"),
            ("https://chat.example/team", "/team"),
            ("https://chat.example:8443/team//", "/team"),
            ("https://chat.example/a//b/./c/../d?x=/y#/z", "/a/b/d"),
            ("https://chat.example/Team", "/Team"),
            ("https://chat.example/b\u{fc}ro", "/b%C3%BCro"),
            ("https://chat.example/a b", "/a%20b"),
            ("/team", "/team"),
            ("//evil.example/team", "/team"),
            ("mailto:team@chat.example", "/"),
            ("https://[::1", "/"),
        ] {
            assert_eq!(SitePath::of(site_url).as_str(), path, "{site_url}");
        }
    }

    #[test]
    fn only_whole_segments_are_below() {
        let team = SitePath::of("https://chat.example/team");
        for (path, below) in [
            ("/team/api/v4/system/ping", Some("/api/v4/system/ping")),
            ("/team/", Some("/")),
            ("/team", Some("")),
            ("/%74e%61m/api", Some("/api")),
            ("/team//api", Some("//api")),
            ("/teamwork", None),
            ("/teamwork/api", None),
            ("/Team/api", None),
            ("/tea", None),
            ("/team%2Fapi", None),
            ("/x/team/api", None),
            ("team/api", None),
            ("//team/api", None),
            ("/", None),
            ("*", None),
            ("", None),
        ] {
            assert_eq!(team.below(path), below, "{path}");
        }
        let deep = SitePath::of("https://chat.example/a/b%C3%BCro");
        assert_eq!(deep.below("/a/b%c3%bcro/livez"), Some("/livez"));
        assert_eq!((deep.below("/a/livez"), deep.below("/a")), (None, None));
        assert_eq!(SitePath::default().below("/api"), None);
        assert_eq!((team.link("/api"), SitePath::default().link("/api")), ("/team/api".to_owned(), "/api".to_owned()));
    }

    #[test]
    fn no_path_of_the_site_adds_an_attribute_to_a_cookie() {
        for (path, expected) in [
            ("", "/"),
            ("/", "/"),
            ("/chat", "/chat"),
            ("/a/b%20c", "/a/b%20c"),
            ("/chat;Domain=evil.example", "/"),
            ("/chat/x; Secure", "/chat"),
            ("/chat,x", "/"),
            ("/chat/x\r\nSet-Cookie: a=b", "/chat/xSet-Cookie:%20a=b"),
            ("/chat/b\u{fc}cher", "/chat/b%C3%BCcher"),
            ("/chat?x;y", "/chat"),
            ("/chat/#x", "/chat"),
        ] {
            assert_eq!(SitePath::of(&format!("https://chat.example{path}")).of_cookies(), expected, "{path:?}");
        }
    }
}
