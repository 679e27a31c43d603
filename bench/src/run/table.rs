//! The outcome of a run as a table for a terminal.

use std::fmt::Write;

use super::compared::Ratio;
use super::condition::Verdict;
use super::outcome::{Named, Outcome, Percentiles, Summary};
use super::sockets::SocketFacts;
use super::usage::Usage;
use super::visits::VisitFacts;
use crate::report::to_float;

/// Returns the lines of the outcome.
pub(crate) fn table(outcome: &Outcome) -> String {
    let mut lines = String::new();
    let seconds = to_float(outcome.measured_ms) / 1000.0;
    let end = if outcome.is_interrupted { ", ended by the user" } else { "" };
    let _ = writeln!(lines, "{}, measured for {seconds:.1} s{end}", load(outcome));
    let _ = writeln!(lines, "latency in milliseconds, from the intended start, failed requests included");
    let _ = writeln!(lines, "{HEAD}");
    for Named { name, summary, is_background } in &outcome.requests {
        let name = if *is_background { format!("{name} (background)") } else { name.clone() };
        let _ = writeln!(lines, "{}", row(&name, summary));
    }
    if outcome.requests.len() > 1 {
        let _ = writeln!(lines, "{}", row("all of the mix", &outcome.total));
    }
    let _ = writeln!(lines, "throughput            {:.1} requests/s succeeded in time", outcome.throughput_per_s);
    for Named { name, summary, .. } in &outcome.requests {
        for cause in &summary.failures {
            let _ = writeln!(lines, "failed                {} × {name}: {}", cause.count, cause.text());
        }
    }
    let _ = writeln!(lines, "connections           {}", connection_facts(outcome));
    usage(outcome, &mut lines);
    if let Some(sockets) = &outcome.sockets {
        let _ = writeln!(lines, "sockets               {}", socket_facts(sockets));
    }
    if let Some(visits) = &outcome.visits {
        let _ = writeln!(lines, "visits                {}", visit_facts(visits));
    }
    for facts in outcome.attack.iter().flatten() {
        let _ = writeln!(lines, "attack                {}: {}", facts.kind, facts.text());
    }
    let generator = &outcome.generator;
    let _ = writeln!(
        lines,
        "load generator        busy {:.0} % of the time; late starts p99 {} ms, max {} ms; lag p99 {} ms, max {} ms",
        generator.busy * 100.0,
        ms(generator.late_start_p99_us),
        ms(generator.late_start_max_us),
        ms(generator.loop_lag_p99_us),
        ms(generator.loop_lag_max_us)
    );
    for sentence in outcome.target.unknown.iter().chain(&outcome.accounts) {
        let _ = writeln!(lines, "note                  {sentence}");
    }
    for reason in &generator.bottleneck {
        let _ = writeln!(lines, "NOT VALID             {reason}");
    }
    lines
}

const HEAD: &str =
    "request                    count    failed      mean       p50       p90       p95       p99     p99.9       max";

fn row(name: &str, summary: &Summary) -> String {
    let Percentiles { mean_us, p50_us, p90_us, p95_us, p99_us, p999_us, max_us, .. } = summary.latency;
    if summary.count == 0 {
        return format!("{name:<22}{:>10}{}", 0, format!("{:>10}", "-").repeat(8));
    }
    let latencies = [p50_us, p90_us, p95_us, p99_us, p999_us, Some(max_us)];
    let latencies = latencies.map(|us| format!("{:>10}", us.map_or_else(unknown, ms))).concat();
    let failed = format!("{:.3}%", summary.failed_part * 100.0);
    format!("{name:<22}{:>10}{failed:>10}{:>10.2}{latencies}", summary.count, mean_us / 1000.0)
}

fn load(outcome: &Outcome) -> String {
    let users = outcome.load.users;
    match outcome.load.rate_per_s {
        Some(rate) if outcome.load.burst > 1 => {
            let burst = outcome.load.burst;
            format!("open loop, {rate} requests/s in bursts of {burst}, at most {users} at the same time")
        }
        Some(rate) => format!("open loop, {rate} requests/s, at most {users} at the same time"),
        None => format!("closed loop, {users} users"),
    }
}

