use actix_web::test::TestRequest;
use quarterdeck_actors::config::Config;
use serde_json::json;

use super::*;

fn config(headers: &[&str]) -> Config {
    let value = json!(headers);
    let place = "a test".to_owned();
    let path = "ServiceSettings.TrustedProxyIPHeader".to_owned();
    let pinned = [(path, quarterdeck_actors::config::Override { value, place })];
    Config::compose(None, pinned.into_iter().collect()).unwrap()
}

fn found(peer: &str, forwarded: &[&str], proxies: Option<&str>) -> String {
    let mut request = TestRequest::default().peer_addr(peer.parse().unwrap());
    for line in forwarded {
        request = request.append_header(("X-Forwarded-For", *line));
    }
    let proxies = proxies.map(|texts| TrustedProxies::read(texts.split(' ')).unwrap());
    let http = request.to_http_request();
    let client = ClientAddress::of(&http, &config(&["X-Forwarded-For"]), proxies.as_ref());
    client.address.unwrap().to_string()
}

#[test]
fn an_address_is_read_in_every_form_that_proxies_write() {
    let forms = [
        ("192.0.2.1", "192.0.2.1"),
        (" 192.0.2.1:5000 ", "192.0.2.1"),
        ("2001:db8::1", "2001:db8::1"),
        ("[2001:db8::1]", "2001:db8::1"),
        ("[2001:db8::1]:5000", "2001:db8::1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("[::ffff:192.0.2.1]:5000", "192.0.2.1"),
        ("::ffff:c000:201", "192.0.2.1"),
    ];
    for (text, address) in forms {
        assert_eq!(parse(text), Some(address.parse().unwrap()), "{text}");
    }
    for text in ["", "unknown", "_hidden", "192.0.2.1:", "[192.0.2.1]", "192.0.2", "host.example:80"] {
        assert_eq!(parse(text), None, "{text}");
    }
}

#[test]
fn without_the_option_the_first_address_counts_as_before() {
    assert_eq!(found("198.51.100.1:9", &["192.0.2.1, 10.0.0.1"], None), "192.0.2.1");
    assert_eq!(found("198.51.100.1:9", &["[2001:db8::1]:443"], None), "2001:db8::1");
    assert_eq!(found("[::ffff:198.51.100.1]:9", &["unknown"], None), "198.51.100.1");
}

#[test]
fn with_the_option_only_proxies_are_believed_and_from_the_right() {
    let proxies = Some("10.0.0.0/8 2001:db8:ffff::/48");
    assert_eq!(found("198.51.100.1:9", &["192.0.2.1"], proxies), "198.51.100.1");
    assert_eq!(found("10.0.0.1:9", &["6.6.6.6, 192.0.2.1, 10.0.0.2"], proxies), "192.0.2.1");
    assert_eq!(found("10.0.0.1:9", &["6.6.6.6", "192.0.2.1:80, 10.0.0.2"], proxies), "192.0.2.1");
    assert_eq!(found("[::ffff:10.0.0.1]:9", &["::ffff:192.0.2.1"], proxies), "192.0.2.1");
    assert_eq!(found("[2001:db8:ffff::1]:9", &["6.6.6.6, unknown, 10.0.0.3"], proxies), "10.0.0.3");
    assert_eq!(found("10.0.0.1:9", &["10.0.0.7, 10.0.0.3"], proxies), "10.0.0.7");
    assert_eq!(found("10.0.0.1:9", &[], proxies), "10.0.0.1");
}

#[test]
fn only_a_trusted_proxy_says_that_the_client_came_over_tls() {
    let proxies = TrustedProxies::read(["10.0.0.1"].into_iter()).unwrap();
    let of = |peer: &str, proxies: Option<&TrustedProxies>| {
        let request = TestRequest::default().peer_addr(peer.parse().unwrap());
        let http = request.insert_header(("X-Forwarded-Proto", "https")).to_http_request();
        ClientAddress::of(&http, &config(&[]), proxies).is_secure
    };
    assert!(of("192.0.2.1:9", None));
    assert!(of("10.0.0.1:9", Some(&proxies)));
    assert!(!of("192.0.2.1:9", Some(&proxies)));
}

#[test]
fn networks_are_read_and_a_mapped_one_is_an_ipv4_one() {
    let proxies = TrustedProxies::read(["::ffff:10.0.0.0/104", "[2001:db8::]/32", "192.0.2.7"].into_iter()).unwrap();
    for address in ["10.1.2.3", "2001:db8:1::1", "192.0.2.7"] {
        assert!(proxies.holds(address.parse().unwrap()), "{address}");
    }
    assert!(!proxies.holds("192.0.2.8".parse().unwrap()));
    for text in ["10.0.0.0/33", "proxy.example", "10.0.0.0/", "", "::ffff:10.0.0.0/95"] {
        assert_eq!(TrustedProxies::read([text].into_iter()), Err(text.to_owned()));
    }
}

#[test]
fn an_ipv6_network_counts_as_one_client() {
    let of = |text: &str| group(text.parse().unwrap()).to_string();
    assert_eq!(of("2001:db8:1:2:3::4"), of("2001:db8:1:2:ffff::"));
    assert_ne!(of("2001:db8:1:2::"), of("2001:db8:1:3::"));
    assert_eq!(of("::ffff:192.0.2.1"), "192.0.2.1/32");
}
