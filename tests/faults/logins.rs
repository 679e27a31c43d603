//! Logins under attack: floods, callers who disconnect, two servers.

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use serde_json::json;

use crate::support::one_time::{ENABLE, code, step};
use crate::support::server::{PASSWORD, account};
use crate::support::waiting::until;
use crate::support::{Client, Home, Process, Reply, backdoor, database, raw};

#[actix_web::test]
async fn a_flood_of_unknown_names_delays_nobody_elsewhere() {
    let server = with_admin("").await;
    let hostile = server.client().at_address("127.0.0.2");
    let flood = join_all((0..300).map(|number| login(&hostile, format!("nobody{number}"), "wrong")));
    let honest = async {
        for _ in 0..5 {
            login(&server.client(), "admin".to_owned(), PASSWORD).await.expect(200);
        }
    };
    let replies = outlasted(flood, honest).await;
    // A bounded number waited; the others were refused at once, with the time to try again.
    let refused: Vec<&Reply> = replies.iter().filter(|reply| reply.status == 429).collect();
    assert!(refused.len() >= 200, "{} were refused", refused.len());
    for reply in refused {
        reply.expect_refusal(429, "app.password.caller_queue_full.app_error");
        assert!(reply.header("retry-after").parse::<u32>().unwrap() >= 1);
    }
    let hashed = replies.iter().filter(|reply| reply.status == 401).count();
    assert!((1..=100).contains(&hashed), "{hashed} were hashed");
}

#[actix_web::test]
async fn a_hammered_name_delays_neither_others_nor_its_owner() {
    let server = with_admin("[ServiceSettings]\nMaximumLoginAttempts = 100000\n").await;
    let hostile = server.client().at_address("127.0.0.2");
    let flood = join_all((0..1_000).map(|_| login(&hostile, "admin".to_owned(), "wrong")));
    let honest = async {
        for _ in 0..3 {
            login(&server.client(), "admin".to_owned(), PASSWORD).await.expect(200);
        }
        // Names at one address take turns.
        let neighbour = server.client().at_address("127.0.0.2");
        login(&neighbour, "bert".to_owned(), PASSWORD).await.expect(200);
    };
    let replies = outlasted(flood, honest).await;
    assert!(replies.iter().all(|reply| [401, 429].contains(&reply.status)));
}

#[actix_web::test]
async fn work_for_callers_who_hung_up_is_not_done() {
    let server = with_admin("").await;
    let body = json!({ "login_id": "nobody", "password": "wrong" }).to_string();
    let request =
        format!("POST /api/v4/users/login HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n\r\n{body}", body.len());
    for _ in 0..10 {
        join_all((0..50).map(|_| raw::send_and_leave(&server.base, &request))).await;
    }
    // If the 500 passwords from this address had been hashed, this login would take a minute or be refused.
    let started = Instant::now();
    until("there is a place in the queue", async || {
        let reply = login(&server.client(), "admin".to_owned(), PASSWORD).await;
        assert!(matches!(reply.status, 200 | 429), "{}", reply.text());
        reply.status == 200
    })
    .await;
    assert!(started.elapsed() < Duration::from_secs(30), "{:?}", started.elapsed());
}

#[actix_web::test]
async fn two_servers_count_attempts_together_and_take_a_code_once() {
    let folder = tempfile::tempdir().unwrap();
    let database = database::fresh(folder.path()).await;
    let homes = [0; 2].map(|_| Home::on_database(&database, "[ServiceSettings]\nMaximumLoginAttempts = 5\n"));
    let servers = [homes[0].start().await, homes[1].start().await];
    servers[0].client().post("/users", account("admin")).await.expect(201);
    let names = ["admin", "admin@chat.example"];
    let attempts = (0..12).map(|number| (servers[number % 2].client(), names[number / 2 % 2].to_owned()));
    join_all(attempts.map(|(client, name)| async move { login(&client, name, "wrong").await })).await;
    let count = "SELECT CAST(failedattempts AS text) FROM users";
    assert_eq!(backdoor::texts_in(homes[0].folder(), count).await, ["5"]);
    backdoor::execute_in(homes[0].folder(), &format!("{ENABLE}, failedattempts = 0")).await;
    let body = json!({ "login_id": "admin", "password": PASSWORD, "token": code(step()) });
    let clients = [servers[0].client(), servers[1].client()];
    let replies = join_all(clients.iter().map(|client| client.post("/users/login", body.clone()))).await;
    let statuses: Vec<u16> = replies.iter().map(|reply| reply.status).collect();
    assert!(statuses == [200, 401] || statuses == [401, 200], "{statuses:?}");
}

async fn with_admin(settings: &str) -> Process {
    let server = Home::new(settings).await.start().await;
    server.client().post("/users", account("admin")).await.expect(201);
    server.client().log_in("admin").await.post("/users", account("bert")).await.expect(201);
    server
}

/// Returns the responses of a flood that still runs when the honest logins are complete, so they did not wait for all
/// of it. Only the order matters, for any speed of the machine.
async fn outlasted(flood: impl Future<Output = Vec<Reply>>, honest: impl Future<Output = ()>) -> Vec<Reply> {
    let flood = async { (flood.await, Instant::now()) };
    let honest = async {
        honest.await;
        Instant::now()
    };
    let ((replies, flood_end), honest_end) = futures_util::future::join(flood, honest).await;
    assert!(honest_end < flood_end, "the honest logins waited for the whole flood");
    replies
}

async fn login(client: &Client, name: String, password: &str) -> Reply {
    client.post("/users/login", json!({ "login_id": name, "password": password })).await
}
