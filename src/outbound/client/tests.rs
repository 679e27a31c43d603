//! Tests of the client against real listeners, with names that resolve as each test says.

mod peer;
mod tls;

use std::collections::VecDeque;
use std::io;
use std::sync::Mutex;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use quarterdeck_actors::config::Config;
use quarterdeck_actors::shared_pool::Permit;
use reqwest::header::{AUTHORIZATION, COOKIE};

use super::*;
use peer::{Peer, answer, redirect};

const TYPED: Chosen<'static> = Chosen::ByUser("user");

/// Returns one list of addresses after the other, and repeats the last one.
struct Script(Mutex<VecDeque<Vec<IpAddr>>>);

impl Names for Script {
    fn look_up(&self, _: &str, _: Permit) -> BoxFuture<'static, io::Result<Vec<IpAddr>>> {
        let mut answers = self.0.lock().unwrap();
        let answer = if answers.len() > 1 { answers.pop_front() } else { answers.front().cloned() };
        std::future::ready(answer.ok_or_else(|| io::Error::other("no such name"))).boxed()
    }
}

/// Creates a client whose names resolve to the first of these addresses, then to the next ones.
fn outbound(addresses: &[&str]) -> Outbound {
    with_roots(addresses, RootCertStore::empty())
}

fn with_roots(addresses: &[&str], roots: RootCertStore) -> Outbound {
    let answers = addresses.iter().map(|address| vec![address.parse().unwrap()]).collect();
    Outbound::with(Arc::new(Script(Mutex::new(answers))), roots).unwrap()
}

fn service(allowed: &str) -> ServiceSettings {
    settings(allowed, false)
}

fn settings(allowed: &str, is_insecure: bool) -> ServiceSettings {
    let values = [
        ("ServiceSettings.AllowedUntrustedInternalConnections".to_owned(), allowed.into()),
        ("ServiceSettings.EnableInsecureOutgoingConnections".to_owned(), is_insecure.into()),
    ];
    Config::from_overrides(values).unwrap().view.service.clone()
}

fn get(url: &str) -> Call<'static> {
    Call { largest_answer: 1024, ..Call::get(url.to_owned(), TYPED) }
}

#[actix_web::test]
async fn an_internal_host_is_called_only_if_it_is_allowed_or_configured() {
    let peer = Peer::start(|_| answer(200, "well")).await;
    let url = format!("http://chat.test:{}/x", peer.port());
    let refused = outbound(&["127.0.0.1"]).call(get(&url), &service("")).await.unwrap_err();
    assert!(matches!(refused, CallFailure::Internal(_)), "{refused}");
    assert!(peer.seen().is_empty());

    for allowed in ["chat.test", "127.0.0.0/8"] {
        let received = outbound(&["127.0.0.1"]).call(get(&url), &service(allowed)).await.unwrap();
        assert_eq!((received.status, &received.body[..]), (200, &b"well"[..]));
    }
    let configured = Call { chosen: Chosen::InConfiguration, ..get(&url) };
    outbound(&["127.0.0.1"]).call(configured, &service("")).await.unwrap();
    let seen = peer.seen();
    assert_eq!(seen.len(), 3);
    let expected = [
        "GET /x HTTP/1.1\r\n".to_owned(),
        format!("host: chat.test:{}\r\n", peer.port()),
        format!("user-agent: Quarterdeck/{VERSION}\r\n"),
    ];
    for part in expected {
        assert!(seen[0].contains(&part), "{part}: {}", seen[0]);
    }
}

#[actix_web::test]
async fn a_name_that_changes_its_mind_leads_nowhere_but_where_it_was_checked() {
    let checked = Peer::start(|_| answer(200, "checked")).await;
    let other = Peer::start_at(&format!("127.0.0.2:{}", checked.port()), |_| answer(200, "other")).await;
    let url = format!("http://chat.test:{}/", checked.port());
    let outbound = outbound(&["127.0.0.1", "127.0.0.2"]);
    let received = outbound.call(get(&url), &service("127.0.0.1")).await.unwrap();
    assert_eq!(&received.body[..], b"checked");
    let refused = outbound.call(get(&url), &service("127.0.0.1")).await.unwrap_err();
    assert!(refused.to_string().starts_with("chat.test resolves to 127.0.0.2, a loopback address"), "{refused}");
    assert_eq!((checked.seen().len(), other.seen().len()), (1, 0));
}

