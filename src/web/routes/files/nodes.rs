//! The test of a file store on the other servers of a database.
//!
//! They test the settings that they have in force, so only saved settings are tested there: a question between servers
//! carries no settings, neither a secret nor a host, and makes a server call no host that its configuration does not name.

use std::collections::VecDeque;
use std::time::Duration;

use quarterdeck_actors::cluster::{Absence, Answer, Asking, Content, Reply, Taken};
use quarterdeck_actors::storage::report::{NodeReport, Report, Stage, StepFailure};
use quarterdeck_actors::storage::settings::{Store, StoreSettings};
use serde::{Deserialize, Serialize};
use tokio::time::timeout;
use tracing::warn;

use crate::files::TEST_SECONDS;
use crate::web::state::AppState;

/// The kind of the question for a test of a store.
pub(crate) const STORE_TEST: &str = "store_test";

/// The time for the tests of other servers: a store that hangs there is a failure, not a server without an answer.
const ANSWER_LIMIT: Duration = Duration::from_secs(VERSION_SECONDS + TEST_SECONDS + 3);

/// The time in which a server has the version of the configuration that the other one has, in seconds.
const VERSION_SECONDS: u64 = 3;

/// The maximum size of an answer, in bytes.
const MAX_ANSWER_BYTES: usize = 64 << 10;

/// The refusal of a test beyond the limit.
const TOO_MANY: &str = "app.file.too_many_tests.app_error";

/// The reason for no test: the settings are not those in force.
const UNSAVED: &str = "unsaved";

/// The reason for no test: the server has another version of the configuration.
const OTHER_VERSION: &str = "version";

/// A test of a store on the other servers.
pub(super) struct Elsewhere {
    /// The name of this server; empty if there is no other one.
    own: String,
    /// The names of the others, in the order of their starts.
    names: Vec<String>,
    /// The servers that do not test.
    untested: VecDeque<NodeReport>,
    asking: Option<Asking>,
}

/// The arguments of a question.
#[derive(Serialize, Deserialize)]
struct Arguments {
    is_export: bool,
    /// The version of the configuration with the settings to test.
    version: String,
}

/// The answer to a question.
#[derive(Serialize, Deserialize)]
enum Told {
    Tested { stages: Vec<Stage>, failure: Option<StepFailure> },
    OtherVersion,
}

impl From<&Report> for Told {
    /// The target and the identity of a store stay on their server.
    fn from(Report { stages, failure, .. }: &Report) -> Self {
        Self::Tested { stages: stages.clone(), failure: failure.clone() }
    }
}

impl Elsewhere {
    /// Begins the tests on the other servers.
    pub(super) async fn begin(app: &AppState, settings: &StoreSettings) -> Self {
        let cluster = &app.actors.cluster;
        let others = cluster.others().await;
        let names: Vec<String> = others.nodes.iter().map(|node| node.name.clone()).collect();
        if names.is_empty() {
            return Self { own: String::new(), names, untested: VecDeque::new(), asking: None };
        }
        let own = others.own.clone();
        let config = app.actors.config.current();
        if config.store(settings.store) != *settings {
            let untested = names.iter().map(|name| NodeReport::untested(name.clone(), UNSAVED)).collect();
            return Self { own, names, untested, asking: None };
        }
        let arguments = Arguments { is_export: settings.store == Store::Exports, version: config.version().to_owned() };
        let content = Content {
            kind: STORE_TEST.to_owned(),
            arguments: serde_json::to_string(&arguments).unwrap_or_default(),
            max_bytes: MAX_ANSWER_BYTES,
        };
        let asking = cluster.ask(&others, content, ANSWER_LIMIT);
        Self { own, names, untested: VecDeque::new(), asking: Some(asking) }
    }

    /// Returns the name of this server; `None` if there is no other one.
    pub(super) fn own(&self) -> Option<&str> {
        Some(self.own.as_str()).filter(|own| !own.is_empty())
    }

    /// Returns the result of the next server; `None` after those of all.
    pub(super) async fn next(&mut self) -> Option<NodeReport> {
        if let Some(untested) = self.untested.pop_front() {
            return Some(untested);
        }
        self.asking.as_mut()?.next().await.map(read)
    }