fn usage(outcome: &Outcome, lines: &mut String) {
    let Some(usage) = &outcome.usage else { return };
    let each = usage.cpu_us_per_request.map_or(String::new(), |us| format!(", {us:.1} µs a request"));
    let descriptors = usage.descriptors_max.map_or(String::new(), |count| format!("; at most {count} descriptors"));
    let _ = writeln!(
        lines,
        "server                {} ms CPU{each}, {:.1} % of the machine; resident memory {} kB before, {} kB after, at most {} kB{descriptors}",
        usage.cpu_ms,
        usage.cpu_of_machine * 100.0,
        usage.resident_kb_first,
        usage.resident_kb_last,
        usage.resident_kb_max
    );
    if let Some(slopes) = slopes(usage) {
        let _ = writeln!(lines, "slopes                {slopes}");
    }
    if let Some(cpu) = usage.postgres_cpu_ms {
        let each = usage.postgres_cpu_us_per_request.map_or(String::new(), |us| format!(", {us:.1} µs a request"));
        let _ = writeln!(lines, "PostgreSQL            {cpu} ms CPU in the sessions of the server{each}");
    }
}

/// Describes the slopes of memory and descriptors, if they are known.
pub(crate) fn slopes(usage: &Usage) -> Option<String> {
    let descriptors = usage.descriptors_per_min.map_or(String::new(), |slope| format!(" and {slope:+.1} descriptors"));
    let memory = usage.resident_kb_per_min?;
    Some(format!("{memory:+.1} kB{descriptors} a minute, steadily after the first third"))
}

/// Describes the connections that requests opened.
pub(crate) fn connection_facts(outcome: &Outcome) -> String {
    let tls = outcome.target.tls.as_ref().map_or_else(String::new, |tls| format!("; {tls}, a full handshake for each"));
    format!("{} opened for requests, warm-up included{tls}", outcome.connections)
}

/// Describes the sockets of a run.
pub(crate) fn socket_facts(sockets: &SocketFacts) -> String {
    let SocketFacts { opened, failed, events, skipped, repeated, bytes_each } = sockets;
    let memory = bytes_each.map_or_else(String::new, |bytes| format!(", {bytes} bytes of the server's memory each"));
    format!(
        "{opened} open, {failed} ended early{memory}; {events} events about preferences, {skipped} skipped, {repeated} repeated"
    )
}

/// Describes the sockets that requests of a run opened.
pub(crate) fn visit_facts(visits: &VisitFacts) -> String {
    let VisitFacts { busiest_per_s, greeted, resumed, ended_early, events, skipped, repeated } = visits;
    format!(
        "at most {busiest_per_s:.0}/s in an interval; {greeted} sockets greeted, {resumed} resumed, {ended_early} ended early; {events} events, {skipped} skipped, {repeated} repeated"
    )
}

/// Returns the lines with the ratios of two servers.
pub(crate) fn ratios(ratios: &[Ratio]) -> String {
    let mut lines = String::new();
    if !ratios.is_empty() {
        lines.push_str("\nratio of the target to the other side, with the interval of 95 % confidence\n");
    }
    for Ratio { figure, ratio, low, high } in ratios {
        let is_certain = *low > 1.0 || *high < 1.0;
        let verdict = if is_certain { "" } else { "   no certain difference" };
        let _ = writeln!(lines, "{figure:<22}{ratio:>8.3}   {low:.3} to {high:.3}{verdict}");
    }
    lines
}

/// Returns the lines with the conditions and their figures.
pub(crate) fn verdicts(verdicts: &[Verdict]) -> String {
    let line = |Verdict { condition, is_met, figure }: &Verdict| {
        let word = if *is_met { "FAILS" } else { "holds" };
        format!("{word:<22}{condition}: {figure}\n")
    };
    verdicts.iter().map(line).collect()
}

/// The head of the steps of a ladder.
pub(crate) const STEP_HEAD: &str =
    "requests/s     ended/s    failed   mean ms       p50       p95       p99  CPU %     MB";

/// Returns the line of a step of a ladder.
pub(crate) fn step(rate: f64, outcome: &Outcome) -> String {
    let Percentiles { mean_us, p50_us, p95_us, p99_us, .. } = outcome.total.latency;
    let latencies = [p50_us, p95_us, p99_us].map(|us| format!("{:>10}", us.map_or_else(unknown, ms))).concat();
    let failed = format!("{:.3}%", outcome.total.failed_part * 100.0);
    let usage = outcome.usage.as_ref().map_or_else(String::new, |usage| {
        format!("{:>7.1}{:>7.1}", usage.cpu_of_machine * 100.0, to_float(usage.resident_kb_max) / 1024.0)
    });
    let (ended, mean) = (outcome.throughput_per_s, mean_us / 1000.0);
    format!("{rate:>10}{ended:>12.1}{failed:>10}{mean:>10.2}{latencies}{usage}")
}

/// Returns the sign for a figure that is not known, such as a quantile of too few requests.
pub(crate) fn unknown() -> String {
    "-".to_owned()
}

/// Formats microseconds as milliseconds.
pub(crate) fn ms(us: u64) -> String {
    format!("{:.2}", to_float(us) / 1000.0)
}
