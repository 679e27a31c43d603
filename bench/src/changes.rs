//! `quarterdeck-bench compare`: the change of figures over several reports.

use std::fmt::Write;
use std::fs::File;
use std::io::Read;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::Value;

type Failure = Box<dyn std::error::Error>;

/// The maximum size of a report, in bytes.
const MAX_REPORT_BYTES: u64 = 64 * 1024 * 1024;

/// The formats of reports that this program reads.
const FORMATS: RangeInclusive<u64> = 1..=crate::run::REPORT_FORMAT;

#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Files `report.json` of the same scenario, oldest first
    #[arg(required = true, num_args = 2..=50, value_name = "REPORT")]
    reports: Vec<PathBuf>,
}

/// The figures of a report: a title, its place in the outcome, and the divisor to its unit.
const FIGURES: [(&str, &str, f64); 9] = [
    ("mean ms", "/total/latency/mean_us", 1000.0),
    ("p50 ms", "/total/latency/p50_us", 1000.0),
    ("p95 ms", "/total/latency/p95_us", 1000.0),
    ("p99 ms", "/total/latency/p99_us", 1000.0),
    ("max ms", "/total/latency/max_us", 1000.0),
    ("requests/s", "/throughput_per_s", 1.0),
    ("failed %", "/total/failed_part", 0.01),
    ("CPU µs a request", "/usage/cpu_us_per_request", 1.0),
    ("resident MB, at most", "/usage/resident_kb_max", 1024.0),
];

/// Prints the figures of each report, and the change from the first to the last.
#[expect(clippy::print_stdout, reason = "the result is what the caller asked for")]
pub(crate) fn run(options: &Options) -> Result<(), Failure> {
    let reports = options.reports.iter().map(|path| read(path)).collect::<Result<Vec<_>, _>>()?;
    print!("{}", table(&reports));
    Ok(())
}

fn read(path: &Path) -> Result<Value, Failure> {
    let explain = |cause: String| format!("{}: {cause}", path.display());
    let mut text = String::new();
    let file = File::open(path).map_err(|cause| explain(cause.to_string()))?;
    file.take(MAX_REPORT_BYTES).read_to_string(&mut text).map_err(|cause| explain(cause.to_string()))?;
    let mut report: Value =
        serde_json::from_str(&text).map_err(|cause| explain(format!("it is no report.json: {cause}")))?;
    match report.get("format").and_then(Value::as_u64) {
        Some(format) if FORMATS.contains(&format) => {
            // Format 1 has no bursts.
            if let Some(load) = report.pointer_mut("/sides/0/outcome/load").and_then(Value::as_object_mut) {
                load.entry("burst").or_insert_with(|| 1.into());
            }
            Ok(report)
        }
        Some(other) => {
            let known = format!("{} to {}", FORMATS.start(), FORMATS.end());
            Err(explain(format!("format {other} is not known; this program reads the formats {known}")).into())
        }
        None => Err(explain("it is not a report".to_owned()).into()),
    }
}

fn table(reports: &[Value]) -> String {
    let text = |report: &Value, place: &str| {
        report.pointer(place).and_then(Value::as_str).unwrap_or("unknown").chars().take(20).collect::<String>()
    };
    let mut lines = String::new();
    for (title, place) in [
        ("scenario", "/scenario/name"),
        ("started", "/environment/started_at"),
        ("version", "/sides/0/outcome/target/version"),
    ] {
        let _ = write!(lines, "{title:<22}");
        for report in reports {
            let _ = write!(lines, "{:>22}", text(report, place));
        }
        lines.push('\n');
    }
    for (title, place, divisor) in FIGURES {
        let figure = |report: &Value| Some(report.pointer(&format!("/sides/0/outcome{place}"))?.as_f64()? / divisor);
        let figures: Vec<Option<f64>> = reports.iter().map(figure).collect();
        let _ = write!(lines, "{title:<22}");
        for figure in &figures {
            let shown = figure.map_or_else(|| "-".to_owned(), |figure| format!("{figure:.3}"));
            let _ = write!(lines, "{shown:>22}");
        }
        let _ = writeln!(lines, "{}", change(&figures));
    }
    for note in notes(reports) {
        let _ = writeln!(lines, "note: {note}");
    }
    lines
}

