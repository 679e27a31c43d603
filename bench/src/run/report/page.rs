//! The report as one HTML file, which loads nothing else.

use std::fmt::Write;

use super::chart::{Chart, Line, Place, escaped, number};
use super::{Report, Side};
use crate::report::to_float;
use crate::run::condition::Verdict;
use crate::run::outcome::{Named, Outcome, Point, Summary};
use crate::run::table::{connection_facts, slopes, socket_facts, unknown, visit_facts};
use crate::run::usage::UsageSample;

const STYLE: &str = include_str!("page.css");

/// The page permits no script and no request, so a text of a server cannot become either.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'";

pub(super) fn page(report: &Report) -> String {
    let title = format!("Load test {}", report.scenario.name);
    let mut html = format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"{POLICY}\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <title>{0}</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n<main>\n<h1>{0}</h1>\n<p>{1}</p>\n",
        escaped(&title),
        escaped(&report.scenario.about)
    );
    let _ = writeln!(html, "<p class=\"soft\">{}</p>", escaped(&report.environment.started_at));
    verdicts(report, &mut html);
    ratios(report, &mut html);
    compared_charts(report, &mut html);
    for side in &report.sides {
        facts(side, &mut html);
    }
    environment(report, &mut html);
    html.push_str("</main>\n</body>\n</html>\n");
    html
}

/// Writes the conditions of the run.
fn verdicts(report: &Report, html: &mut String) {
    for Verdict { condition, is_met, figure } in &report.verdicts {
        let (class, word) = if *is_met { ("bad", "Fails") } else { ("soft", "Holds") };
        let _ = writeln!(html, "<p class=\"{class}\">{word}: {}: {}.</p>", escaped(condition), escaped(figure));
    }
}

/// Writes the ratios of two servers.
fn ratios(report: &Report, html: &mut String) {
    if report.ratios.is_empty() {
        return;
    }
    html.push_str(
        "<h2>Comparison</h2><div class=\"wide\"><table><thead><tr><th>figure</th><th>target / other</th>\
         <th>with 95 % confidence</th></tr></thead><tbody>",
    );
    for one in &report.ratios {
        let (ratio, low, high) = (number(one.ratio), number(one.low), number(one.high));
        let _ = writeln!(html, "<tr><td>{}</td><td>{ratio}</td><td>{low} to {high}</td></tr>", one.figure);
    }
    html.push_str("</tbody></table></div>\n");
}

/// Writes the tables and notes of a server.
fn facts(side: &Side, html: &mut String) {
    let outcome = &side.outcome;
    let _ = writeln!(html, "<section><h2>{}</h2>", escaped(&side.name));
    for reason in &outcome.generator.bottleneck {
        let _ = writeln!(html, "<p class=\"bad\">Not valid: {}.</p>", escaped(reason));
    }
    if outcome.is_interrupted {
        html.push_str("<p class=\"bad\">The user ended the run early.</p>\n");
    }
    let _ = writeln!(html, "<p>{}</p>", escaped(&load(outcome)));
    requests(outcome, html);
    failures(outcome, html);
    html.push_str("<dl>");
    let target = &outcome.target;
    let version = target.version.as_deref().unwrap_or("unknown");
    let mut rows = vec![("server", target.url.clone()), ("version", version.to_owned())];
    rows.extend(target.program.clone().map(|program| ("program", program)));
    rows.extend(target.engine.map(|engine| ("database", engine.to_owned())));
    rows.extend(target.nodes.map(|nodes| ("servers", nodes.to_string())));
    rows.push(("throughput", format!("{} requests/s succeeded in time", number(outcome.throughput_per_s))));
    rows.push(("connections", connection_facts(outcome)));
    rows.extend(usage(outcome));
    rows.extend(outcome.sockets.as_ref().map(|sockets| ("sockets", socket_facts(sockets))));
    rows.extend(outcome.visits.as_ref().map(|visits| ("visits", visit_facts(visits))));
    rows.extend(outcome.attack.iter().flatten().map(|facts| (facts.kind.as_str(), facts.text())));
    let generator = &outcome.generator;
    rows.push((
        "load generator",
        format!(
            "busy {} % of the time; late starts p99 {} ms; lag p99 {} ms",
            number(generator.busy * 100.0),
            ms(generator.late_start_p99_us),
            ms(generator.loop_lag_p99_us)
        ),
    ));
    rows.extend(target.unknown.iter().chain(&outcome.accounts).map(|sentence| ("note", sentence.clone())));
    for (name, value) in rows {
        let _ = writeln!(html, "<dt>{name}</dt><dd>{}</dd>", escaped(&value));
    }
    html.push_str("</dl>");
    side_charts(side, html);
    html.push_str("</section>\n");
}

