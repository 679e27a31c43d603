//! Which pages may open a socket.

use actix_web::http::Uri;
use quarterdeck_actors::config::view::ServiceSettings;

/// Whether a page of that origin may open a socket at that host. Who names no origin is no page.
pub(super) fn admits(service: &ServiceSettings, origin: Option<&str>, host: &str) -> bool {
    if service.allow_cors_from.is_empty() {
        return origin.is_none_or(|origin| is_ours(service, origin, host));
    }
    let Some(origin) = origin.filter(|origin| !origin.is_empty()) else { return true };
    let site = origin_of(&service.site_url).unwrap_or_default();
    service.allow_cors_from == "*" || service.allow_cors_from.split(' ').any(|known| known == origin) || origin == site
}

fn is_ours(service: &ServiceSettings, origin: &str, host: &str) -> bool {
    let Some((scheme, authority)) = parts(origin) else { return false };
    if service.site_url.is_empty() {
        return authority.eq_ignore_ascii_case(host);
    }
    parts(&service.site_url).is_some_and(|(site_scheme, site_authority)| {
        site_scheme.eq_ignore_ascii_case(&scheme) && site_authority.eq_ignore_ascii_case(&authority)
    })
}

/// The address of a site without its path.
fn origin_of(url: &str) -> Option<String> {
    parts(url).map(|(scheme, authority)| format!("{scheme}://{authority}"))
}

fn parts(url: &str) -> Option<(String, String)> {
    let uri: Uri = url.parse().ok()?;
    Some((uri.scheme_str()?.to_owned(), uri.authority()?.as_str().to_owned()))
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

    fn admitted(service: &ServiceSettings, origin: &str) -> bool {
        admits(service, Some(origin), "chat.example:8065")
    }

    #[test]
    fn without_a_site_address_the_page_must_come_from_the_host_it_calls() {
        let service = service("", "");
        assert!(admits(&service, None, "chat.example"));
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
    fn with_a_list_the_origin_must_be_in_it_to_the_letter_or_be_the_site() {
        let listed = service("https://chat.example/sub", "https://one.example https://two.example");
        for known in ["https://one.example", "https://two.example", "https://chat.example", ""] {
            assert!(admitted(&listed, known), "{known}");
        }
        for foreign in ["https://ONE.example", "https://one.example.evil", "https://evil.example", "null"] {
            assert!(!admitted(&listed, foreign), "{foreign}");
        }
        assert!(admitted(&service("", "*"), "https://anything.example"));
    }
}
