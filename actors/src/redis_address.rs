//! The address of a Redis server, as `CacheSettings.RedisAddress` gives it.

/// The port of Redis, for an address without one.
const DEFAULT_PORT: u16 = 6379;

/// A host with its port, the name of the account, and TLS or none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RedisAddress {
    /// The host, without the brackets of an IPv6 address.
    pub host: String,
    /// The port.
    pub port: u16,
    /// The name of the account; `None` for the default one, which has only a password.
    pub account: Option<String>,
    /// True if the connection uses TLS.
    pub is_tls: bool,
}

impl RedisAddress {
    /// Reads `host:port`, `redis://account@host:port`, or `rediss://host:port` for TLS.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        let text = text.trim();
        if text.contains(char::is_control) {
            return Err("the address contains a control character");
        }
        let (is_tls, rest) = match text.split_once("://") {
            None => (false, text),
            Some(("redis", rest)) => (false, rest),
            Some(("rediss", rest)) => (true, rest),
            Some(_) => return Err("the address begins with another word than redis:// or rediss://"),
        };
        let rest = rest.strip_suffix('/').unwrap_or(rest);
        let (account, place) = match rest.rsplit_once('@') {
            Some((account, place)) => (Some(account).filter(|account| !account.is_empty()), place),
            None => (None, rest),
        };
        if account.is_some_and(|account| account.contains(':')) {
            return Err("the address contains a password, which belongs in RedisPassword");
        }
        if place.contains(['/', '?', '#']) || place.contains(char::is_whitespace) {
            return Err("the address has more than a host and a port");
        }
        let (host, port) = split(place)?;
        if host.is_empty() {
            return Err("the address has no host");
        }
        Ok(Self { host: host.to_owned(), port, account: account.map(str::to_owned), is_tls })
    }
}

/// Returns the host, without the brackets of an IPv6 address, and the port.
fn split(place: &str) -> Result<(&str, u16), &'static str> {
    let (host, port) = match place.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((host, rest)) => (host, rest.strip_prefix(':')),
        None => match place.rsplit_once(':') {
            // An IPv6 address without a port has more than one colon.
            Some((host, port)) if !host.contains(':') => (host, Some(port)),
            Some(_) | None => (place, None),
        },
    };
    let port =
        port.map_or(Ok(DEFAULT_PORT), |port| port.parse().map_err(|_| "the port of the address is not a number"))?;
    Ok((host, port))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_a_host_and_may_have_a_port_an_account_and_tls() {
        let read = |text| {
            let RedisAddress { host, port, account, is_tls } = RedisAddress::parse(text).unwrap();
            (host, port, account.unwrap_or_default(), is_tls)
        };
        let known = |host: &str, port, account: &str, is_tls| (host.to_owned(), port, account.to_owned(), is_tls);
        assert_eq!(read("cache"), known("cache", 6379, "", false));
        assert_eq!(read(" cache:7000 "), known("cache", 7000, "", false));
        assert_eq!(read("redis://chat@cache:1/"), known("cache", 1, "chat", false));
        assert_eq!(read("rediss://[::1]:2"), known("::1", 2, "", true));
        assert_eq!(read("::1"), known("::1", 6379, "", false));
    }

    #[test]
    fn other_addresses_are_refused_with_the_reason() {
        for (text, reason) in [
            ("http://cache", "another word"),
            ("redis://chat:word@cache", "a password"),
            ("cache:port", "not a number"),
            ("cache/1", "more than a host"),
            ("rediss://", "no host"),
            ("redis://chat\r\nFLUSHALL@cache", "a control character"),
            ("cache\u{0}:6379", "a control character"),
            ("", "no host"),
        ] {
            assert!(RedisAddress::parse(text).unwrap_err().contains(reason), "{text}");
        }
    }
}
