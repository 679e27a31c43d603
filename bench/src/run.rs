//! `quarterdeck-bench run`: one scenario against one server or two, with a report.

mod accounts;
mod address;
mod attack;
mod callers;
mod compared;
mod condition;
mod contender;
mod contest;
mod deliveries;
mod engine;
mod failure;
mod http;
mod interrupt;
pub(crate) mod ladder;
mod live;
mod load;
mod mix;
pub(crate) mod options;
mod outcome;
mod prepared;
mod quantile;
mod random;
mod reached;
mod recorder;
mod report;
mod round;
mod saturation;
mod scenarios;
mod silent;
mod slope;
mod sockets;
mod span;
mod table;
mod target;
mod template;
#[cfg(test)]
mod tests;
mod timer;
mod usage;
mod user;
mod visits;

use std::fmt::Display;
use std::io::Write;

use condition::Verdict;
use interrupt::Interrupt;
use mix::Mix;
use options::Options;
pub(crate) use report::FORMAT as REPORT_FORMAT;
use report::{Environment, Report, Scenario, Side};

type Failure = Box<dyn std::error::Error>;

/// Prints a result. A reader that is gone ends nothing half-way: Ctrl-C also ends the program that a pipe leads to.
fn say(text: impl Display) {
    let _ = writeln!(std::io::stdout(), "{text}");
}

pub(crate) async fn run(options: &Options) -> Result<(), Failure> {
    let mix = scenarios::find(&options.scenario)?;
    options.check(&mix)?;
    crate::ws::place::raise_limit_of_files(load::connections(options, &mix))?;
    let mut interrupt = Interrupt::listen()?;
    let environment = Environment::read();
    let (sides, ratios) = contest::carry_out(options, &mix, &mut interrupt).await?;
    say(format_args!("{}: {}", options.scenario, mix.about.0));
    for Side { name, outcome } in &sides {
        if sides.len() > 1 {
            say(format_args!("\n{name}"));
        }
        say(table::table(outcome).trim_end());
    }
    let verdicts = verdicts(options, &mix, &sides, &ratios);
    for text in [table::ratios(&ratios), table::verdicts(&verdicts)].iter().filter(|text| !text.is_empty()) {
        say(text.trim_end());
    }
    let reasons = reasons(&mix, &sides, &ratios, &verdicts);
    let scenario = Scenario { name: options.scenario.clone(), about: mix.about.0.clone() };
    let report = Report::new(scenario, environment, sides, ratios, verdicts);
    if let Some(folder) = &options.out {
        report.write(folder)?;
        say(format_args!("report                {}", folder.join("report.html").display()));
    }
    if !report.is_valid {
        return Err("the load generator was the bottleneck, so the figures are not those of the server".into());
    }
    if report.sides.iter().any(|side| side.outcome.total.count == 0) {
        return Err("the run ended before a request of its measurement".into());
    }
    if reasons.is_empty() { Ok(()) } else { Err(reasons.join("; ").into()) }
}

/// Decides the conditions of the command line, or those of the mix if it has none.
fn verdicts(options: &Options, mix: &Mix, sides: &[Side], ratios: &[compared::Ratio]) -> Vec<Verdict> {
    let Some(target) = sides.first() else { return Vec::new() };
    let conditions = if options.fail_if.is_empty() { &mix.fail_if } else { &options.fail_if };
    conditions.iter().map(|condition| condition.verdict(&target.outcome, ratios)).collect()
}

/// Returns the conditions that the target meets although it should not, and the effects of an attack.
fn reasons(mix: &Mix, sides: &[Side], ratios: &[compared::Ratio], verdicts: &[Verdict]) -> Vec<String> {
    let target = sides.first().zip(mix.attack.as_ref());
    let mut reasons = target.map_or_else(Vec::new, |(target, attack)| attack.reasons(&target.outcome, ratios));
    let met = verdicts.iter().filter(|verdict| verdict.is_met);
    reasons.extend(met.map(|Verdict { condition, figure, .. }| format!("{condition}: {figure}")));
    reasons
}
