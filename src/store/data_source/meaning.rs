//! Applies each word of a data source.

use std::net::IpAddr;
use std::time::Duration;

use quarterdeck_actors::data_source::{Parameter, Problem};
use tokio_postgres::Config;
use tokio_postgres::config::{ChannelBinding, TargetSessionAttrs};

use super::limits::{number, seconds, time_limit};
use super::{DEFAULT_HOST, DEFAULT_PORT, DataSource, Encryption, Host, Place};

/// The application name that PostgreSQL shows for the server's connections.
const APPLICATION_NAME: &str = "quarterdeck";

/// Words that have no effect with these values, and are refused with other values.
const WITHOUT_EFFECT: [(&str, &[&str]); 9] = [
    ("binary_parameters", &["yes", "no", "true", "false", "on", "off", "1", "0"]),
    ("client_encoding", &["utf8", "utf-8", "unicode", "auto"]),
    ("disable_prepared_binary_result", &["yes", "no", "true", "false", "on", "off", "1", "0"]),
    ("gssdelegation", &["0"]),
    ("gssencmode", &["disable", "prefer"]),
    ("replication", &["false", "off", "no", "0"]),
    ("requiressl", &["0"]),
    ("sslcompression", &["0"]),
    ("sslinline", &["false", "off", "no", "0"]),
];

/// Words that this server does not support, with the reason.
const REFUSED: [(&[&str], &str); 8] = [
    (&["passfile"], "is not supported: write the password into the data source"),
    (&["service", "servicefile"], "is not supported: write the words of the service into the data source"),
    (
        &["krbspn", "krbsrvname", "gsslib", "require_auth", "requirepeer", "authtype", "tty"],
        "is not supported: the server logs in with a password or a certificate",
    ),
    (&["sslpassword"], "is not supported: decrypt the key with `openssl pkey` and keep its file private"),
    (&["sslcrl", "sslcrldir"], "is not supported: revoked certificates would be accepted"),
    (&["sslkeylogfile"], "is not supported: it would write the keys of connections to a file"),
    (&["scram_client_key", "scram_server_key"], "is not supported: write the password"),
    (&["min_protocol_version", "max_protocol_version"], "is not supported: the server speaks version 3.0"),
];

/// Run-time parameters that a data source may set directly, as in Mattermost's driver. `options` accepts any parameter.
const PARAMETERS: [&str; 26] = [
    "bytea_output",
    "client_min_messages",
    "datestyle",
    "default_transaction_isolation",
    "deadlock_timeout",
    "extra_float_digits",
    "geqo",
    "idle_in_transaction_session_timeout",
    "idle_session_timeout",
    "intervalstyle",
    "jit",
    "lc_messages",
    "lock_timeout",
    "log_min_duration_statement",
    "log_statement",
    "maintenance_work_mem",
    "plan_cache_mode",
    "role",
    "row_security",
    "search_path",
    "session_replication_role",
    "synchronous_commit",
    "temp_buffers",
    "timezone",
    "transaction_timeout",
    "work_mem",
];

/// Words that the code below handles; the hint about an unknown word suggests the nearest one.
const KNOWN: [&str; 32] = [
    "application_name",
    "channel_binding",
    "connect_timeout",
    "database",
    "dbname",
    "fallback_application_name",
    "host",
    "hostaddr",
    "keepalives",
    "keepalives_count",
    "keepalives_idle",
    "keepalives_interval",
    "keepalives_retries",
    "load_balance_hosts",
    "options",
    "password",
    "port",
    "ssl_max_protocol_version",
    "ssl_min_protocol_version",
    "sslcert",
    "sslcertmode",
    "sslkey",
    "sslmode",
    "sslnegotiation",
    "sslrootcert",
    "sslsni",
    "statement_timeout",
    "target_session_attrs",
    "tcp_user_timeout",
    "timezone",
    "search_path",
    "user",
];

