//! Binds the server to one core and everything else to another one.

use std::io;

use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

/// Runs `start` bound to one core, which the processes that it starts inherit. Then binds this thread to another core.
///
/// Fails on a machine with a single core, because the results would mean little there.
pub(crate) fn split<T, E: From<io::Error>>(start: impl FnOnce() -> Result<T, E>) -> Result<T, E> {
    let all = sched_getaffinity(None).map_err(io::Error::from)?;
    let mut cores = (0..CpuSet::MAX_CPU).filter(|core| all.is_set(*core));
    let (Some(first), Some(second)) = (cores.next(), cores.next()) else {
        return Err(io::Error::other("two cores are needed: one for the server, one for the attackers").into());
    };
    bind(first)?;
    let started = start();
    bind(second)?;
    started
}

fn bind(core: usize) -> io::Result<()> {
    let mut set = CpuSet::new();
    set.set(core);
    Ok(sched_setaffinity(None, &set)?)
}
