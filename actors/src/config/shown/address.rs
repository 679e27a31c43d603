//! Texts that may be shown: words, addresses and data sources, rebuilt from the parts that are known to be harmless.

/// Longer texts are not shown, in bytes.
const LONGEST: usize = 512;

/// What stands for a part that is not shown.
const HIDDEN: &str = "****";

/// The options of a data source that may be shown. Passwords are none of them.
const OPTIONS: [&str; 13] = [
    "binary_parameters",
    "channel_binding",
    "connect_timeout",
    "hostaddr",
    "keepalives",
    "keepalives_idle",
    "keepalives_interval",
    "load_balance_hosts",
    "port",
    "sslmode",
    "sslnegotiation",
    "target_session_attrs",
    "tcp_user_timeout",
];

/// A word, a list of words, or a path.
pub(super) fn plain(text: &str) -> Option<String> {
    let is_plain = text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b" ./_-+,:~".contains(&byte));
    // With a scheme it is an address, which may name somebody.
    (is_plain && text.len() <= LONGEST && !text.contains("://")).then(|| text.to_owned())
}

/// Scheme, host, port and path of an address; `None` when it names somebody, asks something or is no address.
pub fn address(text: &str) -> Option<String> {
    let (scheme, rest) = text.split_once("://").unwrap_or(("", text));
    let is_scheme = scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'+');
    let (host, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let is_path = path.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"/._-~".contains(&byte));
    let is_shown = is_scheme && is_host(host) && is_path && text.len() <= LONGEST;
    is_shown.then(|| text.to_owned())
}

/// Driver, host, port and known options of the address of a PostgreSQL; `None` for any other data source.
pub fn data_source(text: &str) -> Option<String> {
    match text.split_once("://") {
        Some((driver @ ("postgres" | "postgresql"), rest)) => url(driver, rest),
        Some(_) => None,
        None => words(text),
    }
}

fn url(driver: &str, rest: &str) -> Option<String> {
    let (place, query) = rest.split_once('?').unwrap_or((rest, ""));
    // The last one: whoever does not encode a password may have one in it.
    let place = place.rsplit_once('@').map_or(place, |(_, place)| place);
    let host = place.split('/').next().unwrap_or_default();
    // Behind the question mark it was no question, but a password that is not encoded.
    let is_readable = !query.contains('@') && host.split(',').all(is_host);
    if !is_readable {
        return None;
    }
    let options: Vec<String> = query.split('&').filter_map(option).collect();
    let query = if options.is_empty() { String::new() } else { format!("?{}", options.join("&")) };
    Some(format!("{driver}://{HIDDEN}:{HIDDEN}@{host}/{HIDDEN}{query}"))
}

/// `host=… port=…`: what is quoted, or not known, is not shown.
fn words(text: &str) -> Option<String> {
    let is_spread = text.contains("= ") || text.contains(" =");
    let is_readable = text.contains("host=") && !text.contains(['\'', '\\']) && !is_spread;
    if !is_readable {
        return None;
    }
    let host = |word: &str| {
        let host = word.strip_prefix("host=")?;
        host.split(',').all(is_host).then(|| word.to_owned())
    };
    let known: Vec<String> =
        text.split_ascii_whitespace().filter_map(|word| host(word).or_else(|| option(word))).collect();
    Some(known.join(" "))
}

fn option(pair: &str) -> Option<String> {
    let (name, value) = pair.split_once('=')?;
    let is_value =
        value.len() <= 64 && value.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte));
    (OPTIONS.contains(&name) && is_value).then(|| pair.to_owned())
}

/// A name or a number of a machine, with a port or without; also only a port.
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
            (
                "postgres://u:canary@db:5432/canary?sslmode=disable&password=canary",
                "postgres://****:****@db:5432/****?sslmode=disable",
            ),
            ("postgres://u:c@n/ary@db/x", "postgres://****:****@db/****"),
            (
                "postgresql://one:1,two:2/x?connect_timeout=10&sslmode=can%61ry",
                "postgresql://****:****@one:1,two:2/****?connect_timeout=10",
            ),
            ("host=db port=5432 user=u password=canary sslmode=require", "host=db port=5432 sslmode=require"),
        ];
        for (text, expected) in cases {
            assert_eq!(data_source(text).as_deref(), Some(expected));
        }
        for hidden in [
            "host=db password='x sslmode=canary'",
            "mysql://u:canary@db/x",
            "data/canary.db",
            "postgres://u:ca?nary@db/x#",
            "postgres://nary:12?34@db/x",
            "host=db password = nary",
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
