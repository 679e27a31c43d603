//! The official JavaScript client, `@mattermost/client`.

use std::path::{Path, PathBuf};

use serde_json::json;
use tokio::process::Command;

use crate::support::license::Seller;
use crate::support::redis::Redis;
use crate::support::release::NEWER;
use crate::support::server::PASSWORD;
use crate::support::stand::Stand;
use crate::support::teams::meeting;
use crate::support::web_peer::WebPeer;
use crate::support::{Home, Proxy, backdoor, database, needs, peers, waiting};

/// The reason why some tests need PostgreSQL.
const SHARED: &str = "servers share no embedded database";

#[actix_web::test]
async fn the_javascript_client_manages_accounts() {
    play("accounts.mjs", "[ServiceSettings]\nEnableUserAccessTokens = true\n", "ended_session_is_refused").await;
}

#[actix_web::test]
async fn the_javascript_client_works_below_the_path_of_a_site() {
    let settings = "[ServiceSettings]\nSiteURL = \"http://127.0.0.1/team\"\nEnableUserAccessTokens = true\n";
    play_at("accounts.mjs", settings, "/team", "ended_session_is_refused").await;
}

#[actix_web::test]
async fn the_javascript_client_changes_the_configuration() {
    play("config.mjs", "", "pinned_settings_are_marked").await;
}

#[actix_web::test]
async fn the_javascript_client_stays_connected_through_drops_and_a_restart_until_its_session_ends() {
    connect("lasting", "[Quarterdeck]\nSocketStopSeconds = 0\n", "revoked_session_stays_refused").await;
}

#[actix_web::test]
async fn the_javascript_client_is_told_when_it_was_away_too_long() {
    connect("forgetful", "[Quarterdeck]\nSocketResumeSeconds = 0\n", "longer_drop_is_a_new_start").await;
}

#[actix_web::test]
async fn the_javascript_client_goes_on_at_another_server_after_its_own_was_killed() {
    let Some(_) = database::only_postgres(SHARED) else { return };
    let Some(folder) = needs::peer("js") else { return };
    move_on(folder, None).await;
}

#[actix_web::test]
async fn the_javascript_client_goes_on_at_another_server_with_events_in_redis() {
    let Some(_) = database::only_postgres(SHARED) else { return };
    let Some(folder) = needs::peer("js") else { return };
    let Some(redis) = Redis::start() else { return };
    move_on(folder, Some(redis)).await;
}

/// Plays a scenario with two servers, of which the one with the client is killed.
async fn move_on(folder: PathBuf, redis: Option<Redis>) {
    let place = tempfile::tempdir().unwrap();
    let shared = database::fresh(place.path()).await;
    let settings = redis.as_ref().map(|redis| Redis::settings_at(&redis.address())).unwrap_or_default();
    let (home, beside) = (Home::on_database(&shared, &settings), Home::on_database(&shared, &settings));
    let mut killed = Some(home.start().await);
    let direct = killed.as_ref().unwrap().base.clone();
    let (channel_id, anna, _) = meeting(&killed.as_ref().unwrap().client(), home.folder()).await;
    let other = beside.start().await;
    if let Some(redis) = &redis {
        let preference = json!([{ "user_id": anna.user_id, "category": "c", "name": "n", "value": "v" }]);
        let is_used = async || {
            anna.put("/users/me/preferences", preference.clone()).await.expect_ok();
            !redis.entries().is_empty()
        };
        waiting::until("events are in Redis", is_used).await;
    }
    let proxy = Proxy::start(direct.strip_prefix("http://").unwrap());
    let mut node = script(folder);
    node.args(["moving", &format!("http://{}", proxy.address()), &direct, &channel_id, PASSWORD, engine()]);
    let steps = peers::converse(&mut node, async |ask| {
        if ask != "kill" {
            proxy.restore();
            return String::new();
        }
        let sql = "SELECT id FROM qd_sockets";
        let are_stored = async || backdoor::texts_in(home.folder(), sql).await.len() == 2;
        waiting::until("both connections are stored", are_stored).await;
        proxy.refuse();
        killed.take().unwrap().kill().await;
        proxy.lead_to(other.base.strip_prefix("http://").unwrap());
        other.base.clone()
    });
    assert_eq!(steps.await.last().unwrap()["step"], "what_was_missed_arrives_at_another_server");
}

