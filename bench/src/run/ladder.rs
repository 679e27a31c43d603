//! `quarterdeck-bench ladder`: raises the load step by step until a threshold fails, and names the load that the server
//! supports.

use std::time::Duration;

use clap::Args;

use super::contender::{Choice, Contender};
use super::interrupt::{ENDED_BY_USER, Interrupt};
use super::mix::{MAX_RATE, Mix};
use super::options::{DEFAULT_DURATION, Options as RunOptions};
use super::outcome::Outcome;
use super::{load, say, scenarios, table};
use crate::report::to_float;

type Failure = Box<dyn std::error::Error>;

/// The warm-up of a step, in which the server settles at the new rate.
const STEP_WARMUP: Duration = Duration::from_secs(1);

/// The maximum number of steps of a ladder.
const MAX_STEPS: u32 = 60;

// The group of the flattened options has the same name.
#[derive(Debug, Args)]
#[group(skip)]
pub(crate) struct Options {
    #[command(flatten)]
    run: RunOptions,
    /// Factor from the rate of a step to the next
    #[arg(long, default_value_t = 1.5, value_parser = factor)]
    factor: f64,
    /// Threshold of the mean latency, in milliseconds
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u64).range(1..=300_000))]
    max_mean_ms: u64,
    /// Threshold of the 99th percentile of the latency, in milliseconds
    #[arg(long, default_value_t = 2000, value_parser = clap::value_parser!(u64).range(1..=300_000))]
    max_p99_ms: u64,
    /// Threshold of the failures, in percent of the requests
    #[arg(long, default_value_t = 0.025, value_parser = percent)]
    max_failures: f64,
    /// Threshold of the processor time and the memory of the server, in percent of the machine
    #[arg(long, default_value_t = 85.0, value_parser = percent)]
    max_use: f64,
}

/// The result of a step.
#[derive(Debug, PartialEq)]
enum Verdict {
    Supported,
    /// The thresholds that failed.
    Failed(Vec<String>),
    /// The load generator was the bottleneck, so the step tells nothing about the server.
    Unknown(Vec<String>),
}

pub(crate) async fn run(options: &Options) -> Result<(), Failure> {
    let mix = scenarios::find(&options.run.scenario)?;
    options.run.check(&mix)?;
    if mix.attack.is_some() {
        return Err("a ladder has no attackers".into());
    }
    let is_for_two = options.run.versus.is_some() || !options.run.fail_if.is_empty() || options.run.out.is_some();
    if is_for_two || options.run.concurrency.is_some() {
        return Err(
            "a ladder is an open loop of one server; leave --versus, --fail-if, --out and --concurrency out".into()
        );
    }
    crate::ws::place::raise_limit_of_files(load::connections(&options.run, &mix))?;
    let mut interrupt = Interrupt::listen()?;
    let choice = Choice::target(&options.run.target, options.run.binary.as_deref())?;
    let mut contender =
        Contender::open(&options.run, &mix, &choice, true, options.run.cores()?, &mut interrupt).await?;
    let climbed = climb(options, &mix, &mut contender, &mut interrupt).await;
    for note in contender.close(&mut interrupt).await {
        eprintln!("{note}");
    }
    climbed
}

/// Takes the steps and prints each.
async fn climb(
    options: &Options,
    mix: &Mix,
    contender: &mut Contender,
    interrupt: &mut Interrupt,
) -> Result<(), Failure> {
    let memory_kb = memory_kb();
    let mut rate = options.run.rate.or(mix.load.rate.map(|rate| rate.0)).unwrap_or(10.0);
    let mut supported = None;
    say(format_args!("{}: {}", options.run.scenario, mix.about.0));
    say(table::STEP_HEAD);
    for _ in 0..MAX_STEPS {
        let warmup = options.run.warmup.min(STEP_WARMUP);
        let run = options.run.at_rate(rate);
        contender.clear();
        contender.round(&run, mix, (warmup, options.run.duration.unwrap_or(DEFAULT_DURATION)), interrupt).await?;
        let outcome = contender.outcome(mix)?;
        if interrupt.is_requested() {
            say(told(supported));
            return Err(ENDED_BY_USER.into());
        }
        say(table::step(rate, &outcome));
        match verdict(options, &outcome, memory_kb) {
            Verdict::Supported => supported = Some(rate),
            Verdict::Failed(thresholds) => {
                say(format_args!("{rate} fails: {}", thresholds.join("; ")));
                return ended(supported);
            }
            Verdict::Unknown(reasons) => {
                let reasons = reasons.join("; ");
                say(format_args!("at {rate} requests/s, the load generator was the bottleneck: {reasons}"));
                say(told(supported));
                return Err("the load generator was the bottleneck before the server failed".into());
            }
        }
        rate = (rate * options.factor).ceil();
        if rate > MAX_RATE {
            break;
        }
    }
    ended(supported)
}