#[actix_web::test]
async fn a_redirect_is_checked_like_the_first_address() {
    let inner = Peer::start(|_| answer(200, "secret")).await;
    for target in ["127.0.0.1", "[::ffff:127.0.0.1]", "inner.test"] {
        let target = format!("http://{target}:{}/", inner.port());
        let outer = Peer::start(move |_| redirect(302, &target)).await;
        let url = format!("http://outer.test:{}/", outer.port());
        for chosen in [TYPED, Chosen::InConfiguration] {
            let call = Call { chosen, ..get(&url) };
            let refused = outbound(&["127.0.0.1"]).call(call, &service("outer.test")).await.unwrap_err();
            assert!(matches!(refused, CallFailure::Internal(_)), "{refused}");
        }
    }
    assert!(inner.seen().is_empty());
    for target in ["file:///etc/passwd", "http://user:pw@outer.test/", "ftp://outer.test/", "http://[/"] {
        let outer = Peer::start(move |_| redirect(302, target)).await;
        let url = format!("http://outer.test:{}/", outer.port());
        let refused = outbound(&["127.0.0.1"]).call(get(&url), &service("outer.test")).await.unwrap_err();
        assert!(matches!(refused, CallFailure::Address(_)), "{target}: {refused}");
    }
}

#[actix_web::test]
async fn redirects_are_followed_up_to_the_limit_and_not_at_all_if_none_are_wanted() {
    let peer = Peer::start(|request| {
        let number: usize = request.split(['/', ' ']).find_map(|part| part.parse().ok()).unwrap();
        if number == 0 { answer(200, "there") } else { redirect(302, &format!("/{}", number - 1)) }
    })
    .await;
    let outbound = outbound(&["127.0.0.1"]);
    let at = |number: usize| format!("http://chat.test:{}/{number}", peer.port());
    let service = service("chat.test");
    assert_eq!(&outbound.call(get(&at(10)), &service).await.unwrap().body[..], b"there");
    let refused = outbound.call(get(&at(11)), &service).await.unwrap_err();
    assert_eq!(refused.to_string(), "more than 10 redirects");
    let first = outbound.call(Call { redirects: 0, ..get(&at(5)) }, &service).await.unwrap();
    assert_eq!(first.status, 302);
    let refused = outbound.call(Call { redirects: 1, ..get(&at(2)) }, &service).await.unwrap_err();
    assert!(matches!(refused, CallFailure::Redirects(1)));
}

#[actix_web::test]
async fn what_says_who_is_asking_stays_with_the_first_host() {
    let far = Peer::start(|_| answer(200, "")).await;
    let (far_port, service) = (far.port(), service("127.0.0.1"));
    for (status, repeats) in [(301, false), (302, false), (303, false), (307, true), (308, true)] {
        let target = format!("http://far.test:{far_port}/");
        let near = Peer::start(move |request| {
            if request.starts_with("POST /same ") { redirect(307, "/far") } else { redirect(status, &target) }
        })
        .await;
        let mut call = Call::post(format!("http://near.test:{}/same", near.port()), TYPED, &"text").unwrap();
        call.headers.insert(AUTHORIZATION, HeaderValue::from_static("Bearer t"));
        call.headers.insert(COOKIE, HeaderValue::from_static("a=b"));
        outbound(&["127.0.0.1"]).call(Call { redirects: 10, ..call }, &service).await.unwrap();
        assert!(near.seen()[1].contains("authorization: Bearer t\r\n") && near.seen()[1].ends_with("\"text\""));
        let last = far.seen().pop().unwrap();
        assert!(!last.contains("authorization") && !last.contains("cookie"), "{last}");
        let method = if repeats { "POST / " } else { "GET / " };
        assert_eq!((last.starts_with(method), last.ends_with("\"text\"")), (true, repeats), "{status}: {last}");
    }
}

