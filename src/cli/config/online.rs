//! The configuration of a running server, read and changed through its local socket.

use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use quarterdeck_actors::config::document::Document;
use quarterdeck_actors::config::extras::{extras, without_extras};
use quarterdeck_actors::config::proposal::Manner;
use quarterdeck_actors::config::view::ServiceSettings;
use reqwest::header::{ETAG, IF_MATCH};
use reqwest::{Method, StatusCode, Url};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::reach::{Changed, Current, Outcome, Proposed};
use crate::store::VersionRecord;

const ROOT: &str = "http://localhost/api/v4";

/// The timeout of one request.
const DEADLINE: Duration = Duration::from_mins(1);

/// The number of attempts to send a change while other changes are stored first.
const ATTEMPTS: usize = 8;

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
    expected: Option<&'a str>,
}

impl<'a> Ask<'a> {
    fn new(method: Method, path: impl Into<String>) -> Self {
        Self { method, path: path.into(), query: Vec::new(), body: None, expected: None }
    }

    fn with(mut self, name: &'static str, value: &'a str) -> Self {
        self.query.push((name, value));
        self
    }
}

struct Answer {
    status: StatusCode,
    version: String,
    ineffective: Vec<String>,
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
        Ok(Current { version: answer.version, document: without_extras(&whole), extras: extras(&whole) })
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
        let path = if proposed.manner == Manner::Patch { "/config/patch" } else { "/config" };
        let mut refused = None;
        for _ in 0..ATTEMPTS {
            let preview = Ask { body: Some(&proposed.body), ..Ask::new(Method::PUT, path).with("dry_run", "true") };
            let answer = self.ask(preview).await?.checked()?;
            let Preview { changes, unset }: Preview = answer.read()?;
            if proposed.is_dry_run {
                return Ok(Outcome { version: None, changes, unset, ineffective: answer.ineffective });
            }
            let before = self.ask(Ask::new(Method::GET, "/config")).await?.checked()?.version;
            let write = Ask::new(Method::PUT, path).with("source", "cli").with("comment", &proposed.comment);
            let answer = self.ask(Ask { body: Some(&proposed.body), expected: Some(&before), ..write }).await?;
            if answer.status == StatusCode::PRECONDITION_FAILED {
                refused = Some(answer);
                continue;
            }
            return self.outcome(answer.checked()?, &before, unset).await;
        }
        Err(refused.map(Answer::checked).and_then(Result::err).unwrap_or_default())
    }

    pub(super) async fn roll_back(&self, version: &str, comment: &str) -> Result<Outcome, String> {
        let before = self.ask(Ask::new(Method::GET, "/config")).await?.checked()?.version;
        let ask = Ask::new(Method::POST, format!("/config/versions/{version}/rollback"));
        let answer = self.ask(ask.with("source", "cli").with("comment", comment)).await?.checked()?;
        self.outcome(answer, &before, Vec::new()).await
    }

    /// Returns the outcome of an accepted change. A change that alters nothing creates no version.
    async fn outcome(&self, answer: Answer, before: &str, unset: Vec<String>) -> Result<Outcome, String> {
        let version = answer.version;
        if version == before {
            return Ok(Outcome { version: None, changes: Vec::new(), unset, ineffective: Vec::new() });
        }
        let shown = self.ask(Ask::new(Method::GET, format!("/config/versions/{version}"))).await?.checked()?;
        let Shown { version: record } = shown.read()?;
        let changes = serde_json::from_value(record.changes).map_err(|cause| cause.to_string())?;
        Ok(Outcome { version: Some(version), changes, unset, ineffective: answer.ineffective })
    }

    async fn ask(&self, ask: Ask<'_>) -> Result<Answer, String> {
        let url =
            Url::parse_with_params(&format!("{ROOT}{}", ask.path), &ask.query).map_err(|cause| cause.to_string())?;
        let mut request = self.http.request(ask.method, url);
        if let Some(expected) = ask.expected {
            request = request.header(IF_MATCH, format!("\"{expected}\""));
        }
        if let Some(body) = ask.body {
            request = request.json(body);
        }
        let fails = |cause: reqwest::Error| format!("the server does not answer on its local socket: {cause}");
        let answer = request.send().await.map_err(fails)?;
        let header = |name: &str| answer.headers().get(name).and_then(|text| text.to_str().ok()).unwrap_or_default();
        let version = header(ETAG.as_str()).trim_matches('"').to_owned();
        let ineffective = header("x-config-ineffective").split_whitespace().map(str::to_owned).collect();
        let status = answer.status();
        Ok(Answer { status, version, ineffective, body: answer.bytes().await.map_err(fails)?.to_vec() })
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
