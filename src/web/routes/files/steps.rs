//! The steps of a test as lines of JSON, each sent as soon as it is known.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;

use actix_web::HttpResponse;
use actix_web::body::BodyStream;
use actix_web::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use actix_web::web::Bytes;
use futures_util::stream::unfold;
use quarterdeck_actors::config::Config;
use quarterdeck_actors::error::AppError;
use quarterdeck_actors::json::to_json;
use quarterdeck_actors::probe::running::{News, RunningTest};
use quarterdeck_actors::storage::report::{NodeReport, Outcome, Report, Stage, Step, StepFailure};
use serde::Serialize;

use super::nodes::Elsewhere;
use super::{Passed, refusal};
use crate::web::answer::Okay;
use crate::web::answer::outgoing::Live;
use crate::web::error::{Envelope, told};
use crate::web::request::Request;

/// The media type of lines of JSON.
pub(super) const MEDIA: &str = "application/x-ndjson";

/// A line of the response.
#[derive(Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
enum Line<'a> {
    Started {
        /// The server, if there are several.
        #[serde(skip_serializing_if = "Option::is_none")]
        node: Option<&'a str>,
        step: Step,
    },
    Ended {
        #[serde(skip_serializing_if = "Option::is_none")]
        node: Option<&'a str>,
        step: Step,
        outcome: Outcome,
        duration_ms: u64,
        #[serde(skip_serializing_if = "Option::is_none")]
        code: Option<&'a str>,
        #[serde(skip_serializing_if = "Option::is_none")]
        cause: Option<&'a str>,
        #[serde(skip_serializing_if = "Option::is_none")]
        remedy: Option<&'a str>,
    },
    NotTested {
        node: &'a str,
        reason: &'a str,
    },
    Report(Verdict<'a>),
}

