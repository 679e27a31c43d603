//! Where a PostgreSQL is and how it is reached, as the operator writes it: an address, or words with values.
//!
//! Both forms are read by one parser. Each word is honoured or refused by its name; no word is dropped.
//! Neither an error nor the debug text holds the password.

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

/// The port of PostgreSQL.
const DEFAULT_PORT: u16 = 5432;

/// The host when none is named, as in the driver of Mattermost.
const DEFAULT_HOST: &str = "localhost";

/// A PostgreSQL, and how connections to it are made.
pub(crate) struct DataSource {
    /// All that is the same for each host.
    base: Config,
    hosts: Vec<Host>,
    encryption: Encryption,
    /// The most that a statement may take, where the data source says so.
    statement_timeout: Option<Duration>,
    is_random: bool,
}

/// One of the hosts of a data source.
#[derive(Clone, Debug, PartialEq)]
struct Host {
    place: Place,
    /// Connections go here, where the data source says so; the name is then for the certificate only.
    address: Option<IpAddr>,
    port: u16,
}

#[derive(Clone, Debug, PartialEq)]
enum Place {
    Tcp(String),
    /// The folder of a Unix socket.
    Unix(PathBuf),
}

impl From<Problem> for StoreError {
    fn from(problem: Problem) -> Self {
        Self::Setting(format!("the data source cannot be used: {problem}"))
    }
}

impl DataSource {
    /// Reads a data source; opens and connects to nothing.
    pub(crate) fn parse(text: &str) -> Result<Self, StoreError> {
        Ok(meaning::data_source(words(text)?)?)
    }

    /// Hosts and database, for messages: `db.example:5432/chat`.
    pub(crate) fn place(&self) -> String {
        let hosts: Vec<String> = self.hosts.iter().map(ToString::to_string).collect();
        let database = self.base.get_dbname().map(|name| format!("/{name}")).unwrap_or_default();
        format!("{}{database}", hosts.join(","))
    }

    /// True when it holds a password.
    pub(crate) fn has_password(&self) -> bool {
        self.base.get_password().is_some()
    }

    /// The settings of a connection to each host, in the order in which they are tried.
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
            // PostgreSQL encrypts no Unix socket, and libpq ignores sslmode there.
            (Place::Unix(folder), _) => {
                config.host_path(folder);
                config.ssl_mode(SslMode::Disable);
            }
        }
        config
    }

    /// How connections are encrypted.
    pub(super) fn encryption(&self) -> &Encryption {
        &self.encryption
    }

    /// True when the hosts are tried in a random order.
    pub(super) fn is_random(&self) -> bool {
        self.is_random
    }

    /// The time limit of a statement: that of the data source, if it is shorter than `limit`.
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
