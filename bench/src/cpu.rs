//! The processor time and memory of another process, as Linux reports them in `/proc`.

use std::io;
use std::time::Duration;

/// Returns the processor time that the present threads of a process have used so far.
pub(crate) fn used(pid: u32) -> io::Result<Duration> {
    let mut total = 0;
    for task in std::fs::read_dir(format!("/proc/{pid}/task"))? {
        let text = std::fs::read_to_string(task?.path().join("schedstat"))?;
        let on_cpu = text.split_whitespace().next().and_then(|word| word.parse::<u64>().ok());
        total += on_cpu.ok_or_else(|| io::Error::other("schedstat has no first number"))?;
    }
    Ok(Duration::from_nanos(total))
}

/// The length of the kernel's unit of processor time, in milliseconds.
const TICK_MS: u64 = 10;

/// Returns the processor time of a process so far, that of threads that ended included. It is exact to 10 ms.
pub(crate) fn used_in_all(pid: u32) -> io::Result<Duration> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/stat"))?;
    let ticks = ticks_in(&text).ok_or_else(|| io::Error::other("stat has no times"))?;
    Ok(Duration::from_millis(ticks * TICK_MS))
}

/// Returns the sum of the time in programs and the time in the kernel.
fn ticks_in(stat: &str) -> Option<u64> {
    // The name of the program is in brackets and may contain blanks.
    let (_, fields) = stat.rsplit_once(')')?;
    let mut times = fields.split_whitespace().skip(11).map(str::parse::<u64>);
    Some(times.next()?.ok()? + times.next()?.ok()?)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_times_of_a_process_are_found_behind_its_name() {
        let stat = "71 (a ) name) S 1 71 71 0 -1 4194560 100 200 3 4 250 50 7 8 20 0 1 0 5 6 7";
        assert_eq!((ticks_in(stat), ticks_in("71 (name) S 1")), (Some(300), None));
    }

    #[test]
    fn the_time_of_a_thread_that_ended_counts() {
        let before = used_in_all(std::process::id()).unwrap();
        let work = || (0..20_000_000_u64).map(std::hint::black_box).sum::<u64>();
        std::thread::spawn(work).join().unwrap();
        assert!(used_in_all(std::process::id()).unwrap() > before);
    }
}