/// The last line: the whole response of a caller who did not accept lines.
#[derive(Serialize)]
#[serde(untagged)]
enum Verdict<'a> {
    Passed(Passed<'a>),
    Failed(Box<Envelope<'a>>),
}

/// The response to a test in progress. A client that hangs up ends it for itself.
pub(super) fn sent(request: &Request, test: RunningTest, elsewhere: Elsewhere) -> HttpResponse {
    let lines = Lines {
        test,
        told: Told::of(elsewhere.own()),
        is_awaited: elsewhere.own().is_some(),
        elsewhere,
        own: None,
        nodes: Vec::new(),
        hang_up: Box::pin(request.hang_up()),
        config: request.shared_config(),
        request_id: request.request_id().to_owned(),
        is_over: false,
    };
    let body = BodyStream::new(Box::pin(unfold(lines, Lines::next)));
    let mut answer = HttpResponse::Ok()
        .insert_header((CONTENT_TYPE, MEDIA))
        .insert_header((CACHE_CONTROL, "no-store"))
        .insert_header(("X-Accel-Buffering", "no"))
        .body(body);
    answer.extensions_mut().insert(Live);
    answer
}

struct Lines {
    test: RunningTest,
    elsewhere: Elsewhere,
    /// True while results of other servers are awaited.
    is_awaited: bool,
    /// The report of this server, once its test has ended.
    own: Option<Arc<Report>>,
    /// The results of other servers.
    nodes: Vec<NodeReport>,
    hang_up: Pin<Box<dyn Future<Output = ()>>>,
    told: Told,
    config: Arc<Config>,
    request_id: String,
    is_over: bool,
}

impl Lines {
    /// Returns the next lines; `None` after the report, or once the client is gone.
    async fn next(mut self) -> Option<(Result<Bytes, Infallible>, Self)> {
        if self.is_over {
            return None;
        }
        loop {
            let mut text = Vec::new();
            if let Some(report) = self.own.as_ref().filter(|_| !self.is_awaited) {
                let own = self.elsewhere.own().unwrap_or_default();
                let nodes = self.elsewhere.sorted(std::mem::take(&mut self.nodes));
                let report = report.with_nodes(own, nodes);
                write(&mut text, &self.report(&report));
                self.is_over = true;
                return Some((Ok(text.into()), self));
            }
            tokio::select! {
                biased;
                () = &mut self.hang_up => return None,
                news = self.test.next(), if self.own.is_none() => self.note(news, &mut text),
                node = self.elsewhere.next(), if self.is_awaited => self.note_other(node, &mut text),
            }
            if !text.is_empty() {
                return Some((Ok(text.into()), self));
            }
        }
    }

    fn note(&mut self, news: News, text: &mut Vec<u8>) {
        match news {
            News::Steps(taken) => self.told.steps(text, &taken.ended, taken.running, taken.failure.as_ref()),
            News::Ended(report) => {
                self.told.all(text, &report.stages, report.failure.as_ref());
                self.own = Some(report);
            }
        }
    }

    /// Notes the result of another server; `None` after those of all.
    fn note_other(&mut self, node: Option<NodeReport>, text: &mut Vec<u8>) {
        let Some(node) = node else {
            self.is_awaited = false;
            return;
        };
        match &node.reason {
            Some(reason) => write(text, &line(&Line::NotTested { node: &node.node, reason })),
            None => Told::of(Some(&node.node)).all(text, &node.stages, node.failure.as_ref()),
        }
        self.nodes.push(node);
    }

    fn report(&self, report: &Report) -> Vec<u8> {
        let passed = || line(&Line::Report(Verdict::Passed(Passed { status: Okay::Okay, report })));
        let failed = |failure: &AppError| {
            line(&Line::Report(Verdict::Failed(Box::new(told(failure, &self.request_id, &self.config)))))
        };
        match &report.failure {
            None => passed(),
            Some(failure) => failed(&refusal(failure, Some(report)).unwrap_or_else(|refusal| refusal)),
        }
    }
}

/// The steps of a server that the client was told of.
#[derive(Default)]
struct Told {
    /// The name of the server, if there are several.
    node: Option<String>,
    begun: Option<Step>,
    ended: Vec<Step>,
}

impl Told {
    fn of(node: Option<&str>) -> Self {
        Self { node: node.map(str::to_owned), ..Self::default() }
    }

    /// Writes the lines of a test that has ended.
    fn all(&mut self, text: &mut Vec<u8>, stages: &[Stage], failure: Option<&StepFailure>) {
        // A step that was skipped neither began nor ended.
        let ended = stages.iter().filter(|stage| stage.outcome != Outcome::Skipped).cloned();
        self.steps(text, &ended.collect::<Vec<_>>(), None, failure);
    }

    /// Writes the lines that the client did not get yet.
    fn steps(&mut self, text: &mut Vec<u8>, ended: &[Stage], running: Option<Step>, failure: Option<&StepFailure>) {
        for stage in ended {
            if self.ended.contains(&stage.step) {
                continue;
            }
            self.begin(text, stage.step);
            self.ended.push(stage.step);
            let failure = failure.filter(|_| stage.outcome == Outcome::Failed);
            let ended = Line::Ended {
                node: self.node.as_deref(),
                step: stage.step,
                outcome: stage.outcome,
                duration_ms: stage.duration_ms,
                code: failure.and_then(|failure| failure.code.as_deref()),
                cause: failure.map(|failure| failure.cause.as_str()),
                remedy: failure.map(|failure| failure.remedy.as_str()),
            };
            write(text, &line(&ended));
        }
        if let Some(step) = running {
            self.begin(text, step);
        }
    }

    fn begin(&mut self, text: &mut Vec<u8>, step: Step) {
        if self.begun != Some(step) {
            self.begun = Some(step);
            write(text, &line(&Line::Started { node: self.node.as_deref(), step }));
        }
    }
}

fn line(line: &Line<'_>) -> Vec<u8> {
    to_json(line).unwrap_or_default()
}

fn write(text: &mut Vec<u8>, line: &[u8]) {
    text.extend_from_slice(line);
    text.push(b'\n');
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn stage(step: Step, outcome: Outcome) -> Stage {
        Stage { step, outcome, duration_ms: 7 }
    }

    fn lines(text: &[u8]) -> Vec<Value> {
        text.split(|byte| *byte == b'\n')
            .filter(|line| !line.is_empty())
            .map(|line| serde_json::from_slice(line).unwrap())
            .collect()
    }

    #[test]
    fn each_step_has_one_line_as_it_begins_and_one_as_it_ends_however_late_they_are_seen() {
        let (mut told, mut text) = (Told::default(), Vec::new());
        let first = [stage(Step::Settings, Outcome::Passed)];
        told.steps(&mut text, &first, Some(Step::Resolve), None);
        told.steps(&mut text, &first, Some(Step::Resolve), None);
        let started = |step: &str| json!({ "event": "started", "step": step });
        let passed = |step: &str| json!({ "event": "ended", "step": step, "outcome": "passed", "duration_ms": 7 });
        assert_eq!(lines(&text), [started("settings"), passed("settings"), started("resolve")]);
        text.clear();
        let failure = StepFailure {
            step: Step::Connect,
            kind: quarterdeck_actors::storage::report::Kind::Other,
            code: Some("ECONNREFUSED".to_owned()),
            cause: "refused".to_owned(),
            remedy: "open it".to_owned(),
        };
        let all =
            [&first[..], &[stage(Step::Resolve, Outcome::Passed), stage(Step::Connect, Outcome::Failed)]].concat();
        told.steps(&mut text, &all, None, Some(&failure));
        let failed = json!({
            "event": "ended", "step": "connect", "outcome": "failed", "duration_ms": 7,
            "code": "ECONNREFUSED", "cause": "refused", "remedy": "open it",
        });
        assert_eq!(lines(&text), [passed("resolve"), started("connect"), failed]);
    }
}
