//! Tests of the policy with IP addresses and names in all spellings.

use quarterdeck_actors::config::Config;

use super::super::address;
use super::*;

const TYPED: Chosen<'static> = Chosen::ByUser("user");

fn service(allowed: &str, site_url: &str) -> ServiceSettings {
    let values = [("AllowedUntrustedInternalConnections", allowed), ("SiteURL", site_url)];
    let values = values.map(|(name, value)| (format!("ServiceSettings.{name}"), value.into()));
    Config::from_overrides(values).unwrap().view.service.clone()
}

/// Returns the policy's decision on `url`; `found` are the addresses of its host, if that is a name.
fn verdict(url: &str, found: &[&str], chosen: Chosen<'_>, service: &ServiceSettings) -> Result<(), CallFailure> {
    let url = address::read(url)?;
    let place = Place::of(&url).unwrap();
    let found = found.iter().map(|address| address.parse().unwrap()).collect();
    let addresses: Vec<IpAddr> = place.literal().map_or(found, |address| vec![address]);
    Policy::new(chosen, &url, service).check(&place, &addresses)
}

fn typed(url: &str) -> Result<(), CallFailure> {
    verdict(url, &["127.0.0.1"], TYPED, &service("", ""))
}

#[test]
fn internal_addresses_are_refused_in_every_spelling() {
    for host in [
        "127.0.0.1",
        "127.1",
        "127.255.255.254",
        "2130706433",
        "0177.0.0.1",
        "0x7f.1",
        "0x7f000001",
        "017700000001",
        "127.0.0.1.",
        "localhost",
        "localhost.",
        "LOCALHOST",
        "loc%61lhost",
        "１２７.0.0.1",
        "127。0。0。1",
        "ⓛocalhost",
        "10.0.0.5",
        "10.255.255.255",
        "172.16.0.1",
        "172.31.255.255",
        "192.168.1.1",
        "169.254.169.254",
        "100.64.0.1",
        "100.127.255.255",
        "0.0.0.0",
        "0",
        "0.1.2.3",
        "192.0.0.8",
        "192.0.2.1",
        "192.88.99.1",
        "198.18.0.1",
        "198.19.255.255",
        "198.51.100.7",
        "203.0.113.9",
        "224.0.0.1",
        "239.255.255.255",
        "240.0.0.1",
        "255.255.255.255",
        "[::]",
        "[::1]",
        "[0:0:0:0:0:0:0:1]",
        "[fc00::1]",
        "[fdff::1]",
        "[fe80::1]",
        "[febf::1]",
        "[fec0::1]",
        "[ff02::1]",
        "[2001:db8::1]",
        "[3fff::1]",
        "[2001:2::1]",
        "[100::1]",
        "[5f00::1]",
        "[64:ff9b:1::a00:5]",
        "[::ffff:10.0.0.5]",
        "[::ffff:7f00:1]",
        "[::127.0.0.1]",
        "[::a00:5]",
        "[::ffff:0:10.0.0.5]",
        "[64:ff9b::10.0.0.5]",
        "[64:ff9b::a9fe:a9fe]",
        "[2002:0a00:0005::1]",
        "[2002:7f00:1::]",
        "[2001:0:a00:5::1]",
        "[2001:0:808:808:0:0:f5ff:fffa]",
    ] {
        let refusal = typed(&format!("http://{host}:8080/x")).map_err(|refusal| refusal.to_string());
        assert!(refusal.as_ref().is_err_and(|text| text.contains("AllowedUntrustedInternal")), "{host}: {refusal:?}");
    }
}

#[test]
fn public_addresses_pass() {
    for host in [
        "8.8.8.8",
        "1.1.1.1",
        "9.255.255.255",
        "11.0.0.0",
        "100.63.255.255",
        "100.128.0.0",
        "126.255.255.255",
        "128.0.0.1",
        "169.253.0.1",
        "172.15.255.255",
        "172.32.0.0",
        "192.167.1.1",
        "198.17.0.1",
        "198.20.0.1",
        "223.255.255.255",
        "134744072",
        "[2606:4700::1111]",
        "[2a00:1450::1]",
        "[::ffff:8.8.8.8]",
        "[64:ff9b::8.8.8.8]",
        "[2002:808:808::1]",
        "[2001:4860::8888]",
    ] {
        typed(&format!("http://{host}/")).unwrap_or_else(|refusal| panic!("{host}: {refusal}"));
    }
}

