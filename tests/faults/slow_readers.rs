//! Clients that request large responses and do not read them.

use futures_util::future::join_all;
use serde_json::json;

use crate::support::server::account;
use crate::support::slow::SlowReader;
use crate::support::swarm;
use crate::support::waiting::until;
use crate::support::web_peer::WebPeer;
use crate::support::{Client, Home, TestServer};

const MEGABYTE: usize = 1 << 20;

const IMAGES: &str =
    "[ServiceSettings]\nAllowedUntrustedInternalConnections = \"127.0.0.1\"\n[ImageProxySettings]\nEnable = true\n";

const UNREAD: &str = "app.request.responses_unread.app_error";

/// Returns an image of 5 by 3 pixels, followed by more bytes.
fn picture(bytes: usize) -> String {
    format!("GIF89a\x05\0\x03\0\0\0\0{}", "x".repeat(bytes))
}

async fn slow_readers(client: &Client, path: &str, count: usize) -> Vec<SlowReader> {
    join_all((0..count).map(|_| SlowReader::start(client, path))).await
}

#[actix_web::test]
async fn many_slow_readers_of_the_largest_asset_hold_a_few_pieces_each() {
    const READERS: usize = 400;
    swarm::size(READERS);
    let home = Home::new("").await;
    let server = home.start().await;
    let client = server.client();
    let path = "/openapi/swagger-ui-bundle.js";
    let whole = client.get(path).await;
    assert!(whole.body.len() > MEGABYTE, "{}", whole.body.len());
    let before = server.peak_memory();
    let mut readers = slow_readers(&client, path, READERS).await;
    assert!(readers.iter().all(|reader| reader.length() == whole.body.len()));
    let grown = usize::try_from(server.peak_memory() - before).unwrap() * 1024;
    // With whole bodies in memory, this would be 400 times more than a megabyte.
    assert!(grown < READERS * 150 * 1024, "{grown} bytes for {READERS} readers");
    assert!(client.get("/system/ping").await.status == 200);
    // A client that continues to read gets the complete body.
    assert!(readers.pop().unwrap().finish().await == whole.body);
}

#[actix_web::test]
async fn users_who_read_no_images_get_no_more_of_them_and_other_users_do() {
    const READERS: usize = 300;
    const USERS: usize = 10;
    swarm::size(READERS);
    let (home, peer) = (Home::new(IMAGES).await, WebPeer::start().await);
    let server = home.start().await;
    server.client().post("/users", account("admin")).await.expect(201);
    let admin = server.client().log_in("admin").await;
    let mut users = Vec::new();
    for number in 0..=USERS {
        let name = format!("user{number}");
        admin.post("/users", account(&name)).await.expect(201);
        users.push(server.client().log_in(&name).await);
    }
    let (bert, users) = users.split_last().unwrap();
    peer.answer(200, &picture(6 * MEGABYTE));
    let path = format!("/image?url={}/a.gif", peer.url());
    bert.get(&path).await;
    let before = server.peak_memory();
    let readers = join_all((0..READERS).map(|number| SlowReader::start(&users[number % USERS], &path))).await;
    assert!(readers.iter().all(|reader| [200, 503].contains(&reader.status())));
    let of = |user: usize| readers.iter().skip(user).step_by(USERS).filter(|reader| reader.status() == 200).count();
    let admitted: Vec<usize> = (0..USERS).map(of).collect();
    let grown = (server.peak_memory() - before) / 1024;
    // A user may have 16 MB, and all users 48 MB and one image each; all images together are 1.8 GB.
    assert!(admitted.iter().all(|count| *count <= 2) && admitted.iter().sum::<usize>() > 0, "{admitted:?}");
    assert!(grown < 200, "{grown} MiB");
    let whole = bert.get(&path).await;
    assert_eq!((whole.status, whole.body.len()), (200, picture(6 * MEGABYTE).len()));
    let held = admitted.iter().position(|count| *count > 0).unwrap();
    users[held].get(&path).await.expect_refusal(503, UNREAD);
    // The memory is free again after the bodies were dropped.
    drop(readers);
    until("there is room again", async || users[held].get(&path).await.status == 200).await;
}

#[actix_web::test]
async fn a_client_that_reads_too_slowly_loses_its_connection() {
    let slow = IMAGES.replace("[ServiceSettings]\n", "[ServiceSettings]\nWriteTimeout = 1\n");
    let (server, peer) = (TestServer::start_with(&slow).await, WebPeer::start().await);
    let admin = server.admin().await;
    peer.answer(200, &picture(9 * MEGABYTE));
    let path = format!("/image?url={}/a.gif", peer.url());
    let reader = SlowReader::start(&admin, &path).await;
    assert_eq!(reader.status(), 200);
    let (taken, _) = reader.drip().await;
    assert!(taken < MEGABYTE, "{taken}");
    until("the room is free", async || admin.get(&path).await.status == 200).await;
}

#[actix_web::test]
async fn who_reads_no_large_lists_gets_no_more_of_them_but_changes_go_on() {
    let folder = tempfile::tempdir().unwrap();
    let line = json!({ "timestamp": "2026-03-01 12:00:00.000 Z", "level": "info", "msg": "x".repeat(10_000) });
    std::fs::write(folder.path().join("mattermost.log"), format!("{line}\n").repeat(500)).unwrap();
    let settings = format!("[LogSettings]\nFileLocation = \"{}\"\n", folder.path().display());
    let server = TestServer::start_with(&settings).await;
    let admin = server.admin().await;
    let bert = server.user(&admin, "bert").await;
    let mut readers = Vec::new();
    for _ in 0..8 {
        readers.push(SlowReader::start(&admin, "/logs?logs_per_page=500").await);
    }
    let admitted = readers.iter().filter(|reader| reader.status() == 200).count();
    assert!((1..=4).contains(&admitted), "{admitted}");
    assert!(readers.iter().all(|reader| [200, 503].contains(&reader.status())));
    admin.get("/logs?logs_per_page=500").await.expect_refusal(503, UNREAD);
    // Small and shared responses and changes are served as usual, and other users are not affected.
    assert_eq!(admin.get("/openapi.json").await.status, 200);
    admin.put("/config/patch", json!({ "TeamSettings": { "SiteName": "Readers" } })).await.expect(200);
    assert_eq!(bert.get("/users/me").await.status, 200);
    drop(readers);
    until("there is room again", async || admin.get("/logs?logs_per_page=500").await.status == 200).await;
}
