//! Divides the files that the process may open (`ulimit -n`, `LimitNOFILE` of systemd) between their uses.
//!
//! A connection, a socket, a database connection and a file of a local store take one file descriptor each, or a few.
//! Each use has a share of its own, so that it cannot take the last descriptor of another.

use std::num::NonZero;

use quarterdeck_actors::config::view::SqlSettings;
use tracing::{info, warn};

use crate::settings::options::Options;

/// The files that the process opens without any client: standard streams, log, listeners, an event queue per thread.
const BASE: usize = 84;
const BASE_PER_CORE: usize = 6;

/// The largest shares: of the database, and of all other uses (file stores, logs, packets, calls to other servers).
const MAX_DATABASE: usize = 1_024;
const MAX_REST: usize = 256;

/// The largest share for requests that wait for a turn: each watches its client with a second descriptor.
const MAX_WAITING: usize = 256;

/// The largest number of connections admitted beyond the limit while idle ones are being closed to make room.
const MAX_SPARE: usize = 256;

/// The largest number of connections reserved for requests, which sockets cannot take.
const MAX_WITHOUT_SOCKET: usize = 512;

/// The limit below which the server logs a warning: common systems give this many files to any service.
const RECOMMENDED_FILES: usize = 4_096;

/// The number of files for each use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Shares {
    files: usize,
    /// The number of client connections, sockets included.
    pub(crate) connections: usize,
    /// The number of sockets among these connections.
    pub(crate) sockets: usize,
    /// The number of connections to the database.
    pub(crate) database: usize,
}

impl Shares {
    /// Divides the files that this process may open.
    pub(crate) fn of_process() -> Self {
        let files = rustix::process::getrlimit(rustix::process::Resource::Nofile).current;
        let files = files.and_then(|files| usize::try_from(files).ok()).unwrap_or(usize::MAX);
        Self::of(files, cores())
    }

    /// Refuses a limit of open files with which the server cannot even open its own. A start raises it to the hard limit.
    pub(crate) fn check_process() -> Result<(), String> {
        let files = rustix::process::getrlimit(rustix::process::Resource::Nofile).maximum;
        enough(files.and_then(|files| usize::try_from(files).ok()).unwrap_or(usize::MAX), cores())
    }

    fn of(files: usize, cores: usize) -> Self {
        // Clients always get half of all files, even if the base needs more: without clients the server is useless.
        let free = files.saturating_sub(base(cores)).max(files / 2);
        let database = (free / 8).clamp(1, MAX_DATABASE);
        let rest = (free / 8).min(MAX_REST);
        let clients = free.saturating_sub(database + rest);
        // Of each 32 files, 24 are for connections, 5 for waiting requests, and 3 for connections beyond the limit.
        let connections = (clients / 32 * 24).max(clients.saturating_sub(MAX_WAITING + MAX_SPARE)).max(1);
        let without_socket = (connections / 4).min(MAX_WITHOUT_SOCKET);
        Self { files, connections, sockets: (connections - without_socket).max(1), database }
    }

    /// Returns the database settings with the number of connections limited to the share.
    pub(crate) fn within(&self, settings: &SqlSettings) -> SqlSettings {
        SqlSettings { max_open_conns: settings.max_open_conns.min(self.database), ..settings.clone() }
    }

    /// Logs the limits that are lower than the settings ask for.
    pub(crate) fn report(&self, options: &Options, settings: &SqlSettings) {
        let (connections, sockets) = (options.max_connections, options.sockets.sockets);
        let is_enough =
            self.connections >= connections && self.sockets >= sockets && self.database >= settings.max_open_conns;
        if is_enough {
            return;
        }
        let (files, shares) = (self.files, *self);
        let (connections, sockets) = (shares.connections.min(connections), shares.sockets.min(sockets));
        let database = shares.database.min(settings.max_open_conns);
        if files < RECOMMENDED_FILES {
            warn!(
                files,
                connections,
                sockets,
                database.connections = database,
                "the limit of open files is low (ulimit -n, LimitNOFILE): the server accepts fewer connections \
                 than the settings allow, and closes the longest idle ones when the limit is reached"
            );
        } else {
            info!(
                files,
                connections,
                sockets,
                database.connections = database,
                "the limit of open files (ulimit -n, LimitNOFILE) limits the number of connections"
            );
        }
    }
}

fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, NonZero::get)
}

/// Returns the number of files that the process opens without any client.
fn base(cores: usize) -> usize {
    BASE + BASE_PER_CORE.saturating_mul(cores)
}

fn enough(files: usize, cores: usize) -> Result<(), String> {
    let needed = base(cores);
    if files >= needed {
        return Ok(());
    }
    Err(format!("the process may open {files} files (ulimit -Hn, LimitNOFILE); the server needs at least {needed}"))
}

/// Returns the number of connections admitted beyond `limit` while as many idle ones are being closed to make room.
pub(crate) fn spare(limit: usize) -> usize {
    (limit / 8).clamp(1, MAX_SPARE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_files_are_divided_and_nobody_goes_without() {
        let shares = Shares::of(256, 2);
        assert_eq!((shares.connections, shares.sockets, shares.database), (72, 54, 20));
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
    fn a_server_without_files_for_itself_is_refused() {
        assert_eq!(enough(96, 2), Ok(()));
        let refused = enough(95, 2).unwrap_err();
        assert!(refused.contains("may open 95 files") && refused.contains("at least 96"), "{refused}");
    }

    #[test]
    fn the_defaults_fit_into_what_a_service_usually_has() {
        let options = Options::default();
        let shares = Shares::of(65_536, 8);
        assert!(shares.connections >= options.max_connections);
        assert!(shares.sockets >= options.sockets.sockets);
    }
}
