//! Clients that write, follow events and look which servers answer while these are upgraded.

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::rc::Rc;
use std::time::Duration;

use actix_web::rt::spawn;
use futures_util::future::join_all;
use reqwest::Method;
use serde_json::{Value, json};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout};

use super::fleet::{Fleet, SERVERS};
use crate::support::Client;
use crate::support::websocket::{Frame, PONG, WebSocket, frame, upgrade};

/// The time after which a client gives a request or a connection up.
const REPLY_TIMEOUT: Duration = Duration::from_secs(8);

/// The time of a look at all servers, longer than which it tells nothing: the machine stood still.
const LOOK_LIMIT: Duration = Duration::from_secs(1);

const INTERVAL: Duration = Duration::from_millis(100);

#[derive(Default)]
struct Record {
    is_over: Cell<bool>,
    acknowledged: RefCell<BTreeSet<String>>,
    violations: RefCell<Vec<String>>,
    /// The numbers of connections that continued on a server, and that began anew.
    resumed: Cell<usize>,
    greeted: Cell<usize>,
    looks: Cell<usize>,
}

pub(super) struct Traffic {
    record: Rc<Record>,
    tasks: Vec<JoinHandle<()>>,
}

impl Traffic {
    pub(super) fn start(fleet: &Fleet) -> Self {
        let record = Rc::<Record>::default();
        let mut tasks = vec![spawn(look(fleet.bases(), record.clone()))];
        for number in 0..SERVERS {
            let clients: Vec<Client> =
                (0..SERVERS).map(|next| fleet.admins[(number + next) % SERVERS].clone()).collect();
            tasks.push(spawn(follow(clients.clone(), record.clone())));
            tasks.push(spawn(write(number, clients, record.clone())));
        }
        Self { record, tasks }
    }

    /// Ends the clients, and fails if one of them saw a violation, or a server lost an acknowledged write.
    pub(super) async fn end(self, fleet: &Fleet) {
        self.record.is_over.set(true);
        for task in join_all(self.tasks).await {
            task.unwrap();
        }
        let record = &self.record;
        assert_eq!(*record.violations.borrow(), Vec::<String>::new());
        let (acknowledged, looks) = (record.acknowledged.borrow().clone(), record.looks.get());
        assert!(acknowledged.len() > 50 && looks > 20, "{} writes, {looks} looks", acknowledged.len());
        assert!(record.resumed.get() >= SERVERS, "{} resumed, {} greeted", record.resumed.get(), record.greeted.get());
        assert_eq!(record.greeted.get(), SERVERS, "each client has one connection all the time");
        for admin in &fleet.admins {
            let stored = admin.get("/users/me/preferences/run").await.expect(200);
            let stored: BTreeSet<String> =
                stored.as_array().unwrap().iter().map(|value| value["name"].as_str().unwrap().to_owned()).collect();
            let lost: Vec<&String> = acknowledged.difference(&stored).collect();
            assert!(lost.is_empty(), "acknowledged and lost: {lost:?}");
        }
    }
}

/// Looks again and again which servers answer: at each moment, at least two of them do.
async fn look(bases: Vec<String>, record: Rc<Record>) {
    let clients: Vec<Client> = bases.iter().map(|base| Client::new(base)).collect();
    while !record.is_over.get() {
        let begun = Instant::now();
        let answers = async |client: &Client| client.try_send(Method::GET, "/system/ping", None, &[]).await.is_ok();
        let answering = join_all(clients.iter().map(|client| timeout(REPLY_TIMEOUT, answers(client)))).await;
        let count = answering.into_iter().filter(|answer| matches!(answer, Ok(true))).count();
        if begun.elapsed() < LOOK_LIMIT {
            record.looks.set(record.looks.get() + 1);
            if count + 1 < SERVERS {
                record.violations.borrow_mut().push(format!("only {count} servers answered"));
            }
        }
        sleep(INTERVAL).await;
    }
}

/// Writes values on a server, and on the next one if it does not answer.
async fn write(writer: usize, clients: Vec<Client>, record: Rc<Record>) {
    let (mut number, mut server) = (0, 0);
    while !record.is_over.get() {
        number += 1;
        let (client, name) = (&clients[server % SERVERS], format!("{writer}-{number}"));
        let body = json!([{ "user_id": client.user_id, "category": "run", "name": name, "value": "written" }]);
        let sending = client.try_send(Method::PUT, "/users/me/preferences", Some(body.to_string()), &[]);
        match timeout(REPLY_TIMEOUT, sending).await {
            Ok(Ok(reply)) if reply.status == 200 => {
                record.acknowledged.borrow_mut().insert(name);
            }
            Ok(Ok(_) | Err(_)) | Err(_) => server += 1,
        }
        sleep(INTERVAL).await;
    }
}

/// Follows events on a server, and resumes on the next one if the connection ends.
async fn follow(clients: Vec<Client>, record: Rc<Record>) {
    let (mut server, mut connection, mut next) = (0, String::new(), 0);
    while !record.is_over.get() {
        let client = &clients[server % SERVERS];
        let query = match connection.as_str() {
            "" => String::new(),
            id => format!("?connection_id={id}&sequence_number={next}"),
        };
        let head = upgrade(&query, &format!("Authorization: Bearer {}\r\n", client.token.as_ref().unwrap()));
        if let Ok(Some(mut socket)) = timeout(REPLY_TIMEOUT, WebSocket::attempt(&client.base, &head)).await {
            let mut is_new = true;
            while let Some(event) = event(&mut socket, &record).await {
                let (seq, is_hello) = (event["seq"].as_i64().unwrap(), event["event"] == "hello");
                if is_hello {
                    event["data"]["connection_id"].as_str().unwrap().clone_into(&mut connection);
                    record.greeted.set(record.greeted.get() + 1);
                } else if seq != next {
                    record.violations.borrow_mut().push(format!("event {seq} came in place of event {next}"));
                } else if std::mem::take(&mut is_new) {
                    record.resumed.set(record.resumed.get() + 1);
                }
                is_new = false;
                next = seq + 1;
            }
        }
        server += 1;
        sleep(INTERVAL).await;
    }
}

/// Returns the next event; `None` once the connection or the run ends.
async fn event(socket: &mut WebSocket, record: &Record) -> Option<Value> {
    loop {
        if record.is_over.get() {
            return None;
        }
        match timeout(REPLY_TIMEOUT, socket.next()).await {
            Ok(Frame::Text(text)) => return Some(serde_json::from_str(&text).unwrap()),
            Ok(Frame::Ping) => {
                if !socket.try_send_raw(&frame(true, PONG, b"")).await {
                    return None;
                }
            }
            Ok(Frame::Pong(_)) => {}
            Ok(Frame::Close(..) | Frame::End) | Err(_) => return None,
        }
    }
}