/// Returns the command that plays a scenario of the WebSocket.
fn script(folder: PathBuf) -> Command {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients/js/websocket.mjs");
    let mut node = Command::new(peers::tool("node"));
    node.arg(script).current_dir(folder);
    node
}

fn engine() -> &'static str {
    if database::base().is_some() { "postgres" } else { "sqlite" }
}

#[actix_web::test]
async fn the_javascript_client_uploads_removes_and_asks_for_licences() {
    let Some(folder) = needs::peer("js") else { return };
    let (seller, service) = (Seller::new().await, WebPeer::start().await);
    let text = seller.license(&["--company", "Example", "--days", "90"]).await;
    std::fs::write(seller.path("bought.license"), text).unwrap();
    let trial = seller.license(&["--trial", "--days", "30"]).await;
    service.answer(200, &json!({ "license": trial }).to_string());
    let settings = seller.settings(&format!("[CloudSettings]\nCWSURL = \"{}\"\n", service.url()));
    let server = Home::new(&settings).await.start().await;
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients/js/licenses.mjs");
    let mut node = Command::new(peers::tool("node"));
    node.arg(script).args([&server.base, PASSWORD]).arg(seller.path("bought.license")).current_dir(folder);
    assert_eq!(peers::play(&mut node).await.last().unwrap()["step"], "second_trial_is_refused");
    assert_eq!(service.lines(), ["POST /api/v1/trials HTTP/1.1"]);
}

/// Plays a scenario over a connection that is cut on demand, with a server that is restarted on demand.
#[actix_web::test]
async fn the_javascript_client_upgrades_the_server_and_waits_for_the_newer_one() {
    let (Some(folder), Some(newer)) = (needs::peer("js"), needs::peer("newer")) else { return };
    let stand = Stand::start().await;
    stand.releases.offer(&std::fs::read(newer.join("quarterdeck")).unwrap(), &json!({}));
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients/js/upgrade.mjs");
    let mut node = Command::new(peers::tool("node"));
    node.arg(script).args([&stand.server.base, PASSWORD, NEWER]).current_dir(folder);
    assert_eq!(peers::play(&mut node).await.last().unwrap()["step"], "newer_server_answers");
    assert!(stand.server.stop().await.success());
}

async fn connect(scenario: &str, settings: &str, last: &str) {
    let Some(folder) = needs::peer("js") else { return };
    let home = Home::new(settings).await;
    let mut server = Some(home.start().await);
    let direct = server.as_ref().unwrap().base.clone();
    let (channel_id, ..) = meeting(&server.as_ref().unwrap().client(), home.folder()).await;
    let proxy = Proxy::start(direct.strip_prefix("http://").unwrap());
    let mut node = script(folder);
    node.args([scenario, &format!("http://{}", proxy.address()), &direct, &channel_id, PASSWORD, engine()]);
    let steps = peers::converse(&mut node, async |ask| match ask {
        "cut" => {
            proxy.refuse();
            String::new()
        }
        "restore" => {
            proxy.restore();
            String::new()
        }
        _ => {
            assert!(server.take().unwrap().stop().await.success());
            let next = home.start().await;
            let base = next.base.clone();
            proxy.lead_to(base.strip_prefix("http://").unwrap());
            server = Some(next);
            base
        }
    });
    assert_eq!(steps.await.last().unwrap()["step"], last);
}

/// Runs a script against a server with these settings, up to its last step.
async fn play(script: &str, settings: &str, last: &str) {
    play_at(script, settings, "", last).await;
}

/// Plays a script against the site at a path of the server.
async fn play_at(script: &str, settings: &str, path: &str, last: &str) {
    let Some(folder) = needs::peer("js") else { return };
    let server = Home::new(settings).await.start().await;
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients/js").join(script);
    // Node finds the client from the working folder.
    let mut node = Command::new(peers::tool("node"));
    node.arg(script).args([&format!("{}{path}", server.base), PASSWORD]).current_dir(folder);
    let steps = peers::play(&mut node).await;
    assert_eq!(steps.last().unwrap()["step"], last);
}