fn load(outcome: &Outcome) -> String {
    let seconds = number(to_float(outcome.measured_ms) / 1000.0);
    match outcome.load.rate_per_s {
        Some(rate) => format!(
            "Open loop: {} requests a second, at most {} at the same time, measured for {seconds} s.",
            number(rate),
            outcome.load.users
        ),
        None => format!("Closed loop: {} users, measured for {seconds} s.", outcome.load.users),
    }
}

fn requests(outcome: &Outcome, html: &mut String) {
    html.push_str(
        "<div class=\"wide\"><table><thead><tr><th>request</th><th>count</th><th>failed</th><th>mean ms</th><th>p50</th>\
         <th>p90</th><th>p95</th><th>p99</th><th>p99.9</th><th>max</th></tr></thead><tbody>",
    );
    for Named { name, summary, is_background } in &outcome.requests {
        let name = if *is_background { format!("{name} (background)") } else { name.clone() };
        row(&name, summary, html);
    }
    if outcome.requests.len() > 1 {
        row("all of the mix", &outcome.total, html);
    }
    html.push_str("</tbody></table></div>\n<p class=\"soft\">Latencies in milliseconds count from the intended start and include failed requests. A percentile of too few requests is not shown.</p>\n");
}

fn row(name: &str, summary: &Summary, html: &mut String) {
    let latency = &summary.latency;
    if summary.count == 0 {
        let dashes = format!("<td>{}</td>", unknown()).repeat(8);
        let _ = writeln!(html, "<tr><td>{}</td><td>0</td>{dashes}</tr>", escaped(name));
        return;
    }
    let _ = write!(
        html,
        "<tr><td>{}</td><td>{}</td><td>{:.3} %</td><td>{}</td>",
        escaped(name),
        summary.count,
        summary.failed_part * 100.0,
        number(latency.mean_us / 1000.0)
    );
    let quantiles = [latency.p50_us, latency.p90_us, latency.p95_us, latency.p99_us, latency.p999_us];
    for us in quantiles.into_iter().chain([Some(latency.max_us)]) {
        let _ = write!(html, "<td>{}</td>", us.map_or_else(unknown, ms));
    }
    html.push_str("</tr>\n");
}

fn failures(outcome: &Outcome, html: &mut String) {
    let causes =
        outcome.requests.iter().flat_map(|named| named.summary.failures.iter().map(|cause| (&named.name, cause)));
    let mut causes = causes.peekable();
    if causes.peek().is_none() {
        return;
    }
    html.push_str(
        "<div class=\"wide\"><table><thead><tr><th>failure</th><th>request</th><th>count</th></tr></thead><tbody>",
    );
    for (name, cause) in causes {
        let (cause, count) = (escaped(&cause.text()), cause.count);
        let _ = writeln!(html, "<tr><td>{cause}</td><td>{}</td><td>{count}</td></tr>", escaped(name));
    }
    html.push_str("</tbody></table></div>\n");
}

