//! The check of the page that opens a WebSocket.

use quarterdeck_actors::config::view::ServiceSettings;

use crate::web::origins::{Allowed, Origin, Page};

/// The way in which a socket may be opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Admission {
    /// By a program, or by a page whose site may act for its visitors.
    Trusted,
    /// By a page of any site. The cookie that its browser sends is not used.
    WithoutCookie,
    /// The socket is refused.
    Refused,
}

/// Returns how a page may open a socket at `host`. A request without an `Origin` header is treated as sent by a
/// program.
pub(super) fn admission(service: &ServiceSettings, page: &Page, host: &str) -> Admission {
    let allowed = Allowed::of(&service.allow_cors_from);
    let is_trusted = match page {
        Page::None => true,
        Page::Known(origin) => is_ours(service, &allowed, origin, host) || allowed.lists(origin),
        Page::Foreign => false,
    };
    match (is_trusted, allowed) {
        (true, _) => Admission::Trusted,
        (false, Allowed::Any) => Admission::WithoutCookie,
        (false, Allowed::Own | Allowed::Listed(_)) => Admission::Refused,
    }
}

/// Returns true if the page belongs to this site: to `SiteURL`, or, without `SiteURL` and a list of origins, to the
/// host that it calls.
fn is_ours(service: &ServiceSettings, allowed: &Allowed, origin: &Origin, host: &str) -> bool {
    if service.site_url.is_empty() {
        return !matches!(allowed, Allowed::Listed(_)) && origin.is_at(host);
    }
    Origin::of_site(&service.site_url).as_ref() == Some(origin)
}

#[cfg(test)]
mod tests {
    use quarterdeck_actors::config::Config;

    use super::*;

    fn service(site_url: &str, allow_cors_from: &str) -> ServiceSettings {
        let mut service = Config::from_overrides([]).unwrap().view.service.clone();
        service.site_url = site_url.to_owned();
        service.allow_cors_from = allow_cors_from.to_owned();
        service
    }

    fn page(origin: &str) -> Page {
        Origin::parse(origin).map_or(Page::Foreign, Page::Known)
    }

    fn admitted(service: &ServiceSettings, origin: &str) -> bool {
        admission(service, &page(origin), "chat.example:8065") == Admission::Trusted
    }

    #[test]
    fn without_a_site_address_the_page_must_come_from_the_host_it_calls() {
        let service = service("", "");
        assert_eq!(admission(&service, &Page::None, "chat.example"), Admission::Trusted);
        assert!(admitted(&service, "https://CHAT.example:8065"));
        for foreign in ["null", "", "http://chat.example", "http://evil.example:8065", "chat.example:8065", "::"] {
            assert!(!admitted(&service, foreign), "{foreign}");
        }
    }

    #[test]
    fn with_a_site_address_scheme_and_host_must_be_its_own() {
        let service = service("https://chat.example/sub", "");
        assert!(admitted(&service, "https://Chat.example"));
        for foreign in ["http://chat.example", "https://chat.example:8065", "https://chat.example.evil.example"] {
            assert!(!admitted(&service, foreign), "{foreign}");
        }
    }

    #[test]
    fn with_a_list_the_origin_must_be_in_it_or_be_the_site() {
        let listed = service("https://chat.example/sub", " https://one.example  HTTPS://Two.example:443 ");
        for known in ["https://one.example", "https://ONE.example:443", "https://two.example", "https://chat.example"] {
            assert!(admitted(&listed, known), "{known}");
        }
        for foreign in ["http://one.example", "https://one.example.evil", "https://evil.example", "null", ""] {
            assert!(!admitted(&listed, foreign), "{foreign}");
        }
    }

    #[test]
    fn a_page_of_any_site_opens_a_socket_without_the_cookie_of_its_visitor() {
        for (setting, site) in [("*", "https://chat.example"), (" https://one.example * ", "")] {
            let any = service(site, setting);
            let opened = |origin: &str| admission(&any, &page(origin), "chat.example:8065");
            assert_eq!(opened("https://anything.example"), Admission::WithoutCookie);
            assert_eq!(opened("null"), Admission::WithoutCookie);
        }
        assert!(admitted(&service("https://chat.example", "*"), "https://chat.example"));
        assert!(admitted(&service("", "*"), "http://chat.example:8065"));
        assert_eq!(admission(&service("", "*"), &Page::None, "chat.example"), Admission::Trusted);
    }
}
