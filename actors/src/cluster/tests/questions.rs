//! Questions to other nodes.

use std::collections::BTreeMap;

use super::*;
use crate::cluster::question::{Absence, Content, Part, Question, Questions, Reply, Taken};

/// The questions of a bus in memory.
#[derive(Default)]
pub(crate) struct Open {
    questions: BTreeMap<String, Question>,
    answers: Vec<Part>,
    /// True if the bus repeats each message of a question.
    repeats: bool,
    /// True if no further question is accepted.
    is_full: bool,
    /// True if the store does not answer to a further question.
    is_frozen: bool,
}

impl Questions for Memory {
    fn living(&self) -> BoxFuture<'static, Result<Vec<NodeFacts>, AppError>> {
        let nodes = self.state().nodes.iter().map(|node| node.facts.clone()).collect();
        self.answer(nodes)
    }

    fn open(&self, question: Question) -> BoxFuture<'static, Result<bool, AppError>> {
        let mut state = self.state();
        if state.open.is_frozen {
            return std::future::pending().boxed();
        }
        if state.open.is_full {
            return Memory::answer(self, false);
        }
        let (id, node_id) = (question.id.clone(), question.node_id.clone());
        state.open.questions.insert(id.clone(), question);
        for _ in 0..=usize::from(state.open.repeats) {
            Self::add(&mut state, &node_id, "question", &id);
        }
        self.told.notify_waiters();
        Memory::answer(self, true)
    }

    fn take(&self, question_id: String, node_id: String) -> BoxFuture<'static, Result<Option<Taken>, AppError>> {
        let mut state = self.state();
        let question = state.open.questions.get_mut(&question_id);
        let taken = question.filter(|question| question.targets.contains(&node_id)).map(|question| {
            question.targets.retain(|target| *target != node_id);
            Taken { content: question.content.clone(), left: question.limit }
        });
        Memory::answer(self, taken)
    }

    fn untaken(&self, question_id: String) -> BoxFuture<'static, Result<Vec<String>, AppError>> {
        let targets = self.state().open.questions.get(&question_id).map(|question| question.targets.clone());
        Memory::answer(self, targets.unwrap_or_default())
    }

    fn is_open(&self, question_id: String) -> BoxFuture<'static, Result<bool, AppError>> {
        Memory::answer(self, self.state().open.questions.contains_key(&question_id))
    }

    fn answer(&self, part: Part) -> BoxFuture<'static, Result<bool, AppError>> {
        let mut state = self.state();
        let is_open = state.open.questions.contains_key(&part.question_id);
        if is_open {
            state.open.answers.push(part);
        }
        Memory::answer(self, is_open)
    }

    fn collect(&self, question_id: String) -> BoxFuture<'static, Result<Vec<Part>, AppError>> {
        let mut state = self.state();
        let (found, rest) =
            std::mem::take(&mut state.open.answers).into_iter().partition(|part| part.question_id == question_id);
        state.open.answers = rest;
        Memory::answer(self, found)
    }

    fn close(&self, question_id: String) -> BoxFuture<'static, Result<(), AppError>> {
        let mut state = self.state();
        state.open.questions.remove(&question_id);
        state.open.answers.retain(|part| part.question_id != question_id);
        Memory::answer(self, ())
    }

    fn wait_for_answers(&self, limit: Duration) -> BoxFuture<'_, ()> {
        self.wait(limit)
    }
}

/// Answers as the kind of the question says.
pub(super) fn reply(notes: &Notes, Taken { content, .. }: Taken) -> BoxFuture<'static, Reply> {
    notes.lines.lock().unwrap().push(format!("asked {}", content.arguments));
    match content.kind.as_str() {
        "echo" => async move { Ok(content.arguments) }.boxed(),
        "never" => std::future::pending().boxed(),
        "panic" => async { panic!("asked to") }.boxed(),
        _ => async { Err(Absence::Unknown) }.boxed(),
    }
}

const LIMIT: Duration = Duration::from_secs(9);
const SHORT: Duration = Duration::from_millis(50);

fn content(kind: &str, arguments: &str, max_bytes: usize) -> Content {
    Content { kind: kind.to_owned(), arguments: arguments.to_owned(), max_bytes }
}

