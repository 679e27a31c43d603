//! Addresses to listen at, as the API's contract defines them: an optional host, a colon and a port.

use std::net::{IpAddr, Ipv4Addr};

/// The maximum length of a host name in bytes.
const MAX_HOST_BYTES: usize = 255;

/// The maximum length of a part of a host name in bytes.
const MAX_LABEL_BYTES: usize = 63;

/// Returns the host, which is empty for all addresses, and the port. Returns `None` if `text` is no such address.
///
/// IPv6 addresses stand in brackets. A port may have a sign. A host of digits and dots that is no IPv4 address is
/// refused, because a resolver would take it for another address.
pub fn parts(text: &str) -> Option<(&str, u16)> {
    let (host, port) = text.rsplit_once(':')?;
    let host = match host.strip_prefix('[') {
        Some(rest) => rest.strip_suffix(']').filter(|inner| !inner.contains(['[', ']']))?,
        None => Some(host).filter(|host| !host.contains([':', '[', ']']))?,
    };
    let is_host = host.is_empty() || host.parse::<IpAddr>().is_ok() || is_domain(host);
    is_host.then_some(host).zip(port_of(port))
}

/// Returns the address with its IPv4 host written in full, if the host is in a short form that resolvers understand,
/// such as `127.1` for `127.0.0.1`.
///
/// A short form is refused in new values, because its reader takes it for another address. Earlier versions of this
/// server listened at the address that the resolver made of it.
pub fn in_full(text: &str) -> Option<String> {
    let (host, port) = text.rsplit_once(':')?;
    let parts: Vec<u32> = host.split('.').map(number_of).collect::<Option<_>>()?;
    let (last, bytes) = parts.split_last()?;
    let places = bytes.iter().zip([24_u32, 16, 8]);
    let is_right =
        bytes.len() < 4 && bytes.iter().all(|byte| *byte < 256) && u64::from(*last) >> (32 - 8 * bytes.len()) == 0;
    let number = places.fold(*last, |number, (byte, place)| number | (byte << place));
    is_right.then(|| format!("{}:{port}", Ipv4Addr::from(number))).filter(|full| self::parts(full).is_some())
}

/// Returns a number in decimal, or in octal after a zero, as resolvers read the parts of an address.
fn number_of(text: &str) -> Option<u32> {
    let are_digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let is_octal = text.len() > 1 && text.starts_with('0');
    if are_digits { u32::from_str_radix(text, if is_octal { 8 } else { 10 }).ok() } else { None }
}

fn port_of(text: &str) -> Option<u16> {
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    let are_digits = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    let number = if are_digits { text.parse::<i64>().ok()? } else { return None };
    u16::try_from(number).ok()
}

/// Returns true if `host` is a name: labels of letters, digits, underscores and inner hyphens, with a letter or an
/// underscore somewhere. One dot may follow the last label.
fn is_domain(host: &str) -> bool {
    let is_label = |label: &str| {
        let is_framed_well = !label.is_empty() && !label.starts_with('-') && !label.ends_with('-');
        is_framed_well && label.len() <= MAX_LABEL_BYTES && label.bytes().all(is_of_label)
    };
    let has_letter = host.bytes().any(|byte| byte.is_ascii_alphabetic() || byte == b'_');
    let labels = host.strip_suffix('.').unwrap_or(host);
    host.len() <= MAX_HOST_BYTES && has_letter && labels.split('.').all(is_label)
}

fn is_of_label(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-_".contains(&byte)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_an_optional_host_and_a_port() {
        for (text, host, port) in [
            (":8065", "", 8065),
            ("127.0.0.1:0", "127.0.0.1", 0),
            ("[::1]:65535", "::1", 65_535),
            ("[127.0.0.1]:80", "127.0.0.1", 80),
            ("[localhost]:80", "localhost", 80),
            ("localhost:80", "localhost", 80),
            ("host.:80", "host.", 80),
            ("a-b.example:1", "a-b.example", 1),
            ("a_b:1", "a_b", 1),
            ("_:1", "_", 1),
            (":+80", "", 80),
            (":-0", "", 0),
            (":080", "", 80),
        ] {
            assert_eq!(parts(text), Some((host, port)), "{text}");
        }
    }

    #[test]
    fn a_short_form_of_an_address_is_written_in_full_and_nothing_else_is() {
        for (text, full) in [
            ("0.0.0:9917", "0.0.0.0:9917"),
            ("123:8065", "0.0.0.123:8065"),
            ("127.1:8065", "127.0.0.1:8065"),
            ("10.1.258:80", "10.1.1.2:80"),
            ("010.0.0.1:80", "8.0.0.1:80"),
            ("4294967295:1", "255.255.255.255:1"),
        ] {
            assert_eq!(in_full(text).as_deref(), Some(full), "{text}");
        }
        for text in
            ["256.1.1.1:80", "1.2.3.4.5:80", "1.2.3.256:80", "4294967296:1", "127.1:70000", "host:80", ":80", "1.:80"]
        {
            assert_eq!(in_full(text), None, "{text}");
        }
    }

    #[test]
    fn anything_else_is_refused() {
        let long = format!("{}:80", "a".repeat(64));
        for text in [
            "",
            ":",
            "8065",
            "localhost",
            ":65536",
            ":-1",
            ":+",
            ":8o",
            ": 80",
            "::1:80",
            "a b:80",
            "-a:80",
            "a-:80",
            "a..b:80",
            ".a:80",
            ".:80",
            "host..:80",
            "http://a:80",
            "0.0.0:9917",
            "123:8065",
            "1.2.3.4.5:80",
            "256.1.1.1:80",
            "[::1]",
            "[::1:80",
            "::1]:80",
            "[]]:80",
            "[fe80::1%eth0]:80",
            "é:80",
            &long,
        ] {
            assert_eq!(parts(text), None, "{text}");
        }
    }
}
