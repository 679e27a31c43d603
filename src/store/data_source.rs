//! Parses the data source of PostgreSQL: an address such as `postgres://…`, or `key=value` words.
//!
//! One parser reads both forms. It applies each word or refuses it by name; it ignores none silently.
//! Neither errors nor debug output contain the password.

mod limits;
mod meaning;
mod tls;

#[cfg(test)]
mod tests;

use std::fmt;
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use quarterdeck_actors::data_source::{Problem, words};
use tokio_postgres::Config;
use tokio_postgres::config::SslMode;

use super::StoreError;
pub(super) use tls::Encryption;

/// The standard port of PostgreSQL.
const DEFAULT_PORT: u16 = 5432;

/// The host when none is given, as in Mattermost's driver.
const DEFAULT_HOST: &str = "localhost";

/// The hosts of a PostgreSQL database and the settings of connections to it.
pub(crate) struct DataSource {
    /// The settings that all hosts share.
    base: Config,
    hosts: Vec<Host>,
    encryption: Encryption,
    /// The time limit of a statement, if the data source has one.
    statement_timeout: Option<Duration>,
    is_random: bool,
}

/// One host of a data source.
#[derive(Clone, Debug, PartialEq)]
struct Host {
    place: Place,
    /// The IP address to connect to, if the data source has one; then the name is used for the certificate only.
    address: Option<IpAddr>,
    port: u16,
}

#[derive(Clone, Debug, PartialEq)]
enum Place {
    Tcp(String),
    /// The directory of a Unix socket.
    Unix(PathBuf),
}

impl From<Problem> for StoreError {
    fn from(problem: Problem) -> Self {
        Self::Setting(format!("the data source cannot be used: {problem}"))
    }
}

impl DataSource {
    /// Parses a data source. Opens no files and no connections.
    pub(crate) fn parse(text: &str) -> Result<Self, StoreError> {
        Ok(meaning::data_source(words(text)?)?)
    }

    /// Returns hosts and database for messages, such as `db.example:5432/chat`.
    pub(crate) fn place(&self) -> String {
        let hosts: Vec<String> = self.hosts.iter().map(ToString::to_string).collect();
        let database = self.base.get_dbname().map(|name| format!("/{name}")).unwrap_or_default();
        format!("{}{database}", hosts.join(","))
    }

    /// Returns true when the data source contains a password.
    pub(crate) fn has_password(&self) -> bool {
        self.base.get_password().is_some()
    }

    /// Returns the settings of a connection to each host, in the order of the data source.
    pub(super) fn connections(&self) -> Vec<Config> {
        self.hosts.iter().map(|host| self.connection(host)).collect()
    }

    fn connection(&self, host: &Host) -> Config {
        let mut config = self.base.clone();
        config.port(host.port);
        match (&host.place, host.address) {
            (Place::Tcp(name), address) => {
                config.host(name);
                address.map(|address| config.hostaddr(address));
                config.ssl_mode(self.encryption.mode());
            }
            // PostgreSQL has no TLS on Unix sockets, and libpq ignores `sslmode` there.
            (Place::Unix(folder), _) => {
                config.host_path(folder);
                config.ssl_mode(SslMode::Disable);
            }
        }
        config
    }

    /// Returns the TLS settings.
    pub(super) fn encryption(&self) -> &Encryption {
        &self.encryption
    }

    /// Returns true when the hosts are tried in random order.
    pub(super) fn is_random(&self) -> bool {
        self.is_random
    }

    /// Returns the time limit of a statement: the one of the data source if it is shorter than `limit`, else `limit`.
    pub(super) fn statement_limit(&self, limit: Duration) -> Duration {
        self.statement_timeout.map_or(limit, |own| own.min(limit))
    }
}

impl fmt::Debug for DataSource {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("DataSource").field("place", &self.place()).finish_non_exhaustive()
    }
}

impl fmt::Display for Host {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.place {
            Place::Tcp(name) if name.contains(':') => write!(formatter, "[{name}]:{}", self.port),
            Place::Tcp(name) => write!(formatter, "{name}:{}", self.port),
            Place::Unix(folder) => write!(formatter, "{}", folder.display()),
        }
    }
}
