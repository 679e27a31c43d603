//! The processor time and memory of another process, as Linux reports them in `/proc`.

use std::io;
use std::time::Duration;

/// Returns the processor time that all threads of a process have used so far.
pub(crate) fn used(pid: u32) -> io::Result<Duration> {
    let mut total = 0;
    for task in std::fs::read_dir(format!("/proc/{pid}/task"))? {
        let text = std::fs::read_to_string(task?.path().join("schedstat"))?;
        let on_cpu = text.split_whitespace().next().and_then(|word| word.parse::<u64>().ok());
        total += on_cpu.ok_or_else(|| io::Error::other("schedstat has no first number"))?;
    }
    Ok(Duration::from_nanos(total))
}

/// Returns the resident memory of a process, in kilobytes.
pub(crate) fn resident_kb(pid: u32) -> io::Result<u64> {
    status(pid, "VmRSS:")
}

/// Returns the peak resident memory of a process, in kilobytes.
pub(crate) fn peak_kb(pid: u32) -> io::Result<u64> {
    status(pid, "VmHWM:")
}

fn status(pid: u32, name: &str) -> io::Result<u64> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = text.lines().find_map(|line| line.strip_prefix(name));
    let number = line.and_then(|line| line.split_whitespace().next()?.parse().ok());
    number.ok_or_else(|| io::Error::other(format!("no {name}")))
}