fn ended(supported: Option<f64>) -> Result<(), Failure> {
    say(told(supported));
    if supported.is_some() {
        Ok(())
    } else {
        Err("the server does not support the first step; begin lower with --rate".into())
    }
}

fn told(supported: Option<f64>) -> String {
    supported.map_or_else(|| "supported: none of the steps".to_owned(), |rate| format!("supported: {rate} requests/s"))
}

fn verdict(options: &Options, outcome: &Outcome, memory_kb: Option<u64>) -> Verdict {
    let latency = &outcome.total.latency;
    let mut failed = Vec::new();
    let mut check = |name: &str, value: f64, limit: f64, unit: &str| {
        if value > limit {
            failed.push(format!("{name} {value:.3} {unit}, threshold {limit}"));
        }
    };
    check("mean", latency.mean_us / 1000.0, to_float(options.max_mean_ms), "ms");
    check("p99", to_float(latency.p99_us.unwrap_or(latency.max_us)) / 1000.0, to_float(options.max_p99_ms), "ms");
    check("failures", outcome.total.failed_part * 100.0, options.max_failures, "%");
    if let Some(usage) = &outcome.usage {
        check("processor time", usage.cpu_of_machine * 100.0, options.max_use, "% of the machine");
        if let Some(memory_kb) = memory_kb {
            let used = to_float(usage.resident_kb_max) / to_float(memory_kb.max(1)) * 100.0;
            check("memory", used, options.max_use, "% of the machine");
        }
    }
    if !outcome.generator.bottleneck.is_empty() {
        return Verdict::Unknown(outcome.generator.bottleneck.clone());
    }
    if failed.is_empty() { Verdict::Supported } else { Verdict::Failed(failed) }
}

fn memory_kb() -> Option<u64> {
    super::report::Environment::read().memory_kb
}

fn factor(text: &str) -> Result<f64, String> {
    within(text, 1.05, 10.0)
}

fn percent(text: &str) -> Result<f64, String> {
    within(text, 0.0, 100.0)
}

fn within(text: &str, least: f64, greatest: f64) -> Result<f64, String> {
    let number = text.parse::<f64>().map_err(|_| format!("`{text}` is not a number"))?;
    let is_within = (least..=greatest).contains(&number);
    if is_within { Ok(number) } else { Err(format!("{number} is not between {least} and {greatest}")) }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::run::report::tests::outcome;

    #[derive(Debug, Parser)]
    struct Line {
        #[command(flatten)]
        options: Options,
    }

    fn options(more: &[&str]) -> Options {
        Line::parse_from([&["ladder", "ping", "--max-failures", "2"][..], more].concat()).options
    }

    #[test]
    fn a_step_is_supported_until_a_threshold_fails() {
        // The latencies are 50 to 56 ms, one request of a hundred fails, and the server uses 0.06 of two cores.
        let outcome = outcome(50);
        let failed = |more: &[&str]| match verdict(&options(more), &outcome, Some(100_000)) {
            Verdict::Failed(thresholds) => thresholds.join("; "),
            Verdict::Supported => "Supported".to_owned(),
            Verdict::Unknown(reasons) => reasons.concat(),
        };
        assert_eq!(failed(&[]), "Supported");
        assert!(failed(&["--max-mean-ms", "52"]).starts_with("mean 5"));
        assert!(failed(&["--max-p99-ms", "55"]).starts_with("p99 56."));
        assert!(failed(&["--max-use", "2"]).contains("processor time 3"));
        assert!(failed(&["--max-use", "40"]).starts_with("memory 50"));
    }

    #[test]
    fn a_step_with_a_slow_generator_tells_nothing_about_the_server() {
        let mut outcome = outcome(5000);
        outcome.generator.bottleneck.push("a reason".to_owned());
        assert_eq!(verdict(&options(&[]), &outcome, None), Verdict::Unknown(vec!["a reason".to_owned()]));
    }
}
