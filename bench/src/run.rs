//! `quarterdeck-bench run`: one scenario against one server, with a report.

mod accounts;
mod address;
mod contender;
mod engine;
mod failure;
mod http;
mod interrupt;
mod live;
mod mix;
pub(crate) mod options;
mod outcome;
mod prepared;
mod random;
mod recorder;
mod report;
mod round;
mod saturation;
mod scenarios;
mod silent;
mod span;
mod table;
mod target;
mod template;
#[cfg(test)]
mod tests;
mod timer;
mod usage;

use contender::Contender;
use interrupt::Interrupt;
use mix::Mix;
use options::Options;
use outcome::Outcome;
use report::{Environment, Report, Scenario, Side};

type Failure = Box<dyn std::error::Error>;

#[expect(clippy::print_stdout, reason = "the result is what the caller asked for")]
pub(crate) async fn run(options: &Options) -> Result<(), Failure> {
    let mix = scenarios::find(&options.scenario)?;
    crate::ws::place::raise_limit_of_files(contender::connections(options, &mix))?;
    let mut interrupt = Interrupt::listen()?;
    let environment = Environment::read();
    let outcome = measured(options, &mix, &mut interrupt).await?;
    println!("{}: {}", options.scenario, mix.about.0);
    print!("{}", table::table(&outcome));
    let scenario = Scenario { name: options.scenario.clone(), about: mix.about.0.clone() };
    let report = Report::new(scenario, environment, vec![Side { name: "target".to_owned(), outcome }]);
    if let Some(folder) = &options.out {
        report.write(folder)?;
        println!("report                {}", folder.join("report.html").display());
    }
    if report.is_valid {
        return Ok(());
    }
    Err("the load generator was the bottleneck, so the figures are not those of the server".into())
}

async fn measured(options: &Options, mix: &Mix, interrupt: &mut Interrupt) -> Result<Outcome, Failure> {
    let mut contender = Contender::open(options, mix).await?;
    let measured = contender.measure(options, mix, interrupt).await;
    contender.close(measured).await
}
