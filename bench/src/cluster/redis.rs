//! The Redis over which the servers of a run hear of each other.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::time::Duration;

/// The time limit for an answer.
const ANSWER_LIMIT: Duration = Duration::from_secs(5);

/// Returns the settings of a server that uses the Redis at `host:port`.
pub(super) fn settings(address: &str) -> [(&'static str, &str); 3] {
    [
        ("MM_CACHESETTINGS_CACHETYPE", "redis"),
        ("MM_CACHESETTINGS_REDISADDRESS", address),
        ("MM_CACHESETTINGS_REDISDB", "0"),
    ]
}

/// Returns the processor time that Redis has used since its start.
pub(super) fn used(address: &str) -> std::io::Result<Duration> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(ANSWER_LIMIT))?;
    stream.write_all(b"INFO cpu\r\nQUIT\r\n")?;
    let lines: Vec<String> = BufReader::new(stream).lines().collect::<Result<_, _>>()?;
    Ok(total(&lines))
}

fn total(lines: &[String]) -> Duration {
    let of = |name: &str| {
        let value = lines.iter().find_map(|line| line.strip_prefix(name)).unwrap_or_default();
        Duration::try_from_secs_f64(value.trim_end().parse().unwrap_or_default()).unwrap_or_default()
    };
    of("used_cpu_user:") + of("used_cpu_sys:")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_of_the_server_and_of_its_system_calls_counts() {
        let lines = ["used_cpu_sys:0.25\r", "used_cpu_user:1.5\r", "used_cpu_sys_children:9"].map(str::to_owned);
        assert_eq!(total(&lines), Duration::from_millis(1_750));
        assert_eq!(total(&[]), Duration::ZERO);
    }
}
