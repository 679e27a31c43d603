//! The files that the process may open (`ulimit -n`, `LimitNOFILE` of systemd), divided between all that needs some.
//!
//! A connection, a socket, a connection to the database and a file of a local store are one file each, or a few. Each has
//! a share of its own, so that none of them takes the last file from another.

use std::num::NonZero;

use quarterdeck_actors::config::view::SqlSettings;
use tracing::{info, warn};

use crate::settings::options::Options;

/// Files that the process has open without a client: standard streams, log, listeners, event queues of each thread.
const BASE: usize = 40;
const BASE_PER_CORE: usize = 6;

/// The largest shares of the database, and of stores of files, logs, packets and calls to other servers.
const MAX_DATABASE: usize = 1_024;
const MAX_REST: usize = 256;

/// Requests that wait for a turn look for the end of their client with a second descriptor of its connection.
const MAX_WAITING: usize = 256;

/// Connections that are admitted beyond the limit while idle ones make room.
const MAX_SPARE: usize = 256;

/// Connections that no socket takes, so that other requests find one.
const MAX_WITHOUT_SOCKET: usize = 512;

/// A limit below this is worth a warning: systems give so many to any service.
const USUAL_FILES: usize = 4_096;

/// The number of files for each use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Shares {
    files: usize,
    /// Connections of clients, sockets among them.
    pub(crate) connections: usize,
    /// Sockets, out of these.
    pub(crate) sockets: usize,
    /// Connections to the database.
    pub(crate) database: usize,
}

impl Shares {
    /// Divides what this process may open.
    pub(crate) fn of_process() -> Self {
        let files = rustix::process::getrlimit(rustix::process::Resource::Nofile).current;
        let files = files.and_then(|files| usize::try_from(files).ok()).unwrap_or(usize::MAX);
        Self::of(files, std::thread::available_parallelism().map_or(1, NonZero::get))
    }

    fn of(files: usize, cores: usize) -> Self {
        // Where that is more than half of all, clients get half all the same: the server is of no use without them.
        let free = files.saturating_sub(BASE + BASE_PER_CORE.saturating_mul(cores)).max(files / 2);
        let database = (free / 8).clamp(1, MAX_DATABASE);
        let rest = (free / 8).min(MAX_REST);
        let clients = free.saturating_sub(database + rest);
        // Of 32 places, 24 are for connections, 5 for those that wait, and 3 for those beyond the limit.
        let connections = (clients / 32 * 24).max(clients.saturating_sub(MAX_WAITING + MAX_SPARE)).max(1);
        let without_socket = (connections / 4).min(MAX_WITHOUT_SOCKET);
        Self { files, connections, sockets: (connections - without_socket).max(1), database }
    }

    /// The settings of the database with no more connections than there are files for.
    pub(crate) fn within(&self, settings: &SqlSettings) -> SqlSettings {
        SqlSettings { max_open_conns: settings.max_open_conns.min(self.database), ..settings.clone() }
    }

    /// Says which limits are lower than what the settings ask for.
    pub(crate) fn report(&self, options: &Options, settings: &SqlSettings) {
        let (connections, sockets) = (options.connection_limits().0, options.socket_limits().sockets);
        let is_enough =
            self.connections >= connections && self.sockets >= sockets && self.database >= settings.max_open_conns;
        if is_enough {
            return;
        }
        let (files, shares) = (self.files, *self);
        let (connections, sockets) = (shares.connections.min(connections), shares.sockets.min(sockets));
        let database = shares.database.min(settings.max_open_conns);
        if files < USUAL_FILES {
            warn!(
                files,
                connections,
                sockets,
                database.connections = database,
                "the process may open few files (ulimit -n, LimitNOFILE), so that fewer connections are taken than the \
                 settings allow; the longest idle ones are closed when these are used up"
            );
        } else {
            info!(
                files,
                connections,
                sockets,
                database.connections = database,
                "the number of files that the process may open (ulimit -n, LimitNOFILE) limits the connections"
            );
        }
    }
}

/// The number of connections beyond `limit` that are admitted while as many idle ones make room.
pub(crate) fn spare(limit: usize) -> usize {
    (limit / 8).clamp(1, MAX_SPARE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_files_are_divided_and_nobody_goes_without() {
        let shares = Shares::of(256, 2);
        assert_eq!((shares.connections, shares.sockets, shares.database), (96, 72, 25));
        for files in [0, 1, 16, 64, 128, 256, 1_024, 4_096, 20_000, 65_536, 1 << 20, usize::MAX] {
            for cores in [1, 8, 128] {
                let shares = Shares::of(files, cores);
                assert!(shares.connections >= 1 && shares.sockets >= 1 && shares.database >= 1, "{shares:?}");
                assert!(shares.sockets <= shares.connections, "{shares:?}");
                let used = shares.connections + spare(shares.connections) + shares.database;
                assert!(files < 8 || used <= files, "{shares:?}");
            }
        }
    }

    #[test]
    fn the_defaults_fit_into_what_a_service_usually_has() {
        let options = Options::default();
        let shares = Shares::of(65_536, 8);
        assert!(shares.connections >= options.connection_limits().0);
        assert!(shares.sockets >= options.socket_limits().sockets);
    }
}
