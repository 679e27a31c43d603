//! The logs of all servers on a database: this server reads its own, and the others answer a question over the bus.

use std::collections::HashSet;
use std::time::Duration;

use futures_util::future::try_join;
use quarterdeck_actors::clock::wall_ms;
use quarterdeck_actors::cluster::{Absence, Answer, ClusterHandle, Content, Others, Reply, Taken};
use quarterdeck_actors::error::AppError;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use tracing::warn;

use super::MAX_LINES;
use crate::telemetry::logging::{self, Limits, Span, Wanted};
use crate::web::state::AppState;

/// The kind of the question for lines of a log.
pub(crate) const LOG_LINES: &str = "logs";

/// The name of a server without others, and another name of the one that gets a request.
pub(super) const DEFAULT: &str = "default";

/// The time for the answers of other servers.
const ANSWER_LIMIT: Duration = Duration::from_secs(6);

/// The time for which a server reads its log for another one.
const READ_LIMIT: Duration = Duration::from_secs(4);

/// The time that a server needs to send what it has read.
const SEND_LIMIT: Duration = Duration::from_millis(1_500);

/// The refusal of a reader beyond the limit.
const BUSY: &str = "api.context.server_busy.app_error";

/// The servers on this database.
pub(super) struct Nodes {
    own: String,
    others: Others,
}

/// The page of a server.
pub(super) struct NodePage {
    pub(super) name: String,
    pub(super) lines: Result<Lines, Absence>,
}

/// Lines of a log, oldest first.
#[derive(Default)]
pub(super) struct Lines {
    pub(super) texts: Vec<String>,
    /// The limit that ended the page early, if one did.
    pub(super) cut: Option<&'static str>,
    /// The time of the server's clock before it read, in Unix milliseconds.
    pub(super) at: Option<i64>,
}

/// The arguments of a question.
#[derive(Serialize, Deserialize)]
struct Arguments {
    /// The filter; `None` for all lines of the log.
    filter: Option<Wanted>,
    skipped: usize,
    taken: usize,
}

impl Arguments {
    /// Returns the requested page, which has no more lines than one that a caller of this server gets.
    fn span(&self) -> Span {
        Span { skipped: self.skipped, taken: self.taken.min(MAX_LINES) }
    }
}

impl Nodes {
    /// Returns the servers that live now.
    pub(super) async fn of(cluster: &ClusterHandle) -> Self {
        let others = cluster.others().await;
        let own = if others.nodes.is_empty() { DEFAULT.to_owned() } else { others.own.clone() };
        Self { own, others }
    }

    /// Returns the further names by which a filter may choose this server.
    pub(super) fn aliases(&self) -> Vec<&str> {
        [DEFAULT, self.others.own.as_str()].into_iter().filter(|name| !name.is_empty()).collect()
    }

    /// Returns the names of all, that of this server first.
    pub(super) fn names(&self) -> Vec<&str> {
        let others = self.others.nodes.iter().map(|node| node.name.as_str());
        std::iter::once(self.own.as_str()).chain(others).collect()
    }

    pub(super) fn has_others(&self) -> bool {
        !self.others.nodes.is_empty()
    }

    /// Returns a page of each chosen server, that of this server first; an empty set chooses all.
    ///
    /// The page of a server counts its own lines only, so that pages are exact however many servers there are.
    pub(super) async fn pages(
        &self,
        app: &AppState,
        chosen: &HashSet<String>,
        filter: Option<&Wanted>,
        span: Span,
    ) -> Result<Vec<NodePage>, AppError> {
        let is_chosen = |name: &str| chosen.is_empty() || chosen.contains(name);
        let takes_own = [self.own.as_str(), DEFAULT, self.others.own.as_str()].into_iter().any(is_chosen);
        let others: Vec<_> = self.others.nodes.iter().filter(|node| is_chosen(&node.name)).cloned().collect();
        let limits = Limits::of_each(others.len() + usize::from(takes_own));
        let arguments = Arguments { filter: filter.cloned(), skipped: span.skipped, taken: span.taken };
        let arguments = serde_json::to_string(&arguments).unwrap_or_default();
        let content = Content { kind: LOG_LINES.to_owned(), arguments, max_bytes: limits.bytes };
        let has_others = !others.is_empty();
        let others = Others { nodes: others, ..self.others.clone() };
        let asking = app.actors.cluster.ask(&others, content, ANSWER_LIMIT);
        let reading = async {
            if !takes_own {
                return Ok(None);
            }
            match own_lines(app, filter.cloned(), span, limits).await {
                Ok(lines) => Ok(Some(Ok(lines))),
                Err(refusal) if has_others && refusal.id == BUSY => Ok(Some(Err(Absence::Busy))),
                Err(refusal) => Err(refusal),
            }
        };
        // If this server cannot read its own, the question ends.
        let (own, mut answers) = try_join(reading, async { Ok(asking.all().await) }).await?;
        let place = |answer: &Answer| self.others.nodes.iter().position(|node| node.id == answer.node.id);
        answers.sort_by_key(place);
        let own = own.map(|lines| NodePage { name: self.own.clone(), lines });
        let answered = answers.into_iter().map(|answer| NodePage {
            name: answer.node.name,
            lines: answer.reply.and_then(|text| read(&text, filter.is_some())),
        });
        Ok(own.into_iter().chain(answered).collect())
    }
}