/// Puts a question to all other nodes. Returns each answer as a line, in the order of the names.
async fn replies(cluster: &ClusterHandle, content: Content, limit: Duration) -> Vec<String> {
    let others = cluster.others().await;
    let answers = cluster.ask(&others, content, limit).all().await;
    let mut lines: Vec<String> =
        answers.into_iter().map(|answer| format!("{} {:?}", answer.node.name, answer.reply)).collect();
    lines.sort();
    lines
}

#[actix_rt::test]
async fn all_others_answer_once_and_nothing_is_left_behind() {
    let bus = Arc::new(Memory::default());
    let ((one, of_one), (_two, of_two), (_three, of_three)) =
        (node(&bus, "a").await, node(&bus, "b").await, node(&bus, "c").await);
    bus.state().open.repeats = true;
    let lines = replies(&one, content("echo", "x", 10), LIMIT).await;
    assert_eq!(lines, ["host-2 Ok(\"x\")", "host-3 Ok(\"x\")"]);
    one.send(event("later")).await;
    let all = ["asked x", "later"];
    until("each answered once", async || of_two.lines() == all && of_three.lines() == all).await;
    assert_eq!(of_one.lines(), ["later"], "the node does not answer itself");
    until("it is closed", async || bus.state().open.questions.is_empty() && bus.state().open.answers.is_empty()).await;
}

#[actix_rt::test]
async fn a_node_that_gives_no_answer_is_named_with_the_reason() {
    let bus = Arc::new(Memory::default());
    let ((one, _), (_two, _notes)) = (node(&bus, "a").await, node(&bus, "b").await);
    let later = NodeFacts { id: "c".to_owned(), name: "older".to_owned(), ..NodeFacts::default() };
    bus.state().nodes.push(Node { facts: later, ..Node::default() });
    for (kind, arguments, reason) in [
        ("echo", "too long", "Failed"),
        ("unheard-of", "", "Unknown"),
        ("never", "", "Silent"),
        ("panic", "", "Silent"),
    ] {
        let lines = replies(&one, content(kind, arguments, 5), Duration::from_millis(500)).await;
        assert_eq!(lines, [format!("host-2 Err({reason})"), "older Err(Silent)".to_owned()], "{kind}");
    }
}

#[actix_rt::test]
async fn a_node_that_does_not_take_a_question_is_not_awaited_and_slow_questions_have_permits_of_their_own() {
    let bus = Arc::new(Memory::default());
    let ((one, _), (_two, _notes)) = (node(&bus, "a").await, node(&bus, "b").await);
    let frozen = NodeFacts { id: "c".to_owned(), name: "frozen".to_owned(), ..NodeFacts::default() };
    bus.state().nodes.push(Node { facts: frozen, ..Node::default() });
    let lines = replies(&one, content("echo", "x", 5), Duration::from_hours(1)).await;
    assert_eq!(lines, ["frozen Err(Silent)", "host-2 Ok(\"x\")"]);
    bus.state().nodes.pop();
    let others = one.others().await;
    let ask = || one.ask(&others, content("never", "", 5), Duration::from_hours(1));
    let _slow: Vec<Asking> = (0..asking::MAX_SLOW_QUESTIONS).map(|_| ask()).collect();
    assert_eq!(replies(&one, content("echo", "x", 5), Duration::from_hours(1)).await, ["host-2 Err(Busy)"]);
    assert_eq!(replies(&one, content("echo", "x", 5), LIMIT).await, ["host-2 Ok(\"x\")"]);
}