#[test]
fn only_addresses_of_the_web_are_read_and_none_that_hold_credentials() {
    for url in [
        "",
        "chat.example",
        "/api",
        "ftp://8.8.8.8/",
        "file:///etc/passwd",
        "gopher://8.8.8.8/",
        "javascript:alert(1)",
        "unix:/run/x",
        "http://",
        "http:/8.8.8.8/",
        "http:8.8.8.8",
        "//8.8.8.8/",
        "http://user@8.8.8.8/",
        "http://user:pw@8.8.8.8/",
        "http://:pw@8.8.8.8/",
        "http://8.8.8.8@127.0.0.1/",
        "http://127.0.0.1#@8.8.8.8@x/",
        "http://256.256.256.256/",
        "http://1.2.3.4.5/",
        "http://[::1/",
        "http://a b/",
        "http://[fe80::1%25eth0]/",
        "http://8.8.8.8:99999/",
    ] {
        let refused = typed(url);
        let is_by_policy = url.contains("//127.0.0.1#") && matches!(refused, Err(CallFailure::Internal(_)));
        assert!(matches!(refused, Err(CallFailure::Address(_))) || is_by_policy, "{url}: {refused:?}");
    }
    // The URL parser treats a backslash as a slash, so the text after it is not the host.
    assert!(matches!(typed(r"http://127.0.0.1\@8.8.8.8/"), Err(CallFailure::Internal(_))));
}

#[test]
fn one_internal_address_among_those_of_a_name_is_enough() {
    let none = service("", "");
    for found in [&["8.8.8.8", "10.0.0.5"][..], &["10.0.0.5"], &["8.8.8.8", "::ffff:10.0.0.5"]] {
        let refusal = verdict("http://chat.example/", found, TYPED, &none).unwrap_err().to_string();
        assert!(refusal.starts_with("chat.example resolves to "), "{refusal}");
    }
    verdict("http://chat.example/", &["8.8.8.8", "2606:4700::1"], TYPED, &none).unwrap();
}

#[test]
fn the_refusal_names_the_rule_and_the_setting() {
    let none = service("", "");
    let refusal = verdict("http://Chat.example:8080/x?secret", &["10.0.0.5"], TYPED, &none).unwrap_err();
    let expected = "chat.example resolves to 10.0.0.5, a private address (RFC 1918); \
                    list it in ServiceSettings.AllowedUntrustedInternalConnections to allow it";
    assert_eq!(refusal.to_string(), expected);
    let literal = typed("http://[64:ff9b::a00:5]/").unwrap_err().to_string();
    assert!(
        literal.starts_with("64:ff9b::a00:5 is an address that leads to 10.0.0.5, a private address (RFC 1918);"),
        "{literal}"
    );
}

#[test]
fn what_is_listed_is_allowed() {
    let listed = service("chat.example, 10.1.0.0/16 ::1", "");
    for url in [
        "http://chat.example/",
        "https://CHAT.example.:1/",
        "http://10.1.2.3/",
        "http://[::1]/",
        "http://[::ffff:10.1.2.3]/",
    ] {
        verdict(url, &["192.168.0.1", "fd00::1"], TYPED, &listed).unwrap_or_else(|refusal| panic!("{url}: {refusal}"));
    }
    for url in ["http://other.example/", "http://10.2.0.1/", "http://chat.example.evil.example/"] {
        verdict(url, &["192.168.0.1"], TYPED, &listed).unwrap_err();
    }
    verdict("http://other.example/", &["10.1.0.9"], TYPED, &listed).unwrap();
    verdict("http://other.example/", &["10.1.0.9", "10.2.0.9"], TYPED, &listed).unwrap_err();
}

#[test]
fn the_addresses_of_this_machine_are_internal_even_if_they_are_public() {
    let own: Vec<IpAddr> = vec!["8.8.8.8".parse().unwrap(), "2606:4700::9".parse().unwrap()];
    for address in ["8.8.8.8", "::ffff:8.8.8.8", "64:ff9b::808:808", "2606:4700::9"] {
        assert!(
            internal(address.parse().unwrap(), &own).is_some_and(|what| what.ends_with("of this server itself")),
            "{address}"
        );
    }
    assert_eq!(internal("8.8.4.4".parse().unwrap(), &own), None);
    assert!(own_addresses().contains(&IpAddr::from([127, 0, 0, 1])));
}