/// The words that were read so far, from which a [`DataSource`] is built.
#[derive(Default)]
struct Reading {
    config: Config,
    encryption: Encryption,
    hosts: Vec<String>,
    addresses: Vec<String>,
    ports: Vec<String>,
    options: Vec<String>,
    fallback_name: Option<String>,
    statement_timeout: Option<Duration>,
    is_random: bool,
}

/// Builds a data source from its words. Refuses unknown words and invalid values.
pub(super) fn data_source(words: Vec<Parameter>) -> Result<DataSource, Problem> {
    let mut reading = Reading::default();
    for word in words {
        reading.take(word)?;
    }
    let hosts = reading.hosts()?;
    let Reading { config: mut base, mut encryption, options, fallback_name, statement_timeout, is_random, .. } =
        reading;
    encryption.settle()?;
    base.ssl_negotiation(encryption.negotiation());
    if base.get_application_name().is_none() {
        base.application_name(fallback_name.unwrap_or_else(|| APPLICATION_NAME.to_owned()));
    }
    base.options(options.join(" "));
    Ok(DataSource { base, hosts, encryption, statement_timeout, is_random })
}

impl Reading {
    fn take(&mut self, word: Parameter) -> Result<(), Problem> {
        let config = &mut self.config;
        match word.name.as_str() {
            "user" => drop(config.user(word.value)),
            "password" => drop(config.password(word.value)),
            "dbname" | "database" if config.get_dbname().is_some() => {
                return Err(Problem::about(&word, "is given twice"));
            }
            "dbname" | "database" => drop(config.dbname(word.value)),
            "host" => self.hosts = listed(&word.value),
            "hostaddr" => self.addresses = listed(&word.value),
            "port" => self.ports = listed(&word.value),
            "application_name" => drop(config.application_name(word.value)),
            "fallback_application_name" => self.fallback_name = Some(word.value),
            "options" => self.options.insert(0, word.value),
            "statement_timeout" => self.statement_timeout = time_limit(&word)?,
            "connect_timeout" => drop(seconds(&word)?.map(|limit| config.connect_timeout(limit))),
            "tcp_user_timeout" => drop(config.tcp_user_timeout(Duration::from_millis(number(&word)?.into()))),
            "keepalives" => drop(config.keepalives(number(&word)? != 0)),
            "keepalives_idle" => drop(seconds(&word)?.map(|time| config.keepalives_idle(time))),
            "keepalives_interval" => drop(seconds(&word)?.map(|time| config.keepalives_interval(time))),
            "keepalives_count" | "keepalives_retries" => drop(config.keepalives_retries(number(&word)?)),
            "channel_binding" => drop(config.channel_binding(channel_binding(&word)?)),
            "target_session_attrs" => drop(config.target_session_attrs(target(&word)?)),
            "load_balance_hosts" => self.is_random = is_random(&word)?,
            _ if self.encryption.take(&word)? => {}
            _ => self.parameter(&word)?,
        }
        Ok(())
    }

    fn parameter(&mut self, word: &Parameter) -> Result<(), Problem> {
        let name = word.name.as_str();
        if let Some((_, harmless)) = WITHOUT_EFFECT.iter().find(|(known, _)| *known == name) {
            let is_harmless = harmless.contains(&word.value.to_ascii_lowercase().as_str());
            return if is_harmless {
                Ok(())
            } else {
                Err(Problem::about(word, &format!("may be {} only", harmless.join(", "))))
            };
        }
        if let Some((_, why)) = REFUSED.iter().find(|(names, _)| names.contains(&name)) {
            return Err(Problem::about(word, why));
        }
        if PARAMETERS.contains(&name) || is_of_an_extension(name) {
            self.options.push(format!("-c {name}={}", escaped(&word.value)));
            return Ok(());
        }
        let nearest = quarterdeck_actors::nearest::nearest(name, KNOWN.into_iter());
        let hint = nearest.map(|known| format!("; the nearest known word is {known}")).unwrap_or_default();
        Err(Problem::about(
            word,
            &format!(
                "is neither a known word nor a run-time parameter that is allowed here{hint} (options='-c \
                 name=value' takes any parameter)"
            ),
        ))
    }

