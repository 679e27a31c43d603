//! The machine and the command of a run.

use reqwest::Url;
use serde::Serialize;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

#[derive(Debug, Clone, Serialize)]
pub(crate) struct Environment {
    pub(crate) started_at: String,
    pub(crate) command: Vec<String>,
    pub(crate) system: String,
    pub(crate) processor: String,
    pub(crate) cores: usize,
    pub(crate) memory_kb: Option<u64>,
    /// The load average of the last minute before the run.
    pub(crate) load_average: Option<f64>,
}

impl Environment {
    /// Reads the environment of this process.
    pub(crate) fn read() -> Self {
        let uname = rustix::system::uname();
        let text = |text: &std::ffi::CStr| text.to_string_lossy().into_owned();
        let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
        let started_at = OffsetDateTime::now_utc().replace_nanosecond(0).unwrap_or(OffsetDateTime::UNIX_EPOCH);
        Self {
            started_at: started_at.format(&Rfc3339).unwrap_or_default(),
            command: std::env::args_os().map(|argument| without_password(&argument.to_string_lossy())).collect(),
            system: format!("{} {} {}", text(uname.sysname()), text(uname.release()), text(uname.machine())),
            processor: value(&read("/proc/cpuinfo"), "model name").unwrap_or_default(),
            cores: std::thread::available_parallelism().map_or(1, std::num::NonZero::get),
            memory_kb: value(&read("/proc/meminfo"), "MemTotal")
                .and_then(|text| text.strip_suffix(" kB")?.parse().ok()),
            load_average: read("/proc/loadavg").split(' ').next().and_then(|number| number.parse().ok()),
        }
    }
}

/// Returns the value of the first line with a name.
fn value(text: &str, name: &str) -> Option<String> {
    let mut lines = text.lines().filter_map(|line| line.split_once(':'));
    lines.find(|(found, _)| found.trim() == name).map(|(_, value)| value.trim().to_owned())
}

/// Replaces the password in an address, and its query, which may contain a password too.
fn without_password(argument: &str) -> String {
    let begin = if argument.starts_with("--") { argument.find('=').map_or(0, |at| at + 1) } else { 0 };
    let (option, value) = argument.split_at(begin);
    match Url::parse(value) {
        Ok(mut url) if url.password().is_some() || url.query().is_some() => {
            if url.query().is_some() {
                url.set_query(Some("***"));
            }
            let is_replaced = url.password().is_none() || url.set_password(Some("***")).is_ok();
            if is_replaced { format!("{option}{url}") } else { format!("{option}***") }
        }
        _ => argument.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_in_an_address_is_not_reported() {
        let shown = ["--database=postgres://a:secret@host/db", "postgres://a:secret@host/db"].map(without_password);
        assert_eq!(shown, ["--database=postgres://a:***@host/db", "postgres://a:***@host/db"]);
        let in_query =
            ["--database=postgres://host/db?user=a&password=secret", "postgres://a:b@host/db?password=secret"];
        assert_eq!(
            in_query.map(without_password),
            ["--database=postgres://host/db?***", "postgres://a:***@host/db?***"]
        );
        for same in ["--rate=5", "mixed", "postgres://a@host/db", "http://127.0.0.1:8065", "--pin"] {
            assert_eq!(without_password(same), same);
        }
    }

    #[test]
    fn the_environment_of_this_machine_can_be_read() {
        let environment = Environment::read();
        assert!(environment.system.starts_with("Linux ") && environment.cores > 0);
        assert!(environment.started_at.len() == 20 && environment.memory_kb.is_some(), "{environment:?}");
    }
}