#[test]
fn a_host_in_the_configuration_may_be_anywhere_but_leads_nowhere_else() {
    let none = service("", "");
    let url = address::read("http://push.example:8066/").unwrap();
    let policy = Policy::new(Chosen::InConfiguration, &url, &none);
    let internal = [IpAddr::from([10, 0, 0, 5])];
    policy.check(&Place::of(&url).unwrap(), &internal).unwrap();
    for elsewhere in ["http://push.example/", "https://push.example:8067/", "http://10.0.0.5:8066/"] {
        let place = Place::of(&address::read(elsewhere).unwrap()).unwrap();
        policy.check(&place, &internal).unwrap_err();
    }
}

#[test]
fn ones_own_site_may_be_called_and_no_other_door_of_its_host() {
    let site = service("", "https://chat.example/team");
    let listening = ["0.0.0.0:8065".parse().unwrap()];
    let own_site = Chosen::ByOperator { listening: &listening, decides_site_url: false };
    for url in [
        "https://chat.example/x",
        "http://chat.example:443/",
        "http://localhost:8065/",
        "http://[::1]:8065",
        "http://127.0.0.9:8065/",
    ] {
        verdict(url, &["127.0.0.1"], own_site, &site).unwrap_or_else(|refusal| panic!("{url}: {refusal}"));
        verdict(url, &["127.0.0.1"], TYPED, &site).unwrap_err();
    }
    for url in ["http://chat.example/", "https://chat.example:8443/", "http://localhost:8066/", "http://10.0.0.5:8065/"]
    {
        verdict(url, &["127.0.0.1"], own_site, &site).unwrap_err();
    }
    let one_door = ["127.0.0.1:8065".parse().unwrap()];
    let own_site = Chosen::ByOperator { listening: &one_door, decides_site_url: false };
    verdict("http://[::ffff:127.0.0.1]:8065/", &[], own_site, &site).unwrap();
    verdict("http://localhost:8065/", &["::1", "127.0.0.1"], own_site, &site).unwrap();
    verdict("http://127.0.0.2:8065/", &[], own_site, &site).unwrap_err();
}

#[test]
fn an_operator_who_decides_the_site_url_reaches_internal_addresses_but_no_metadata() {
    let site = service("", "http://169.254.169.254/team");
    let decides = Chosen::ByOperator { listening: &[], decides_site_url: true };
    let others = Chosen::ByOperator { listening: &[], decides_site_url: false };
    for url in ["http://10.0.0.5/", "http://192.168.1.1:8065/", "http://[fc00::1]/", "http://127.0.0.1:1/", "http://x/"]
    {
        verdict(url, &["10.0.0.6"], decides, &site).unwrap_or_else(|refusal| panic!("{url}: {refusal}"));
        verdict(url, &["10.0.0.6"], others, &site).unwrap_err();
    }
    for url in [
        "http://169.254.169.254/team",
        "http://169.254.0.1/",
        "http://168.63.129.16/",
        "http://100.100.100.200/",
        "http://192.0.0.192/",
        "http://[fe80::1]/",
        "http://[fd00:ec2::254]/",
        "http://[::ffff:169.254.169.254]/",
        "http://[64:ff9b::a9fe:a9fe]/",
        "http://x/",
    ] {
        for chosen in [decides, others, TYPED] {
            verdict(url, &["10.0.0.6", "169.254.169.254"], chosen, &site).unwrap_err();
        }
    }
    // An operator who lists an address decides that it is harmless.
    verdict("http://169.254.0.1/", &[], decides, &service("169.254.0.1", "")).unwrap();
}

#[test]
fn a_test_of_an_address_follows_redirects_to_the_same_path_only() {
    let none = service("", "");
    let from = address::read("http://chat.example/team/api/v4/system/ping").unwrap();
    let allows = |chosen: Chosen<'_>, to: &str| {
        Policy::new(chosen, &from, &none).check_redirect(&from, &address::read(to).unwrap()).is_ok()
    };
    let tests = Chosen::ByOperator { listening: &[], decides_site_url: true };
    for (to, is_allowed) in [
        ("https://chat.example/team/api/v4/system/ping", true),
        ("http://chat.example:8065/team/api/v4/system/ping", true),
        ("https://chat.example/api/v4/system/ping", false),
        ("https://chat.example/team/api/v4/system/ping?x", false),
        ("https://other.example/team/api/v4/system/ping", false),
    ] {
        assert_eq!(allows(tests, to), is_allowed, "{to}");
        assert!(allows(TYPED, to) && allows(Chosen::InConfiguration, to), "{to}");
    }
}