fn usage(outcome: &Outcome) -> Vec<(&'static str, String)> {
    let Some(usage) = &outcome.usage else { return Vec::new() };
    let each = |us: Option<f64>| us.map_or(String::new(), |us| format!(", {} µs a request", number(us)));
    let of_machine = number(usage.cpu_of_machine * 100.0);
    let mut rows = vec![(
        "processor time",
        format!("{} ms{}, {of_machine} % of the machine", usage.cpu_ms, each(usage.cpu_us_per_request)),
    )];
    if let Some(cpu) = usage.postgres_cpu_ms {
        let each = each(usage.postgres_cpu_us_per_request);
        rows.push(("PostgreSQL", format!("{cpu} ms of processor time in the sessions of the server{each}")));
    }
    let [first, last, max] =
        [usage.resident_kb_first, usage.resident_kb_last, usage.resident_kb_max].map(|kb| number(megabytes(kb)));
    rows.push(("memory", format!("{first} MB before, {last} MB after, at most {max} MB resident")));
    rows.extend(usage.descriptors_max.map(|count| ("descriptors", format!("at most {count}"))));
    rows.extend(slopes(usage).map(|slopes| ("slopes", slopes)));
    rows
}

/// Writes the charts with the lines of both servers, if there are two.
fn compared_charts(report: &Report, html: &mut String) {
    if report.sides.len() < 2 {
        return;
    }
    html.push_str("<h2>Comparison over time</h2><div class=\"charts\">");
    for chart in compared(&report.sides) {
        html.push_str(&chart.html());
    }
    html.push_str("</div>\n");
}

/// Writes the charts of one server.
fn side_charts(side: &Side, html: &mut String) {
    let outcome = &side.outcome;
    let line = |name: &str, of: fn(&Point) -> Option<f64>| Line { name: name.to_owned(), points: points(outcome, of) };
    let charts = [
        over_time(
            "Latency",
            "ms",
            vec![
                line("p50", |point| point.p50_us.map(milliseconds)),
                line("p99", |point| point.p99_us.map(milliseconds)),
                line("max", |point| point.max_us.map(milliseconds)),
            ],
        ),
        curve(vec![curve_line(&side.name, outcome)]),
        over_time("Throughput", "/s", vec![line("requests", |point| point.rate_per_s)]),
        over_time("Failures", "/s", vec![line("failed requests", |point| point.failed_per_s)]),
        over_time("Processor time of the server", "cores", vec![used(&side.name, outcome, |sample| sample.cores)]),
        over_time(
            "Resident memory of the server",
            "MB",
            vec![used(&side.name, outcome, |sample| megabytes(sample.resident_kb))],
        ),
    ];
    html.push_str("<div class=\"charts\">");
    for chart in charts {
        html.push_str(&chart.html());
    }
    html.push_str("</div>\n");
}

fn compared(sides: &[Side]) -> Vec<Chart> {
    let of_points = |of: fn(&Point) -> Option<f64>| {
        let lines = sides.iter().map(|side| Line { name: side.name.clone(), points: points(&side.outcome, of) });
        lines.collect::<Vec<_>>()
    };
    let of_usage =
        |of: fn(&UsageSample) -> f64| sides.iter().map(|side| used(&side.name, &side.outcome, of)).collect::<Vec<_>>();
    vec![
        over_time("Latency p50", "ms", of_points(|point| point.p50_us.map(milliseconds))),
        over_time("Latency p99", "ms", of_points(|point| point.p99_us.map(milliseconds))),
        curve(sides.iter().map(|side| curve_line(&side.name, &side.outcome)).collect()),
        over_time("Throughput", "/s", of_points(|point| point.rate_per_s)),
        over_time("Failures", "/s", of_points(|point| point.failed_per_s)),
        over_time("Processor time of the servers", "cores", of_usage(|sample| sample.cores)),
        over_time("Resident memory of the servers", "MB", of_usage(|sample| megabytes(sample.resident_kb))),
    ]
}

fn over_time(title: &str, unit: &str, lines: Vec<Line>) -> Chart {
    let (title, unit, x_label) = (title.to_owned(), unit.to_owned(), "seconds".to_owned());
    Chart { title, unit, x_label, ticks: Vec::new(), lines }
}

