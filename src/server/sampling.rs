//! Takes a sample of the server's figures at fixed intervals.

use std::sync::atomic::Ordering;

use actix_web::web::Data;

use super::tasks::every;
use crate::telemetry::samples::{Levels, SAMPLE_INTERVAL};
use crate::web::state::AppState;

/// The file in which the kernel tells the memory of this process. It is made when it is read, so no disk is involved.
const MEMORY: &str = "/proc/self/status";

/// The line with the bytes that are in memory, in KiB.
const RESIDENT: &str = "VmRSS:";

pub(super) async fn keep_sampling(app: Data<AppState>) {
    every(SAMPLE_INTERVAL, async || app.metrics.sample(levels(&app))).await;
}

fn levels(app: &AppState) -> Levels {
    let count = |count: usize| u64::try_from(count).unwrap_or(u64::MAX);
    Levels {
        memory_bytes: std::fs::read_to_string(MEMORY).ok().as_deref().and_then(resident_bytes),
        websockets: count(app.actors.hub.counts().sockets.load(Ordering::Relaxed)),
        database_connections: count(app.db.pool().open),
    }
}

fn resident_bytes(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix(RESIDENT))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kib.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_memory_of_the_process_is_read_from_the_kernel() {
        assert_eq!(resident_bytes("Name:\tx\nVmRSS:\t    12 kB\nRssAnon:\t 1 kB\n"), Some(12_288));
        assert_eq!(resident_bytes("Name:\tx\n"), None);
        assert_eq!(resident_bytes("VmRSS:\t many kB\n"), None);
        let own = std::fs::read_to_string(MEMORY).unwrap();
        assert!(resident_bytes(&own).unwrap() > 1_000_000, "{own}");
    }
}
