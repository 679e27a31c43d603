//! `quarterdeck storage`: tests the file stores with the server's own code.

use std::process::ExitCode;

use clap::{Args, Subcommand};
use quarterdeck_actors::storage::Backends;
use quarterdeck_actors::storage::progress::Progress;
use quarterdeck_actors::storage::report::{Outcome, Report};
use quarterdeck_actors::storage::settings::Store;
use quarterdeck_actors::storage::submitted::proposed;

use super::options::Common;
use super::output::{failure, remark, say};
use crate::base::error_text::text_of;
use crate::files::Stores;
use crate::server::starting_config::{with_file, with_stored_for};

const TEST_HELP: &str = "\
The command uses the settings that the server would start with. It writes a small test object, reads it back and deletes
it. If a step fails, the exit code is 1, and the step, the cause and a remedy are printed.

  quarterdeck storage test
  quarterdeck storage test --export --json";

#[derive(Debug, Subcommand)]
pub(super) enum StorageCommand {
    /// Tests every operation of the file store and prints the failed step
    #[command(after_help = TEST_HELP)]
    Test(Test),
}

#[derive(Debug, Args)]
pub(super) struct Test {
    /// Tests the store for exports (FileSettings.Export...) instead of the store for files
    #[arg(long)]
    export: bool,
    /// Prints the report as JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn run(common: &Common, command: &StorageCommand) -> ExitCode {
    let StorageCommand::Test(test) = command;
    let report = match actix_web::rt::System::new().block_on(report(common, test)) {
        Ok(report) => report,
        Err(reason) => return failure(reason),
    };
    if test.json {
        say(serde_json::to_string_pretty(&report).unwrap_or_default());
    } else {
        show(&report);
    }
    if report.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

async fn report(common: &Common, test: &Test) -> Result<Report, String> {
    let (settings, sources) = common.settings().map_err(|refusal| refusal.to_string())?;
    let settings = with_file(settings, &sources).await.map_err(|refusal| refusal.to_string())?;
    let read = with_stored_for(settings, &sources, "FileSettings.").await;
    let (config, uncertain) = read.map_err(|refusal| refusal.to_string())?;
    uncertain.iter().for_each(remark);
    let store = if test.export { Store::Exports } else { Store::Files };
    let settings = proposed(None, store, &config, &|_| true).map_err(|refusal| text_of(&refusal))?;
    Ok(match Stores::default().open(&settings) {
        Ok(backend) => backend.probe(Progress::default()).await,
        Err(failure) => Report::unusable(&settings.driver_name, failure),
    })
}

fn show(report: &Report) {
    say(format_args!("driver: {}", report.driver));
    if !report.target.is_empty() {
        say(format_args!("target: {}", report.target));
        say(format_args!("identity: {}", report.identity));
    }
    if let Some(note) = &report.note {
        say(format_args!("note: {note}"));
    }
    for stage in &report.stages {
        let duration_ms = stage.duration_ms;
        match stage.outcome {
            Outcome::Passed => say(format_args!("[+] {} ({duration_ms} ms)", stage.step.name())),
            Outcome::Failed => say(format_args!("[-] {} ({duration_ms} ms)", stage.step.name())),
            Outcome::Skipped => say(format_args!("[ ] {} skipped", stage.step.name())),
        }
    }
    match &report.failure {
        None => say(format_args!("the storage works ({} ms)", report.duration_ms)),
        Some(failure) => {
            let code = failure.code.as_ref().map(|code| format!(" ({code})")).unwrap_or_default();
            say(format_args!("cause: {}{code}", failure.cause));
            say(format_args!("remedy: {}", failure.remedy));
        }
    }
}