#[actix_web::test]
async fn a_larger_answer_is_refused_and_one_that_nobody_wants_is_not_read() {
    let long = "x".repeat(1025);
    let chunked = format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n401\r\n{long}\r\n0\r\n\r\n");
    for answer in [answer(200, &long), chunked] {
        let peer = Peer::start(move |_| answer.clone()).await;
        let url = format!("http://chat.test:{}/", peer.port());
        let (outbound, service) = (outbound(&["127.0.0.1"]), service("chat.test"));
        let refused = outbound.call(get(&url), &service).await.unwrap_err();
        assert_eq!(refused.to_string(), "the response is larger than 1024 bytes");
        let whole = outbound.call(Call { largest_answer: 1025, ..get(&url) }, &service).await.unwrap();
        assert_eq!(whole.body.len(), 1025);
        let unread = outbound.call(Call { largest_answer: 0, ..get(&url) }, &service).await.unwrap();
        assert_eq!((unread.status, unread.body.len()), (200, 0));
    }
}

#[actix_web::test]
async fn a_host_that_hangs_is_left_at_the_deadline() {
    let half = "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf";
    for beginning in ["", "HTTP/1.1 200 OK\r\n", half] {
        let peer = Peer::start_hanging(beginning).await;
        let call = get(&format!("http://chat.test:{}/", peer.port()));
        let call = Call { deadline: Duration::from_millis(200), ..call };
        let late = outbound(&["127.0.0.1"]).call(call, &service("chat.test")).await.unwrap_err();
        assert_eq!(late.to_string(), "no response within 0.2 s", "{beginning}");
    }
}

#[actix_web::test]
async fn a_host_that_is_not_there_is_named_and_so_is_the_reason() {
    let port = peer::free_port();
    let (outbound, service) = (outbound(&["127.0.0.1"]), service("chat.test"));
    let url = format!("http://chat.test:{port}/?token=t0ken");
    let refused = outbound.call(get(&url), &service).await.unwrap_err().to_string();
    assert!(refused.starts_with("chat.test cannot be reached: Connection refused"), "{refused}");
    let nowhere = with_roots(&[], RootCertStore::empty()).call(get(&url), &service).await.unwrap_err();
    assert_eq!(nowhere.to_string(), "chat.test cannot be resolved: no such name");
    let garbage = Peer::start(|_| "no HTTP\r\n\r\n".to_owned()).await;
    let refused = outbound.call(get(&format!("http://chat.test:{}/", garbage.port())), &service).await.unwrap_err();
    assert!(matches!(refused, CallFailure::Unreachable { .. }), "{refused}");
}

#[actix_web::test]
async fn the_operating_system_is_asked_for_names() {
    let peer = Peer::start(|_| answer(200, "")).await;
    let url = format!("http://localhost:{}/", peer.port());
    let outbound = Outbound::new().unwrap();
    let refused = outbound.call(get(&url), &service("")).await.unwrap_err().to_string();
    assert!(refused.starts_with("localhost resolves to "), "{refused}");
    outbound.call(get(&url), &service("localhost")).await.unwrap();
}

/// Keeps the permits of all look-ups, like a name server that never responds.
#[derive(Default)]
struct Lingering(Mutex<Vec<Permit>>);

impl Names for Lingering {
    fn look_up(&self, _: &str, permit: Permit) -> BoxFuture<'static, io::Result<Vec<IpAddr>>> {
        self.0.lock().unwrap().push(permit);
        std::future::pending().boxed()
    }
}

#[actix_web::test]
async fn look_ups_that_linger_count_against_their_user_and_hold_up_nobody_else() {
    let names = Arc::new(Lingering::default());
    let outbound = Outbound::with(names.clone(), RootCertStore::empty()).unwrap();
    let service = service("");
    let begin = |chosen, count: usize| {
        let call = || Call { chosen, ..get("http://slow.test/") };
        // Each call is started and dropped, as when its client disconnects.
        (0..count).for_each(|_| assert!(outbound.call(call(), &service).now_or_never().is_none()));
        names.0.lock().unwrap().len()
    };
    assert_eq!(begin(Chosen::ByUser("anna"), 20), MAX_LOOK_UPS_PER_USER);
    assert_eq!(begin(Chosen::ByUser("bert"), 1), MAX_LOOK_UPS_PER_USER + 1);
    assert_eq!(begin(Chosen::ByOperator { listening: &[], decides_site_url: false }, 1), MAX_LOOK_UPS_PER_USER + 2);
    assert_eq!(begin(Chosen::InConfiguration, 1), MAX_LOOK_UPS_PER_USER + 3);
    names.0.lock().unwrap().clear();
    assert_eq!(begin(Chosen::ByUser("anna"), 1), 1);
}
