//! Checks if a request comes from a program on this machine. Such a request may create the first account.

use std::net::IpAddr;

use actix_web::HttpRequest;
use actix_web::http::header::{HOST, HeaderName, ORIGIN};
use actix_web::http::uri::Authority;
use quarterdeck_actors::config::Config;
use quarterdeck_actors::secret::Secret;

use super::Request;
use crate::domain::accounts::{Claim, SETUP_CODE};
use crate::domain::session::Session;

/// Headers in which a proxy names its client.
const FORWARDING_HEADERS: [&str; 8] = [
    "client-ip",
    "fastly-client-ip",
    "forwarded",
    "forwarded-for",
    "true-client-ip",
    "via",
    "x-client-ip",
    "x-cluster-client-ip",
];

/// Prefixes of further headers in which a proxy names its client.
const FORWARDING_PREFIXES: [&str; 6] = ["cf-", "x-appengine-", "x-envoy-", "x-forwarded", "x-original-", "x-real-"];

/// The header in which a browser says from which site a request of a page comes.
const FETCH_SITE: &str = "sec-fetch-site";

impl Request {
    /// Returns the facts of this request that decide whether it may create the first account.
    pub(crate) fn claim(&self) -> Claim {
        let is_on_socket = self.context.session.as_ref().is_some_and(Session::is_local);
        let code = self.header(SETUP_CODE).map(Secret::new);
        Claim { is_from_this_machine: is_on_socket || is_from_this_machine(&self.http, self.config()), code }
    }
}

/// Returns true if the peer is this machine and the request addresses this machine.
///
/// Returns false for any sign of a proxy, for a page of another site, and if `SiteURL` names another host.
fn is_from_this_machine(http: &HttpRequest, config: &Config) -> bool {
    let is_loopback_peer = http.peer_addr().is_some_and(|peer| is_loopback(peer.ip()));
    let is_forwarded = http.headers().keys().any(|name| forwards(name, config));
    let is_local_site = config.view.service.site_url.is_empty() || names_loopback_url(&config.view.service.site_url);
    is_loopback_peer && !is_forwarded && is_local_site && asks_for_loopback(http) && !is_from_another_site(http)
}

/// Returns true for a loopback address, including an IPv4 address written as IPv6.
fn is_loopback(address: IpAddr) -> bool {
    address.to_canonical().is_loopback()
}

fn forwards(name: &HeaderName, config: &Config) -> bool {
    let name = name.as_str();
    let trusted = &config.view.service.trusted_proxy_ip_header;
    FORWARDING_HEADERS.contains(&name)
        || FORWARDING_PREFIXES.iter().any(|prefix| name.starts_with(prefix))
        || trusted.iter().any(|trusted| trusted.trim().eq_ignore_ascii_case(name))
}

/// Returns true if the `Host` header and the authority of an absolute target name this machine. At least one of them
/// must be present, and there must be only one `Host` header.
fn asks_for_loopback(http: &HttpRequest) -> bool {
    let mut hosts = http.headers().get_all(HOST);
    let (header, second) = (hosts.next(), hosts.next());
    let header = header.map(|host| host.to_str().is_ok_and(names_loopback));
    let target = http.uri().authority().map(|authority| names_loopback(authority.as_str()));
    let is_named = header.is_some() || target.is_some();
    is_named && second.is_none() && header != Some(false) && target != Some(false)
}

/// Returns true if a browser sent the request for a page of another origin.
fn is_from_another_site(http: &HttpRequest) -> bool {
    let own = http.headers().get(HOST).and_then(|host| host.to_str().ok());
    let own = own.or_else(|| http.uri().authority().map(Authority::as_str)).unwrap_or_default();
    let is_own = |origin: &str| {
        let (scheme, host) = origin.split_once("://").unwrap_or_default();
        matches!(scheme, "http" | "https") && host.eq_ignore_ascii_case(own)
    };
    let mut origins = http.headers().get_all(ORIGIN);
    let is_foreign_origin = origins.any(|origin| !origin.to_str().is_ok_and(is_own));
    let mut sites = http.headers().get_all(FETCH_SITE);
    let is_foreign_fetch = sites.any(|site| !matches!(site.as_bytes(), b"same-origin" | b"none"));
    is_foreign_origin || is_foreign_fetch
}

fn names_loopback_url(url: &str) -> bool {
    let rest = url.split_once("://").map_or("", |(_, rest)| rest);
    names_loopback(rest.split(['/', '?', '#']).next().unwrap_or_default())
}