/// Answers the question of another server, whose caller may read logs.
pub(crate) async fn answer(app: &AppState, Taken { content, left }: Taken) -> Reply {
    let Ok(arguments) = serde_json::from_str::<Arguments>(&content.arguments) else { return Err(Absence::Unknown) };
    let time = READ_LIMIT.min(left.saturating_sub(SEND_LIMIT));
    let limits = Limits::for_other(content.max_bytes, time);
    let span = arguments.span();
    match own_lines(app, arguments.filter, span, limits).await {
        Ok(lines) => Ok(written(lines, limits.bytes)),
        Err(refusal) if refusal.id == BUSY => Err(Absence::Busy),
        Err(cause) => {
            warn!(%cause, "the log could not be read for another server");
            Err(Absence::Failed)
        }
    }
}

/// Returns lines of this server's log.
async fn own_lines(app: &AppState, wanted: Option<Wanted>, span: Span, limits: Limits) -> Result<Lines, AppError> {
    let config = app.actors.config.current();
    let settings = &config.view.log;
    let at = Some(wall_ms());
    let filter = wanted.map(Wanted::filter).transpose()?;
    if !settings.enable_file || span.taken == 0 {
        return Ok(Lines { at, ..Lines::default() });
    }
    let mut paths = vec![logging::file_path(settings)];
    if filter.as_ref().is_some_and(logging::Filter::takes_requests) {
        paths.push(logging::requests_path(settings));
    }
    let page = app.tools.log_reader.page(paths, span, filter, limits).await?;
    Ok(Lines { cut: page.cut, texts: page.lines(), at })
}

/// Returns lines as an answer: in the first line the limit that cut them, if one did, and the time; then the lines. Of too
/// many the oldest are left out.
fn written(Lines { texts: lines, mut cut, at }: Lines, max_bytes: usize) -> String {
    let time = at.map(|at| at.to_string()).unwrap_or_default();
    // The first line has at most as many bytes as this text.
    let mut bytes = "size ".len() + time.len();
    let fitting = lines.iter().rev().take_while(|line| {
        bytes += line.len() + 1;
        bytes <= max_bytes
    });
    let start = lines.len() - fitting.count();
    if start > 0 {
        cut = Some("size");
    }
    let mut text = format!("{} {time}", cut.unwrap_or_default());
    for line in lines.iter().skip(start) {
        text.push('\n');
        text.push_str(line);
    }
    text
}

/// Reads an answer. With a filter, all lines must be JSON objects, because they become part of a JSON text.
fn read(text: &str, are_records: bool) -> Result<Lines, Absence> {
    let mut lines = text.split('\n');
    let (cut, time) = lines.next().and_then(|first| first.split_once(' ')).unwrap_or_default();
    let cut = ["size", "time"].into_iter().find(|limit| *limit == cut);
    let at = time.parse().ok();
    let lines: Vec<String> = lines.map(str::to_owned).collect();
    let is_record = |line: &String| line.starts_with('{') && serde_json::from_str::<&RawValue>(line).is_ok();
    if are_records && !lines.iter().all(is_record) {
        return Err(Absence::Failed);
    }
    Ok(Lines { texts: lines, cut, at })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn round(lines: &[&str], cut: Option<&'static str>, max_bytes: usize) -> (Vec<String>, Option<&'static str>) {
        let lines = lines.iter().map(|line| (*line).to_owned()).collect();
        let text = written(Lines { texts: lines, cut, at: Some(7) }, max_bytes);
        assert!(text.len() <= max_bytes);
        let read = read(&text, false).unwrap();
        assert_eq!(read.at, Some(7));
        (read.texts, read.cut)
    }

    #[test]
    fn lines_come_as_they_were_sent_and_the_oldest_are_left_out_at_the_limit() {
        assert_eq!(round(&[], None, 10), (Vec::new(), None));
        assert_eq!(
            round(&["one", "", "two"], Some("time"), 50),
            (["one", "", "two"].map(str::to_owned).into(), Some("time"))
        );
        assert_eq!(round(&["one", "two"], None, 11), (vec!["two".to_owned()], Some("size")));
        assert_eq!(round(&["one", "two"], None, 14), (["one", "two"].map(str::to_owned).into(), None));
    }

    #[test]
    fn a_page_for_another_server_has_no_more_lines_than_a_page_of_this_one() {
        let span = |taken| Arguments { filter: None, skipped: 3, taken }.span();
        assert_eq!((span(usize::MAX).taken, span(5).taken, span(5).skipped), (MAX_LINES, 5, 3));
    }

    #[test]
    fn an_answer_that_is_no_list_of_records_is_refused_where_records_are_wanted() {
        assert_eq!(read("\n{\"a\":1}\n{}", true).unwrap().texts.len(), 2);
        for text in ["\n{\"a\":1}\n", "\nplain", "\n{\"a\":1},\"b\":{}", "\n[]"] {
            assert_eq!(read(text, true).err(), Some(Absence::Failed), "{text}");
            assert!(read(text, false).is_ok());
        }
    }
}
