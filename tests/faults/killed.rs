//! `kill -9` during writes: acknowledged changes exist after the next start.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use futures_util::future::select_all;
use reqwest::Method;
use serde_json::json;
use tokio::sync::Notify;

use crate::support::license::Seller;
use crate::support::server::{PASSWORD, account};
use crate::support::{Client, Home, Process};

/// The variable with the number of kills. Nightly runs set a higher number.
const VARIABLE: &str = "QUARTERDECK_TEST_KILLS";
const DEFAULT_KILLS: usize = 5;

const WRITERS: usize = 4;

/// The kill comes at a random time after the first acknowledgement, at most this much later.
const MAX_KILL_DELAY_MS: u64 = 1500;

/// The changes that the server acknowledged.
#[derive(Default)]
struct Acknowledged {
    /// Accounts, by id and name.
    accounts: RefCell<Vec<(String, String)>>,
    /// Tokens of sessions that were opened and never closed.
    opened: RefCell<Vec<String>>,
    /// Tokens of sessions that were closed.
    closed: RefCell<Vec<String>>,
}

impl Acknowledged {
    /// The numbers of accounts, opened and closed sessions.
    fn counts(&self) -> [usize; 3] {
        [self.accounts.borrow().len(), self.opened.borrow().len(), self.closed.borrow().len()]
    }
}

#[actix_web::test]
async fn what_was_acknowledged_survives_a_kill() {
    let kills = std::env::var(VARIABLE).map_or(DEFAULT_KILLS, |text| text.parse().unwrap());
    // Without a licence a server allows 250 accounts, and many kills need more.
    let seller = Seller::new().await;
    let license = seller.license(&["--users", "1000000"]).await;
    let settings = seller.settings("[TeamSettings]\nEnableOpenServer = true\n");
    let home = Home::new(&settings).await.with_variable("MM_LICENSE", &license);
    let known = Rc::new(Acknowledged::default());
    let mut last_round = [0; 3];
    for round in 0..kills {
        let server = home.start().await;
        verify(&server, &known, last_round).await;
        last_round = known.counts();
        write_until_killed(server, round, &known).await;
    }
    let server = home.start().await;
    verify(&server, &known, [0; 3]).await;
    assert!(server.stop().await.success());
    let [accounts, opened, closed] = known.counts();
    println!("{accounts} accounts, {opened} opened and {closed} closed sessions in {kills} rounds, none was lost");
}

async fn write_until_killed(server: Process, round: usize, known: &Rc<Acknowledged>) {
    let began = Rc::new(Notify::new());
    let writers = (0..WRITERS).map(|writer| {
        let (client, known, began) = (server.client(), known.clone(), began.clone());
        Box::pin(async move { write(&client, &format!("r{round}w{writer}"), &known, &began).await })
    });
    let death = async {
        began.notified().await;
        tokio::time::sleep(Duration::from_millis(rand::random_range(0..MAX_KILL_DELAY_MS))).await;
    };
    tokio::select! {
        () = death => {}
        (ended, ..) = select_all(writers) => panic!("a writer ended before the server did: {ended:?}"),
    }
    server.kill().await;
}

/// Creates accounts, logs in, and logs out every second session.
async fn write(client: &Client, name: &str, known: &Acknowledged, began: &Notify) -> reqwest::Result<()> {
    for number in 0.. {
        let name = format!("{name}n{number}");
        let created = post(client, "/users", account(&name)).await?.expect(201);
        known.accounts.borrow_mut().push((created["id"].as_str().unwrap().to_owned(), name.clone()));
        began.notify_one();
        let login = json!({ "login_id": name, "password": PASSWORD });
        let reply = post(client, "/users/login", login).await?;
        reply.expect(200);
        let token = reply.header("token");
        let stays = number % 2 == 0;
        if stays {
            known.opened.borrow_mut().push(token);
        } else {
            post(&client.with_token(&token), "/users/logout", json!({})).await?.expect_ok();
            known.closed.borrow_mut().push(token);
        }
    }
    Ok(())
}

async fn post(client: &Client, path: &str, body: serde_json::Value) -> reqwest::Result<crate::support::Reply> {
    client.try_send(Method::POST, path, Some(body.to_string()), &[]).await
}

/// Checks the changes after the first `[accounts, opened, closed]`: each round checks those of the round before it, the
/// end checks all.
async fn verify(server: &Process, known: &Acknowledged, [accounts, opened, closed]: [usize; 3]) {
    let (opened, closed) = (known.opened.borrow()[opened..].to_vec(), known.closed.borrow()[closed..].to_vec());
    for token in &closed {
        let reply = server.client().with_token(token).get("/users/me").await;
        reply.expect_refusal(401, "api.context.session_expired.app_error");
    }
    for token in &opened {
        server.client().with_token(token).get("/users/me").await.expect(200);
    }
    let accounts = known.accounts.borrow()[accounts..].to_vec();
    let Some((_, first)) = accounts.first() else { return };
    let reader = server.client().log_in(first).await;
    for (id, name) in &accounts {
        let found = reader.get(&format!("/users/{id}")).await.expect(200);
        assert_eq!(found["username"].as_str(), Some(name.as_str()));
    }
}
