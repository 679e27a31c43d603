//! The cores of a run: one for the servers and another one for the load generator, or any.

use std::io;

use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

#[derive(Debug, Clone, Copy)]
pub(crate) struct Cores {
    /// The number of cores of this process before it was bound to one.
    pub(crate) count: usize,
    bound: Option<Bound>,
}

#[derive(Debug, Clone, Copy)]
struct Bound {
    of_servers: usize,
    of_generator: usize,
}

impl Cores {
    /// Lets all processes use any core.
    pub(crate) fn any() -> io::Result<Self> {
        Ok(Self { count: std::thread::available_parallelism()?.get(), bound: None })
    }

    /// Chooses a core for the servers and another one for the load generator.
    ///
    /// Fails on a machine with a single core, because the results would mean little there.
    pub(crate) fn apart() -> io::Result<Self> {
        let all = sched_getaffinity(None).map_err(io::Error::from)?;
        let mut cores = (0..CpuSet::MAX_CPU).filter(|core| all.is_set(*core));
        let (Some(of_servers), Some(of_generator)) = (cores.next(), cores.next()) else {
            return Err(io::Error::other("two cores are needed: one for the server, one for the load generator"));
        };
        Ok(Self { bound: Some(Bound { of_servers, of_generator }), ..Self::any()? })
    }

    /// Binds this thread to the core of the servers. Processes that it starts inherit that.
    pub(crate) fn bind_to_servers(self) -> io::Result<()> {
        self.bound.map_or(Ok(()), |bound| bind(bound.of_servers))
    }

    /// Binds this thread to the core of the load generator.
    pub(crate) fn bind_to_generator(self) -> io::Result<()> {
        self.bound.map_or(Ok(()), |bound| bind(bound.of_generator))
    }
}

/// Runs `start` bound to one core, which the processes that it starts inherit. Then binds this thread to another core.
pub(crate) fn split<T, E: From<io::Error>>(start: impl FnOnce() -> Result<T, E>) -> Result<T, E> {
    let cores = Cores::apart()?;
    cores.bind_to_servers()?;
    let started = start();
    cores.bind_to_generator()?;
    started
}

fn bind(core: usize) -> io::Result<()> {
    let mut set = CpuSet::new();
    set.set(core);
    Ok(sched_setaffinity(None, &set)?)
}
