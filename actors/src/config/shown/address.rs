//! Texts that may be shown: words, addresses and data sources. They are rebuilt from parts that are known to be
//! harmless.

use crate::data_source::{Parameter, after_scheme, words};

/// The maximum length of a shown text, in bytes.
const MAX_SHOWN_BYTES: usize = 512;

/// The text in place of a hidden part.
const HIDDEN: &str = "****";

/// The options of a data source that may be shown. They never contain a password.
const OPTIONS: [&str; 12] = [
    "binary_parameters",
    "channel_binding",
    "connect_timeout",
    "hostaddr",
    "keepalives",
    "keepalives_idle",
    "keepalives_interval",
    "load_balance_hosts",
    "sslmode",
    "sslnegotiation",
    "target_session_attrs",
    "tcp_user_timeout",
];

/// Returns the text if it is a word, a list of words or a path.
pub(super) fn plain(text: &str) -> Option<String> {
    let is_plain = text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b" ./_-+,:~".contains(&byte));
    // A text with a scheme is an address, which may contain a user's name.
    (is_plain && text.len() <= MAX_SHOWN_BYTES && !text.contains("://")).then(|| text.to_owned())
}

/// Returns the text if it is an address with only scheme, host, port and path. Returns `None` if it has a user or a
/// query.
pub fn address(text: &str) -> Option<String> {
    let (scheme, rest) = text.split_once("://").unwrap_or(("", text));
    let is_scheme = scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'+');
    let (host, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let is_path = path.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"/._-~".contains(&byte));
    let is_shown = is_scheme && is_host(host) && is_path && text.len() <= MAX_SHOWN_BYTES;
    is_shown.then(|| text.to_owned())
}

/// Returns driver, hosts, ports and known options of a PostgreSQL data source. Returns `None` for any other data
/// source, and for one that the store refuses to read, because part of its password could look like another value.
pub fn data_source(text: &str) -> Option<String> {
    let words = words(text).ok()?;
    let value = |name: &str| words.iter().find(|word| word.name == name).map(|word| word.value.as_str());
    let (hosts, ports) = (value("host"), value("port"));
    let places = places(hosts.unwrap_or_default(), ports.unwrap_or_default())?;
    let options: Vec<String> = words.iter().filter_map(option).collect();
    if after_scheme(text.trim()).is_some() {
        let driver = text.trim().split_once("://").map(|(driver, _)| driver)?;
        let query = if options.is_empty() { String::new() } else { format!("?{}", options.join("&")) };
        return Some(format!("{driver}://{HIDDEN}:{HIDDEN}@{}/{HIDDEN}{query}", places.join(",")));
    }
    let host = format!("host={}", hosts?);
    let port = ports.map(|ports| format!("port={ports}"));
    Some([host].into_iter().chain(port).chain(options).collect::<Vec<_>>().join(" "))
}

/// Returns each host with its port, or `None` if one is not a valid host name, address or port.
fn places(hosts: &str, ports: &str) -> Option<Vec<String>> {
    let mut ports = ports.split(',').cycle();
    let place = |host: &str| {
        let host = if host.contains(':') { format!("[{host}]") } else { host.to_owned() };
        let port = ports.next().filter(|port| !port.is_empty()).map(|port| format!(":{port}"));
        let place = format!("{host}{}", port.unwrap_or_default());
        is_host(&place).then_some(place)
    };
    hosts.split(',').map(place).collect()
}

fn option(word: &Parameter) -> Option<String> {
    let Parameter { name, value, .. } = word;
    let is_value =
        value.len() <= 64 && value.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte));
    (OPTIONS.contains(&name.as_str()) && is_value).then(|| format!("{name}={value}"))
}

/// Returns true if the text is a host name or an IP address, with or without a port, or only a port.
fn is_host(text: &str) -> bool {
    let (host, port) = match text.rsplit_once(':') {
        Some((host, port)) if !port.contains(']') => (host, port),
        Some(_) | None => (text, ""),
    };
    let is_port = port.len() <= 5 && port.bytes().all(|byte| byte.is_ascii_digit());
    let is_number = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
    let is_name = match is_number {
        Some(number) => number.bytes().all(|byte| byte.is_ascii_hexdigit() || b":.".contains(&byte)),
        None => host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-_".contains(&byte)),
    };
    is_port && is_name && text.len() <= 253
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_shown_unless_it_names_somebody_or_asks_something() {
        for shown in ["https://chat.example/sub", ":8065", "[::1]:8065", "smtp.example:25", "localhost"] {
            assert_eq!(address(shown).as_deref(), Some(shown));
        }
        for hidden in
            ["https://u:canary@host/", "https://host/?key=canary", "https://host/#x", "two words", "u:canary@host"]
        {
            assert_eq!(address(hidden), None, "{hidden}");
        }
    }

    #[test]
    fn of_a_data_source_driver_host_and_known_options_are_left() {
        let cases = [
            ("postgres://u:canary@db:5432/canary?sslmode=disable", "postgres://****:****@db:5432/****?sslmode=disable"),
            ("postgres://u@[::1]/x?password=canary", "postgres://****:****@[::1]/****"),
            (
                "postgresql://one:1,two:2/x?connect_timeout=10&sslmode=can%20ary",
                "postgresql://****:****@one:1,two:2/****?connect_timeout=10",
            ),
            ("host=db port=5432 user=u password=canary sslmode=require", "host=db port=5432 sslmode=require"),
            ("port = 5432 host = db password = 'x sslmode=canary'", "host=db port=5432"),
        ];
        for (text, expected) in cases {
            assert_eq!(data_source(text).as_deref(), Some(expected));
        }
        for hidden in [
            "postgres://u:canary@db/x?password=canary",
            "postgres://u:c@n/ary@db/x",
            "host=db password='x sslmode=canary",
            "host=ca/nary",
            "mysql://u:canary@db/x",
            "data/canary.db",
            "postgres://u:ca?nary@db/x#",
            "postgres://nary:12?34@db/x",
            "host=db password=ca nary",
            "dbname=nary",
        ] {
            assert_eq!(data_source(hidden).filter(|shown| shown.contains("nary")), None, "{hidden}");
        }
    }

    #[test]
    fn a_plain_text_is_words_or_a_path() {
        for shown in ["./data/", "en,de", "RSAwithSHA256", "03:00"] {
            assert_eq!(plain(shown).as_deref(), Some(shown));
        }
        for hidden in ["https://host", "a@b", "x=y", "line\nline", &"x".repeat(600)] {
            assert_eq!(plain(hidden), None, "{hidden}");
        }
    }
}