/// Returns true if a host, with or without a port, is `localhost` or a loopback address.
fn names_loopback(host: &str) -> bool {
    let Ok(authority) = host.parse::<Authority>() else { return false };
    if host.contains('@') {
        return false;
    }
    let name = authority.host().trim_start_matches('[').trim_end_matches(']');
    name.eq_ignore_ascii_case("localhost") || name.parse::<IpAddr>().is_ok_and(is_loopback)
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use actix_web::test::TestRequest;
    use serde_json::{Value, json};

    use super::*;

    const HERE: &str = "127.0.0.1:50000";

    fn config(settings: &[(&str, Value)]) -> Config {
        Config::from_overrides(settings.iter().map(|(path, value)| ((*path).to_owned(), value.clone()))).unwrap()
    }

    fn claims(peer: &str, target: &str, headers: &[(&str, &str)], settings: &[(&str, Value)]) -> bool {
        let peer: SocketAddr = peer.parse().unwrap();
        let mut request = TestRequest::with_uri(target).peer_addr(peer);
        for (name, value) in headers {
            request = request.append_header((*name, *value));
        }
        is_from_this_machine(&request.to_http_request(), &config(settings))
    }

    fn by_host(host: &str) -> bool {
        claims(HERE, "/api/v4/users", &[("Host", host)], &[])
    }

    #[test]
    fn a_program_on_this_machine_that_asks_for_it_is_known() {
        for host in ["localhost", "LocalHost:8065", "127.0.0.1:8065", "127.1.2.3", "[::1]:8065", "[::1]"] {
            assert!(by_host(host), "{host}");
        }
        for peer in ["[::1]:50000", "[::ffff:127.0.0.1]:50000", "127.9.9.9:1"] {
            assert!(claims(peer, "/api/v4/users", &[("Host", "localhost")], &[]), "{peer}");
        }
    }

    #[test]
    fn another_peer_or_host_is_not() {
        for peer in ["192.0.2.7:1", "[2001:db8::1]:1", "[::ffff:192.0.2.7]:1", "0.0.0.0:1"] {
            assert!(!claims(peer, "/api/v4/users", &[("Host", "localhost")], &[]), "{peer}");
        }
        for host in [
            "chat.example",
            "localhost.chat.example",
            "127.0.0.1.chat.example",
            "localhost@chat.example",
            "0.0.0.0",
            "",
            "192.0.2.7",
            "x@localhost",
            "[::1",
            "::1",
        ] {
            assert!(!by_host(host), "{host}");
        }
        assert!(!claims(HERE, "/api/v4/users", &[], &[]), "no host at all");
        assert!(!claims(HERE, "/", &[("Host", "localhost"), ("Host", "localhost")], &[]), "two of them");
        assert!(!claims(HERE, "http://chat.example/", &[("Host", "localhost")], &[]), "the target's own");
        assert!(!claims(HERE, "http://localhost/", &[("Host", "chat.example")], &[]));
    }

    #[test]
    fn every_sign_of_a_proxy_counts_even_without_a_value() {
        for name in [
            "X-Forwarded-For",
            "X-Forwarded-Host",
            "X-Forwarded-Proto",
            "X-Forwarded-Port",
            "X-Forwarded",
            "Forwarded",
            "X-Real-IP",
            "Via",
            "CF-Connecting-IP",
            "CF-Ray",
            "True-Client-IP",
            "X-Client-IP",
            "X-Envoy-External-Address",
            "X-Original-Forwarded-For",
            "X-Own-Address",
        ] {
            let trusted = [("ServiceSettings.TrustedProxyIPHeader", json!(["x-own-address"]))];
            for value in ["", "127.0.0.1"] {
                let headers = [("Host", "localhost"), (name, value)];
                assert!(!claims(HERE, "/api/v4/users", &headers, &trusted), "{name}");
            }
        }
    }

    #[test]
    fn a_page_of_another_site_is_not_this_machine() {
        let with = |name, value| claims(HERE, "/api/v4/users", &[("Host", "localhost:8065"), (name, value)], &[]);
        assert!(with("Origin", "http://localhost:8065") && with("Sec-Fetch-Site", "same-origin"));
        assert!(with("Sec-Fetch-Site", "none"));
        for origin in ["null", "", "http://localhost:3000", "http://chat.example", "http://localhost", "file://"] {
            assert!(!with("Origin", origin), "{origin}");
        }
        assert!(!with("Sec-Fetch-Site", "cross-site") && !with("Sec-Fetch-Site", "same-site"));
    }

    #[test]
    fn a_site_with_an_address_of_its_own_is_not_set_up_from_this_machine_alone() {
        let at = |url: &str| {
            claims(HERE, "/api/v4/users", &[("Host", "localhost")], &[("ServiceSettings.SiteURL", json!(url))])
        };
        assert!(at("") && at("http://localhost:8065") && at("https://127.0.0.1/chat") && at("http://[::1]:8065"));
        for url in
            ["https://chat.example", "http://localhost.chat.example", "http://localhost@chat.example", "localhost"]
        {
            assert!(!at(url), "{url}");
        }
    }
}