    fn hosts(&self) -> Result<Vec<Host>, Problem> {
        let (names, addresses, ports) = (&self.hosts, &self.addresses, &self.ports);
        let count = names.len().max(addresses.len()).max(1);
        let fits = |list: &[String]| list.is_empty() || list.len() == count;
        if !fits(names) || !fits(addresses) || !(fits(ports) || ports.len() == 1) {
            return Err(Problem::new(
                "host, hostaddr and port must have the same number of entries; only a single port may apply to all",
            ));
        }
        (0..count)
            .map(|index| {
                let address = addresses.get(index).map(|text| address(text)).transpose()?;
                let name = names.get(index).cloned().or_else(|| address.map(|address| address.to_string()));
                let port = ports.get(index).or_else(|| ports.first()).map_or("", String::as_str);
                Ok(Host { place: place(name.as_deref().unwrap_or(DEFAULT_HOST))?, address, port: of_port(port)? })
            })
            .collect()
    }
}

fn listed(text: &str) -> Vec<String> {
    text.split(',').map(|item| item.trim().to_owned()).collect()
}

fn place(name: &str) -> Result<Place, Problem> {
    let is_name =
        !name.is_empty() && !name.contains(|character: char| character.is_whitespace() || "@[]".contains(character));
    if name.starts_with('/') {
        Ok(Place::Unix(name.into()))
    } else if is_name {
        Ok(Place::Tcp(name.to_owned()))
    } else {
        Err(Problem::new("a host must be a name, an address, or the folder of a Unix socket that begins with /"))
    }
}

fn address(text: &str) -> Result<IpAddr, Problem> {
    text.parse().map_err(|_| Problem::new("hostaddr must be an IP address"))
}

fn of_port(text: &str) -> Result<u16, Problem> {
    if text.is_empty() {
        return Ok(DEFAULT_PORT);
    }
    text.parse().ok().filter(|port| *port > 0).ok_or(Problem::new("a port must be a number from 1 to 65535"))
}

fn channel_binding(word: &Parameter) -> Result<ChannelBinding, Problem> {
    match word.value.as_str() {
        "disable" => Ok(ChannelBinding::Disable),
        "prefer" => Ok(ChannelBinding::Prefer),
        "require" => Ok(ChannelBinding::Require),
        _ => Err(Problem::about(word, "must be disable, prefer or require")),
    }
}

/// Parses `target_session_attrs`. Values that prefer or demand a read-only host are refused, because the server writes.
fn target(word: &Parameter) -> Result<TargetSessionAttrs, Problem> {
    match word.value.as_str() {
        "any" => Ok(TargetSessionAttrs::Any),
        "read-write" | "primary" => Ok(TargetSessionAttrs::ReadWrite),
        _ => Err(Problem::about(word, "must be any, read-write or primary: the server writes to its database")),
    }
}

fn is_random(word: &Parameter) -> Result<bool, Problem> {
    match word.value.as_str() {
        "disable" => Ok(false),
        "random" => Ok(true),
        _ => Err(Problem::about(word, "must be disable or random")),
    }
}

/// Returns true for the name of an extension's parameter, which has the form `extension.parameter`.
fn is_of_an_extension(name: &str) -> bool {
    let is_word =
        |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    name.split_once('.').is_some_and(|(extension, parameter)| is_word(extension) && is_word(parameter))
}

/// Escapes blanks and backslashes for `options`, where an unescaped blank ends a value.
fn escaped(value: &str) -> String {
    let mut text = String::new();
    for character in value.chars() {
        if character.is_whitespace() || character == '\\' {
            text.push('\\');
        }
        text.push(character);
    }
    text
}
