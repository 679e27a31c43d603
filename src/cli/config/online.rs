//! The configuration of a running server, read and changed through its local socket.

use std::collections::BTreeMap;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use percent_encoding::percent_decode_str;
use quarterdeck_actors::config::document::{Document, given};
use quarterdeck_actors::config::extras::{extras, without_extras};
use quarterdeck_actors::config::proposal::ChangeMode;
use quarterdeck_actors::config::secrets::PLACEHOLDER;
use quarterdeck_actors::config::view::ServiceSettings;
use reqwest::header::ETAG;
use reqwest::{Method, StatusCode, Url};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::backend::{Changed, Current, Outcome, Proposed};
use crate::domain::version_store::Place;
use crate::store::VersionRecord;

const ROOT: &str = "http://localhost/api/v4";

/// The timeout of one request.
const DEADLINE: Duration = Duration::from_mins(1);

/// The number of versions that the server lists on one page.
const PAGE: usize = 200;

pub(super) struct Server {
    http: reqwest::Client,
}

/// A request to the API.
struct Ask<'a> {
    method: Method,
    path: String,
    query: Vec<(&'static str, &'a str)>,
    body: Option<&'a Document>,
}

impl<'a> Ask<'a> {
    fn new(method: Method, path: impl Into<String>) -> Self {
        Self { method, path: path.into(), query: Vec::new(), body: None }
    }

    fn with(mut self, name: &'static str, value: &'a str) -> Self {
        self.query.push((name, value));
        self
    }
}

struct Answer {
    status: StatusCode,
    version: String,
    unset: Vec<String>,
    /// The settings that have no effect, with the reason for each.
    ineffective: BTreeMap<String, String>,
    /// True if the server stored a version; `None` if its response does not say.
    is_stored: Option<bool>,
    body: Vec<u8>,
}

/// The body of a refusal.
#[derive(Deserialize)]
struct Envelope {
    message: String,
    #[serde(default)]
    errors: Vec<Problem>,
}

#[derive(Deserialize)]
struct Problem {
    pointer: String,
    message: String,
}

#[derive(Deserialize)]
struct Preview {
    changes: Vec<Changed>,
    unset: Vec<String>,
}

#[derive(Deserialize)]
struct Shown {
    version: VersionRecord,
}

impl Server {
    /// Connects to the server on the local socket that the settings name; `None` if local mode is off or the server
    /// does not answer.
    pub(super) fn behind(service: &ServiceSettings) -> Result<Option<Self>, String> {
        let path = Path::new(&service.local_mode_socket_location);
        if !service.enable_local_mode || UnixStream::connect(path).is_err() {
            return Ok(None);
        }
        let http = reqwest::Client::builder().unix_socket(path).no_proxy().timeout(DEADLINE).build();
        http.map(|http| Some(Self { http })).map_err(|cause| cause.to_string())
    }

    pub(super) async fn current(&self) -> Result<Current, String> {
        let answer = self.ask(Ask::new(Method::GET, "/config").with("unknown", "true")).await?.checked()?;
        let whole: Document = answer.read()?;
        let masked = Ask::new(Method::GET, "/config").with("masked", "true");
        let masked: Document = self.ask(masked).await?.checked()?.read()?;
        let plugins = given(&masked, "PluginSettings.Plugins").and_then(Value::as_object);
        let hidden = |(id, settings): (&String, &Value)| {
            let settings = settings.as_object().into_iter().flatten();
            let hidden = settings.filter(|(_, value)| **value == PLACEHOLDER);
            hidden.map(|(key, _)| (id.clone(), key.clone())).collect::<Vec<_>>()
        };
        let hidden_plugin_settings = plugins.into_iter().flatten().flat_map(hidden).collect();
        let (document, extras) = (without_extras(&whole), extras(&whole));
        Ok(Current { version: answer.version, document, extras, hidden_plugin_settings })
    }

    pub(super) async fn check_stored(&self, version: &str) -> Result<(), String> {
        if version == "default" {
            return Ok(());
        }
        self.ask(Ask::new(Method::GET, format!("/config/versions/{version}"))).await?.checked().map(drop)
    }

    pub(super) async fn records(&self, limit: usize) -> Result<Vec<VersionRecord>, String> {
        let mut records: Vec<VersionRecord> = Vec::new();
        for page in 0.. {
            let (page, size) = (format!("{page}"), format!("{PAGE}"));
            let ask = Ask::new(Method::GET, "/config/versions").with("page", &page).with("per_page", &size);
            let found: Vec<VersionRecord> = self.ask(ask).await?.checked()?.read()?;
            let is_last = found.len() < PAGE;
            records.extend(found);
            if is_last || records.len() >= limit {
                break;
            }
        }
        records.truncate(limit);
        Ok(records)
    }

    pub(super) async fn difference(&self, before: &str, after: &str) -> Result<Vec<Changed>, String> {
        let path = format!("/config/versions/{before}/difference/{after}");
        self.ask(Ask::new(Method::GET, path)).await?.checked()?.read()
    }

    pub(super) async fn propose(&self, proposed: &Proposed) -> Result<Outcome, String> {
        let path = if proposed.mode == ChangeMode::Patch { "/config/patch" } else { "/config" };
        let ask = Ask { body: Some(&proposed.body), ..Ask::new(Method::PUT, path) };
        if proposed.is_dry_run {
            let answer = self.ask(ask.with("dry_run", "true")).await?.checked()?;
            let Preview { changes, unset }: Preview = answer.read()?;
            return Ok(outcome(None, changes, unset, answer.ineffective));
        }
        self.change(ask, &proposed.comment, proposed.confirm_within).await
    }