#[actix_rt::test]
async fn too_many_questions_and_a_store_that_is_away_are_told_at_once() {
    let bus = Arc::new(Memory::default());
    let ((one, _), (_two, _notes)) = (node(&bus, "a").await, node(&bus, "b").await);
    until("it knows the other", async || one.nodes().living.len() == 2).await;
    let others = one.others().await;
    let ask = |limit| one.ask(&others, content("never", "", 5), limit);
    let open: Vec<Asking> = (0..asking::MAX_QUESTIONS).map(|_| ask(LIMIT)).collect();
    assert_eq!(replies(&one, content("echo", "x", 5), LIMIT).await, ["host-2 Err(Busy)"]);
    // A caller that hangs up closes the question.
    drop(open);
    until("there is room again", async || replies(&one, content("echo", "x", 5), LIMIT).await == ["host-2 Ok(\"x\")"])
        .await;
    until("all are closed", async || bus.state().open.questions.is_empty()).await;
    bus.state().open.is_full = true;
    assert_eq!(replies(&one, content("echo", "x", 5), LIMIT).await, ["host-2 Err(Busy)"]);
    bus.is_away.store(true, Ordering::Relaxed);
    let others = one.others().await;
    assert!(!others.is_current);
    assert_eq!(replies(&one, content("echo", "x", 5), LIMIT).await, ["host-2 Err(Unreachable)"]);
}

#[actix_rt::test]
async fn a_store_that_freezes_is_not_awaited_for_the_whole_time() {
    let bus = Arc::new(Memory::default());
    let ((one, _), (_two, _notes)) = (node(&bus, "a").await, node(&bus, "b").await);
    bus.state().open.is_frozen = true;
    let lines = replies(&one, content("echo", "x", 5), Duration::from_hours(1)).await;
    assert_eq!(lines, ["host-2 Err(Unreachable)"]);
}

#[actix_rt::test]
async fn nodes_with_one_name_are_told_apart() {
    let bus = Arc::new(Memory::default());
    let (one, _) = node(&bus, "a").await;
    let same = NodeFacts { id: "c".to_owned(), name: "host-1".to_owned(), ..NodeFacts::default() };
    bus.state().nodes.push(Node { facts: same, ..Node::default() });
    let others = one.others().await;
    let names: Vec<&str> = others.nodes.iter().map(|node| node.name.as_str()).collect();
    assert_eq!((others.own.as_str(), names), ("host-1", vec!["host-1-c"]));
    // This node was removed while it was frozen, and its name was given away.
    bus.state().nodes.retain(|node| node.facts.id == "c");
    let others = one.others().await;
    let names: Vec<&str> = others.nodes.iter().map(|node| node.name.as_str()).collect();
    assert_eq!((others.own.as_str(), names), ("host-1-a", vec!["host-1"]));
}

#[actix_rt::test]
async fn a_question_beyond_the_limit_is_refused_and_work_ends_with_its_question() {
    let bus = Arc::new(Memory::default());
    let (_one, of_one) = node(&bus, "a").await;
    let put = async |id: String, kind: &str| {
        let (targets, content) = (vec!["a".to_owned()], content(kind, "x", 5));
        let question = Question { id, node_id: "z".to_owned(), targets, content, limit: Duration::from_hours(1) };
        assert!(bus.open(question).await.unwrap());
    };
    let states = |id: &str| {
        let state = bus.state();
        let parts = state.open.answers.iter().filter(|part| part.question_id == id);
        parts.map(|part| part.state.clone()).collect::<Vec<_>>()
    };
    for number in 0..answering::MAX_ANSWERS {
        put(number.to_string(), "never").await;
    }
    let begun = async || of_one.lines().iter().filter(|line| *line == "asked x").count();
    until("it works on some", async || begun().await == answering::MAX_ANSWERS).await;
    put("more".to_owned(), "echo").await;
    until("one is refused", async || states("more") == ["busy"]).await;
    bus.note(&Message::Config);
    until("later messages come", async || of_one.lines().contains(&"config".to_owned())).await;
    assert_eq!(begun().await, answering::MAX_ANSWERS);
    // The callers hang up.
    for number in 0..answering::MAX_ANSWERS {
        bus.close(number.to_string()).await.unwrap();
    }
    let mut count = 0;
    until("there is room again", async || {
        count += 1;
        let id = format!("later {count}");
        put(id.clone(), "echo").await;
        until("it has an answer", async || !states(&id).is_empty()).await;
        states(&id) == ["last"]
    })
    .await;
}

#[actix_rt::test]
async fn a_server_alone_asks_no_other() {
    let alone = ClusterHandle::alone(Clock::new(wall_ms, Uptime::now));
    assert!(alone.others().await.nodes.is_empty());
    assert_eq!(replies(&alone, content("echo", "x", 5), SHORT).await, [""; 0]);
}