/// Returns the change from the first to the last figure, and the direction if each step has the same one.
fn change(figures: &[Option<f64>]) -> String {
    let known: Vec<f64> = figures.iter().copied().flatten().collect();
    let ([first, .., last], true) = (known.as_slice(), known.len() == figures.len()) else { return String::new() };
    let change = match *first {
        first if first > 0.0 => format!("  {:+7.1} %", (last / first - 1.0) * 100.0),
        _ if *last > 0.0 => "  more than 0".to_owned(),
        _ => String::new(),
    };
    let steps = || known.iter().zip(known.iter().skip(1));
    let direction = match known.len() {
        0..=2 => "",
        _ if steps().all(|(one, next)| next > one) => "  rises in each step",
        _ if steps().all(|(one, next)| next < one) => "  falls in each step",
        _ => "  no trend",
    };
    format!("{change}{direction}")
}

/// Returns sentences about reports that should not be compared.
fn notes(reports: &[Value]) -> Vec<String> {
    let mut notes = Vec::new();
    for (name, place) in [
        ("scenarios", "/scenario/name"),
        ("engines", "/sides/0/outcome/target/engine"),
        ("loads", "/sides/0/outcome/load"),
        ("durations", "/sides/0/outcome/measured_ms"),
        ("processors", "/environment/processor"),
        ("numbers of cores", "/environment/cores"),
    ] {
        let first = reports.first().and_then(|report| report.pointer(place));
        let differs = reports.iter().any(|report| report.pointer(place) != first);
        if differs {
            notes.push(format!("the reports have different {name}"));
        }
    }
    for (number, report) in reports.iter().enumerate() {
        let is_valid = report.get("is_valid").and_then(Value::as_bool).unwrap_or_default();
        if !is_valid {
            notes.push(format!("report {} is not valid, because its load generator was the bottleneck", number + 1));
        }
        let is_interrupted = report.pointer("/sides/0/outcome/is_interrupted").and_then(Value::as_bool);
        if is_interrupted == Some(true) {
            notes.push(format!("report {} is about a run that the user ended", number + 1));
        }
    }
    notes
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn report(p99_us: u64, is_valid: bool) -> Value {
        json!({
            "format": 1,
            "scenario": { "name": "ping" },
            "is_valid": is_valid,
            "sides": [{ "outcome": { "total": { "latency": { "p99_us": p99_us }, "failed_part": 0.0 }, "load": {} } }],
        })
    }

    #[test]
    fn figures_stand_beside_each_other_with_their_change() {
        let shown = table(&[report(1000, true), report(1500, true), report(2000, true)]);
        let line = shown.lines().find(|line| line.starts_with("p99")).unwrap();
        let words: Vec<_> = line.split_whitespace().collect();
        assert_eq!(words, ["p99", "ms", "1.000", "1.500", "2.000", "+100.0", "%", "rises", "in", "each", "step"]);
        assert!(shown.lines().any(|line| line.starts_with("p50") && line.trim_end().ends_with('-')), "{shown}");
        assert!(!shown.contains("note:"), "{shown}");
    }

    #[test]
    fn reports_that_should_not_be_compared_are_noted() {
        let mut other = report(1000, false);
        other["scenario"]["name"] = json!("mixed");
        other["sides"][0]["outcome"]["is_interrupted"] = json!(true);
        other["sides"][0]["outcome"]["target"] = json!({ "engine": "PostgreSQL" });
        let shown = table(&[report(1000, true), other]);
        assert!(shown.contains("different engines") && shown.contains("report 2 is about a run that"), "{shown}");
        assert!(shown.contains("different scenarios") && shown.contains("report 2 is not valid"), "{shown}");
    }

    #[test]
    fn a_change_has_a_trend_only_over_three_reports() {
        assert_eq!(change(&[Some(2.0), Some(1.0)]), "    -50.0 %");
        assert_eq!(change(&[Some(1.0), Some(3.0), Some(2.0)]), "   +100.0 %  no trend");
        assert_eq!(change(&[Some(0.0), Some(1.0)]), "  more than 0");
        assert_eq!(change(&[Some(0.0), Some(0.0)]), "");
        assert_eq!(change(&[Some(1.0), None]), "");
    }

    #[test]
    fn only_reports_of_this_format_are_read() {
        let folder = crate::compare::Folder::new().unwrap();
        let file = folder.path().join("report.json");
        for (text, cause) in [("{}", "it is not a report"), ("{\"format\":9}", "format 9"), ("no", "expected")] {
            std::fs::write(&file, text).unwrap();
            assert!(read(&file).unwrap_err().to_string().contains(cause));
        }
    }
}