    pub(super) async fn roll_back(
        &self,
        version: &str,
        comment: &str,
        confirm_within: Option<u32>,
    ) -> Result<Outcome, String> {
        let ask = Ask::new(Method::POST, format!("/config/versions/{version}/rollback"));
        self.change(ask, comment, confirm_within).await
    }

    pub(super) async fn confirm(&self, version: &str) -> Result<(), String> {
        let ask = Ask::new(Method::POST, format!("/config/versions/{version}/confirm"));
        self.ask(ask).await?.checked().map(drop)
    }

    pub(super) async fn take_back(&self, version: &str) -> Result<Outcome, String> {
        self.change(Ask::new(Method::DELETE, format!("/config/versions/{version}/confirm")), "", None).await
    }

    /// Lets the server make the copy: only then its configuration and its stored one cannot differ.
    pub(super) async fn migrate(&self, from: &str, to: &str, comment: &str) -> Result<(), String> {
        let stores = [("from", from), ("to", to)].map(|(member, name)| (member.to_owned(), absolute(name).into()));
        let body = Document::from_iter(stores);
        let ask = Ask { body: Some(&body), ..Ask::new(Method::POST, "/config/migrate") };
        self.ask(ask.with("comment", comment)).await?.checked().map(drop)
    }

    /// Asks for a change and returns its outcome. A change that alters nothing creates no version.
    async fn change(&self, ask: Ask<'_>, comment: &str, confirm_within: Option<u32>) -> Result<Outcome, String> {
        let before = self.ask(Ask::new(Method::GET, "/config")).await?.checked()?.version;
        let seconds = confirm_within.map(|seconds| seconds.to_string());
        let ask = match &seconds {
            Some(seconds) => ask.with("confirm_within", seconds),
            None => ask,
        };
        let answer = self.ask(ask.with("source", "cli").with("comment", comment)).await?.checked()?;
        let Answer { version, unset, ineffective, is_stored, .. } = answer;
        // A server of an earlier version does not say if it stored a version.
        let is_stored = is_stored.unwrap_or(version != before);
        if !is_stored {
            return Ok(outcome(None, Vec::new(), unset, ineffective));
        }
        let shown = self.ask(Ask::new(Method::GET, format!("/config/versions/{version}"))).await?.checked()?;
        let Shown { version: record } = shown.read()?;
        let changes = serde_json::from_value(record.changes).map_err(|cause| cause.to_string())?;
        Ok(outcome(Some(version), changes, unset, ineffective))
    }

    async fn ask(&self, ask: Ask<'_>) -> Result<Answer, String> {
        let url =
            Url::parse_with_params(&format!("{ROOT}{}", ask.path), &ask.query).map_err(|cause| cause.to_string())?;
        let mut request = self.http.request(ask.method, url);
        if let Some(body) = ask.body {
            request = request.json(body);
        }
        let fails = |cause: reqwest::Error| format!("the server does not answer on its local socket: {cause}");
        let answer = request.send().await.map_err(fails)?;
        let header = |name: &str| answer.headers().get(name).and_then(|text| text.to_str().ok()).unwrap_or_default();
        let version = header(ETAG.as_str()).trim_matches('"').to_owned();
        let list = |name: &str| header(name).split_whitespace().map(decoded).collect();
        let (unset, ineffective) = (list("x-config-unset"), reasons(header("x-config-ineffective")));
        let is_stored = header("x-config-stored").parse().ok();
        let status = answer.status();
        let body = answer.bytes().await.map_err(fails)?.to_vec();
        Ok(Answer { status, version, unset, ineffective, is_stored, body })
    }
}

impl Answer {
    /// Returns the response, or the text of its refusal.
    fn checked(self) -> Result<Self, String> {
        if self.status.is_success() {
            return Ok(self);
        }
        let Ok(Envelope { message, errors }) = serde_json::from_slice(&self.body) else {
            return Err(format!("the server answered {}", self.status));
        };
        if errors.is_empty() {
            return Err(message);
        }
        let line = |problem: &Problem| {
            format!("{}: {}", problem.pointer.trim_start_matches('/').replace('/', "."), problem.message)
        };
        Err(errors.iter().map(line).collect::<Vec<String>>().join("\n"))
    }

    fn read<T: DeserializeOwned>(&self) -> Result<T, String> {
        serde_json::from_slice(&self.body).map_err(|_| "the server's answer cannot be read".to_owned())
    }
}

/// Returns the name of a store with the absolute path of a file, because the server runs in another folder.
fn absolute(name: &str) -> String {
    let place = Place::named(Some(name)).ok();
    let file = place.and_then(|place| place.file()).and_then(|file| std::path::absolute(file.path()).ok());
    file.map_or_else(|| name.to_owned(), |path| path.display().to_string())
}

fn outcome(
    version: Option<String>,
    changes: Vec<Changed>,
    unset: Vec<String>,
    reasons: BTreeMap<String, String>,
) -> Outcome {
    Outcome { version, changes, unset, ineffective: reasons.keys().cloned().collect(), reasons }
}

/// Returns the paths of a list in a header with the reason that follows each of them.
///
/// A server of an earlier version lists only settings that are read before the store, and no reasons.
fn reasons(list: &str) -> BTreeMap<String, String> {
    let entries = list.split_whitespace().map(|entry| entry.split_once(';').unwrap_or((entry, "read_before_store")));
    entries.map(|(path, reason)| (decoded(path), decoded(reason))).collect()
}

/// Returns a path of a list in a header, without the escapes of its special characters.
fn decoded(path: &str) -> String {
    percent_decode_str(path).decode_utf8_lossy().into_owned()
}
