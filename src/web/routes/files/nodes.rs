//! The test of a file store on the other servers of a database.
//!
//! They test the settings that they have in force, so only saved settings are tested there: a question between servers
//! carries no settings, neither a secret nor a host, and makes a server call no host that its configuration does not name.

use std::time::Duration;

use quarterdeck_actors::cluster::{Absence, Answer, Asking, Content, Reply, Taken};
use quarterdeck_actors::storage::report::{NodeReport, Report};
use quarterdeck_actors::storage::settings::{Store, StoreSettings};
use serde::{Deserialize, Serialize};
use tokio::time::timeout;

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

/// The reason for no test: the settings are not those in force.
const UNSAVED: &str = "unsaved";

/// The reason for no test: the server has another version of the configuration.
const OTHER_VERSION: &str = "version";

/// A test of a store on the other servers.
pub(super) struct Elsewhere {
    /// The name of this server; empty if there is no other one.
    own: String,
    /// The servers that do not test.
    untested: Vec<NodeReport>,
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
    Tested(Box<Report>),
    OtherVersion,
}

impl Elsewhere {
    /// Begins the tests on the other servers.
    pub(super) async fn begin(app: &AppState, settings: &StoreSettings) -> Self {
        let cluster = &app.actors.cluster;
        let others = cluster.others().await;
        if others.nodes.is_empty() {
            return Self { own: String::new(), untested: Vec::new(), asking: None };
        }
        let own = others.own.clone();
        let config = app.actors.config.current();
        if config.store(settings.store) != *settings {
            let untested = others.nodes.iter().map(|node| NodeReport::untested(node.name.clone(), UNSAVED)).collect();
            return Self { own, untested, asking: None };
        }
        let arguments = Arguments { is_export: settings.store == Store::Exports, version: config.version().to_owned() };
        let content = Content {
            kind: STORE_TEST.to_owned(),
            arguments: serde_json::to_string(&arguments).unwrap_or_default(),
            max_bytes: MAX_ANSWER_BYTES,
        };
        let asking = cluster.ask(&others, content, ANSWER_LIMIT);
        Self { own, untested: Vec::new(), asking: Some(asking) }
    }

    /// Returns the name of this server; `None` if there is no other one.
    pub(super) fn own(&self) -> Option<&str> {
        Some(self.own.as_str()).filter(|own| !own.is_empty())
    }

    /// Returns the result of the next server; `None` after those of all.
    pub(super) async fn next(&mut self) -> Option<NodeReport> {
        if let Some(untested) = self.untested.pop() {
            return Some(untested);
        }
        self.asking.as_mut()?.next().await.map(read)
    }

    /// Returns the results of all servers.
    pub(super) async fn all(mut self) -> Vec<NodeReport> {
        let mut nodes = Vec::new();
        while let Some(node) = self.next().await {
            nodes.push(node);
        }
        nodes
    }
}

fn read(Answer { node, reply }: Answer) -> NodeReport {
    let told = reply.map(|text| serde_json::from_str::<Told>(&text));
    match told {
        Ok(Ok(Told::Tested(report))) => NodeReport::of(node.name, *report),
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
        Some(settings) => {
            let tested = app.actors.files.test(settings).await;
            Told::Tested(Box::new(tested.map_err(|_| Absence::Busy)?.as_ref().clone()))
        }
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