fn points(outcome: &Outcome, of: fn(&Point) -> Option<f64>) -> Vec<Place> {
    outcome.intervals.iter().map(|point| Place { x: to_float(point.at_ms) / 1000.0, y: of(point) }).collect()
}

fn used(name: &str, outcome: &Outcome, of: fn(&UsageSample) -> f64) -> Line {
    let samples = outcome.usage.iter().flat_map(|usage| &usage.samples);
    let points = samples.map(|sample| Place { x: to_float(sample.at_ms) / 1000.0, y: Some(of(sample)) }).collect();
    Line { name: name.to_owned(), points }
}

/// Returns the chart of latency by percentile. Each step to the right has a tenth of the requests above it.
fn curve(lines: Vec<Line>) -> Chart {
    let ticks = [(0.0, "0 %"), (0.5, "50 %"), (0.9, "90 %"), (0.99, "99 %"), (0.999, "99.9 %"), (0.9999, "99.99 %")];
    let ticks = ticks.map(|(quantile, text)| (nines(quantile), text.to_owned())).to_vec();
    let (title, unit) = ("Latency by percentile".to_owned(), "ms".to_owned());
    Chart { title, unit, x_label: "percentile of the requests".to_owned(), ticks, lines }
}

fn curve_line(name: &str, outcome: &Outcome) -> Line {
    let below_all = outcome.curve.iter().filter(|point| point.quantile < 1.0);
    let points = below_all.map(|point| Place { x: nines(point.quantile), y: Some(milliseconds(point.us)) }).collect();
    Line { name: name.to_owned(), points }
}

fn nines(quantile: f64) -> f64 {
    // Zero, not its negative.
    0.0 - (1.0 - quantile).log10()
}

fn environment(report: &Report, html: &mut String) {
    let environment = &report.environment;
    let memory =
        environment.memory_kb.map_or_else(|| "unknown".to_owned(), |kb| format!("{} MB", number(megabytes(kb))));
    let load = environment.load_average.map_or_else(|| "unknown".to_owned(), number);
    let rows = [
        ("machine", format!("{}; {} cores; {memory}", environment.processor, environment.cores)),
        ("system", environment.system.clone()),
        ("load average before the run", load),
        ("program", format!("{} {}", report.program.name, report.program.version)),
    ];
    html.push_str("<h2>Environment</h2><dl>");
    for (name, value) in rows {
        let _ = writeln!(html, "<dt>{name}</dt><dd>{}</dd>", escaped(&value));
    }
    let command = environment.command.iter().map(|argument| quoted(argument)).collect::<Vec<_>>().join(" ");
    let _ = writeln!(html, "<dt>command</dt><dd><code>{}</code></dd></dl>", escaped(&command));
}

/// Quotes an argument as a shell needs it.
fn quoted(argument: &str) -> String {
    let is_plain = |letter: char| letter.is_ascii_alphanumeric() || "-_./:=@,%+".contains(letter);
    if !argument.is_empty() && argument.chars().all(is_plain) {
        return argument.to_owned();
    }
    format!("'{}'", argument.replace('\'', r"'\''"))
}

fn ms(us: u64) -> String {
    number(milliseconds(us))
}

fn milliseconds(us: u64) -> f64 {
    to_float(us) / 1000.0
}

fn megabytes(kilobytes: u64) -> f64 {
    to_float(kilobytes) / 1024.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_argument_is_quoted_for_a_shell() {
        assert_eq!(["--rate=5", "a b", "it's", ""].map(quoted), ["--rate=5", "'a b'", r"'it'\''s'", "''"]);
    }

    #[test]
    fn percentiles_are_spread_by_the_requests_above_them() {
        assert!((nines(0.99) - 2.0).abs() < 1e-9 && (nines(0.999) - 3.0).abs() < 1e-9);
        assert!(nines(0.0).abs() < 1e-9 && nines(0.0).is_sign_positive());
    }
}
