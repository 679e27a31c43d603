//! Binds the server to one core and everything else to another one.

use std::io;

use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

/// Runs `start` bound to one core, which the processes that it starts inherit. Then binds this thread to another core.
///
/// Fails on a machine with a single core, because the results would mean little there.
pub(crate) fn split<T, E: From<io::Error>>(start: impl FnOnce() -> Result<T, E>) -> Result<T, E> {
    let pinned = Pinned::server()?;
    let started = start();
    pinned.generator()?;
    started
}

/// This thread, bound to the core of the server that it is about to start.
pub(crate) struct Pinned {
    of_generator: usize,
}

impl Pinned {
    /// Binds this thread to the server's core. Processes that it starts inherit that.
    pub(crate) fn server() -> io::Result<Self> {
        let all = sched_getaffinity(None).map_err(io::Error::from)?;
        let mut cores = (0..CpuSet::MAX_CPU).filter(|core| all.is_set(*core));
        let (Some(first), Some(of_generator)) = (cores.next(), cores.next()) else {
            return Err(io::Error::other("two cores are needed: one for the server, one for the load generator"));
        };
        bind(first)?;
        Ok(Self { of_generator })
    }

    /// Binds this thread to the generator's core.
    pub(crate) fn generator(self) -> io::Result<()> {
        bind(self.of_generator)
    }
}

fn bind(core: usize) -> io::Result<()> {
    let mut set = CpuSet::new();
    set.set(core);
    Ok(sched_setaffinity(None, &set)?)
}