    /// Returns the results of all servers, in the order of their starts.
    pub(super) async fn all(mut self) -> Vec<NodeReport> {
        let mut nodes = Vec::new();
        while let Some(node) = self.next().await {
            nodes.push(node);
        }
        self.sorted(nodes)
    }

    /// Returns results in the order of the starts of their servers.
    pub(super) fn sorted(&self, mut nodes: Vec<NodeReport>) -> Vec<NodeReport> {
        nodes.sort_by_key(|node| self.names.iter().position(|name| *name == node.node));
        nodes
    }
}

fn read(Answer { node, reply }: Answer) -> NodeReport {
    let told = reply.map(|text| serde_json::from_str::<Told>(&text));
    match told {
        Ok(Ok(Told::Tested { stages, failure })) => NodeReport::of(node.name, stages, failure),
        Ok(Ok(Told::OtherVersion)) => NodeReport::untested(node.name, OTHER_VERSION),
        Ok(Err(_)) => NodeReport::untested(node.name, Absence::Failed.name()),
        Err(absence) => NodeReport::untested(node.name, absence.name()),
    }
}

/// Answers the question of another server, whose caller may test stores.
pub(crate) async fn answer(app: &AppState, Taken { content, .. }: Taken) -> Reply {
    let Ok(arguments) = serde_json::from_str::<Arguments>(&content.arguments) else { return Err(Absence::Unknown) };
    let store = if arguments.is_export { Store::Exports } else { Store::Files };
    let settings = settings_of(app, store, &arguments.version).await;
    let told = match settings {
        Some(settings) => match app.actors.files.test(settings).await {
            Ok(report) => Told::from(&*report),
            Err(refusal) if refusal.id == TOO_MANY => return Err(Absence::Busy),
            Err(cause) => {
                warn!(%cause, "a store could not be tested for another server");
                return Err(Absence::Failed);
            }
        },
        None => Told::OtherVersion,
    };
    serde_json::to_string(&told).map_err(|_| Absence::Failed)
}

/// Returns the settings of a store in this version of the configuration; `None` if it does not come into force.
async fn settings_of(app: &AppState, store: Store, version: &str) -> Option<StoreSettings> {
    let mut config = app.actors.config.follow();
    let waiting =
        timeout(Duration::from_secs(VERSION_SECONDS), config.wait_for(|config| config.version() == version)).await;
    waiting.ok()?.ok().map(|config| config.store(store))
}

#[cfg(test)]
mod tests {
    use quarterdeck_actors::storage::report::{Kind, Step};

    use super::*;

    fn failed() -> Report {
        let [cause, remedy] = ["cause", "remedy"].map(str::to_owned);
        let failure = StepFailure { step: Step::Connect, kind: Kind::Other, code: None, cause, remedy };
        let [target, identity] = ["https://s3.example/bucket", "access key AKIA"].map(str::to_owned);
        Report { target, identity, note: Some("note".to_owned()), ..Report::unusable("amazons3", failure) }
    }

    #[test]
    fn an_answer_has_the_steps_and_the_failure_and_nothing_else_of_the_report() {
        let report = failed();
        let text = serde_json::to_string(&Told::from(&report)).unwrap();
        for hidden in ["s3.example", "AKIA", "amazons3", "note"] {
            assert!(!text.contains(hidden), "{text}");
        }
        let Told::Tested { stages, failure } = serde_json::from_str(&text).unwrap() else { panic!("{text}") };
        assert_eq!((stages, failure), (report.stages, report.failure));
    }

    #[actix_web::test]
    async fn servers_come_in_one_order_however_late_their_answers_are() {
        let names = ["c", "a", "b"].map(str::to_owned);
        let nodes = names.clone().map(|name| NodeReport::untested(name, UNSAVED));
        let untested = nodes.clone().into();
        let elsewhere = Elsewhere { own: "d".to_owned(), names: names.to_vec(), untested, asking: None };
        let reversed = nodes.iter().rev().cloned().collect();
        assert_eq!(elsewhere.sorted(reversed), nodes);
        assert_eq!(elsewhere.all().await, nodes);
    }
}
