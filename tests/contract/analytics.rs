//! `/analytics/old`: its permission, every topic, the team filter, the age of the figures.

use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::support::teams::{newcomer, open_team};
use crate::support::waiting::until;
use crate::support::websocket::WebSocket;
use crate::support::{Client, TestServer, backdoor};

const PATH: &str = "/analytics/old";
const TOPICS: [&str; 5] =
    ["standard", "post_counts_day", "bot_post_counts_day", "user_counts_with_posts_day", "extra_counts"];
const STANDARD: [&str; 12] = [
    "channel_open_count",
    "channel_private_count",
    "post_count",
    "unique_user_count",
    "team_count",
    "total_websocket_connections",
    "total_master_db_connections",
    "total_read_db_connections",
    "daily_active_users",
    "monthly_active_users",
    "inactive_user_count",
    "single_channel_guest_count",
];
const EXTRA: [&str; 6] = [
    "incoming_webhook_count",
    "outgoing_webhook_count",
    "command_count",
    "session_count",
    "total_file_count",
    "total_file_size",
];
/// With this setting, each request triggers a new count.
const FRESH: &str = "[Quarterdeck]\nAnalyticsAgeSeconds = 0\n";
const DAY_MS: i64 = 86_400_000;

async fn figures(client: &Client, query: &str) -> Vec<(String, i64)> {
    let rows = client.get(&format!("{PATH}{query}")).await.expect(200);
    let row = |row: &Value| (row["name"].as_str().unwrap().to_owned(), row["value"].as_i64().unwrap());
    rows.as_array().unwrap().iter().map(row).collect()
}

fn value(figures: &[(String, i64)], name: &str) -> i64 {
    figures.iter().find(|(known, _)| known == name).unwrap().1
}

fn today() -> i64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    i64::try_from(now.as_millis()).unwrap() / DAY_MS
}

/// Stores a message in a channel, with the time of noon some days ago.
async fn write(server: &TestServer, id: &str, author: &str, channel: &str, days_ago: i64) {
    let at = (today() - days_ago) * DAY_MS + DAY_MS / 2;
    let sql = format!(
        "INSERT INTO posts (id, createat, updateat, deleteat, userid, channelid, type) VALUES ('{id}', {at}, {at}, 0, '{author}', '{channel}', '')"
    );
    backdoor::execute(server, &sql).await;
}

#[actix_web::test]
async fn only_who_may_see_statistics_does_and_only_known_topics_are_told() {
    let server = TestServer::start_with("[ExperimentalSettings]\nRestrictSystemAdmin = true\n").await;
    let admin = server.admin().await;
    let member = server.user(&admin, "anna").await;
    for name in TOPICS {
        let path = format!("{PATH}?name={name}&team_id=");
        server.client().get(&path).await.expect_refusal(401, "api.context.session_expired.app_error");
        member.get(&path).await.expect_refusal(403, "api.context.permissions.app_error");
        admin.get(&path).await.expect(200);
    }
    admin.get("/analytics/old?name=weather").await.expect_refusal(400, "api.context.invalid_body_param.app_error");
    server.staff(&admin, "mia", "system_read_only_admin").await.get(PATH).await.expect(200);
}

#[actix_web::test]
async fn the_standard_figures_come_in_the_order_of_the_contract_and_are_true() {
    let server = TestServer::start_with(FRESH).await;
    let admin = server.admin().await;
    let anna = server.user(&admin, "anna").await;
    server.user(&admin, "bert").await;
    let team = admin.found(open_team("crew")).await;
    admin.found(open_team("other")).await;
    admin.post(&format!("/teams/{team}/members"), newcomer(&team, &anna)).await.expect(201);
    let channel = backdoor::texts_in(
        server.folder(),
        &format!("SELECT id FROM channels WHERE teamid = '{team}' AND name = 'town-square'"),
    )
    .await;
    write(&server, "p1", &anna.user_id, &channel[0], 1).await;
    write(&server, "p2", &anna.user_id, "elsewhere", 0).await;
    let bert = admin.get("/users/username/bert").await.expect(200)["id"].as_str().unwrap().to_owned();
    admin.delete(&format!("/users/{bert}")).await.expect_ok();
    let (socket, _) = WebSocket::greeted(&anna).await;
    let all = figures(&admin, "").await;
    assert_eq!(all.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(), STANDARD);
    let expected = [
        ("channel_open_count", 4),
        ("channel_private_count", 0),
        ("post_count", 2),
        ("unique_user_count", 2),
        ("team_count", 2),
        ("total_websocket_connections", 1),
        ("total_read_db_connections", 0),
        ("inactive_user_count", 1),
        ("single_channel_guest_count", 0),
    ];
    for (name, expected) in expected {
        assert_eq!(value(&all, name), expected, "{name}");
    }
    assert!(value(&all, "total_master_db_connections") > 0);
    let of_team = figures(&admin, &format!("?name=standard&team_id={team}")).await;
    let expected = [
        ("channel_open_count", 2),
        ("post_count", 1),
        ("unique_user_count", 2),
        ("team_count", 2),
        ("inactive_user_count", -1),
    ];
    for (name, expected) in expected {
        assert_eq!(value(&of_team, name), expected, "{name} of the team");
    }
    drop(socket);
}

#[actix_web::test]
async fn an_added_user_is_counted_within_seconds_with_the_default_settings() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    let before = value(&figures(&admin, "").await, "unique_user_count");
    server.user(&admin, "anna").await;
    let is_counted = async || value(&figures(&admin, "").await, "unique_user_count") == before + 1;
    until("the user is counted", is_counted).await;
}

#[actix_web::test]
async fn each_day_has_its_messages_its_authors_and_its_bots_up_to_yesterday() {
    let server = TestServer::start_with(FRESH).await;
    let admin = server.admin().await;
    let anna = server.user(&admin, "anna").await;
    let team = admin.found(open_team("crew")).await;
    let channel = backdoor::texts_in(
        server.folder(),
        &format!("SELECT id FROM channels WHERE teamid = '{team}' AND name = 'town-square'"),
    )
    .await;
    backdoor::execute(&server, "INSERT INTO bots (userid, description, ownerid, lasticonupdate, createat, updateat, deleteat) VALUES ('thebot', '', '', 0, 1, 1, 0)").await;
    for (id, author, place, days_ago) in [
        ("p0", anna.user_id.as_str(), channel[0].as_str(), 0),
        ("p1", &anna.user_id, &channel[0], 1),
        ("p2", &anna.user_id, "elsewhere", 1),
        ("p3", &admin.user_id, &channel[0], 1),
        ("p4", "thebot", &channel[0], 3),
        ("p5", "thebot", &channel[0], 33),
    ] {
        write(&server, id, author, place, days_ago).await;
    }
    let days =
        |figures: Vec<(String, i64)>| figures.into_iter().map(|(name, value)| (name.len(), value)).collect::<Vec<_>>();
    assert_eq!(days(figures(&admin, "?name=post_counts_day").await), [(10, 3), (10, 1)]);
    assert_eq!(days(figures(&admin, &format!("?name=post_counts_day&team_id={team}")).await), [(10, 2), (10, 1)]);
    assert_eq!(days(figures(&admin, "?name=user_counts_with_posts_day").await), [(10, 2), (10, 1)]);
    assert_eq!(days(figures(&admin, "?name=bot_post_counts_day").await), [(10, 1)]);
    let names: Vec<String> = figures(&admin, "?name=post_counts_day").await.into_iter().map(|(name, _)| name).collect();
    assert!(names[0] > names[1], "{names:?}");
    assert_eq!(admin.get("/analytics/old?name=post_counts_day&team_id=nowhere").await.expect(200), json!([]));
}

#[actix_web::test]
async fn a_site_with_more_people_than_the_settings_allow_for_has_no_authors_counted() {
    let server = TestServer::start_with(&format!("{FRESH}[AnalyticsSettings]\nMaxUsersForStatistics = 1\n")).await;
    let admin = server.admin().await;
    let path = "/analytics/old?name=user_counts_with_posts_day";
    assert_eq!(admin.get(path).await.expect(200), json!([]));
    server.user(&admin, "anna").await;
    let uncounted = json!([{ "name": "", "value": -1 }]);
    until("it is counted anew", async || admin.get(path).await.expect(200) == uncounted).await;
}

#[actix_web::test]
async fn what_has_no_table_here_is_zero_and_what_has_is_counted() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    server.login("admin").await;
    backdoor::execute(&server, "CREATE TABLE outgoingwebhooks (id varchar(26), teamid varchar(26), deleteat bigint)")
        .await;
    backdoor::execute(&server, "INSERT INTO outgoingwebhooks VALUES ('a', 't1', 0), ('b', 't2', 0), ('c', 't1', 5)")
        .await;
    backdoor::execute(&server, "CREATE TABLE fileinfo (id varchar(26), size bigint, deleteat bigint)").await;
    backdoor::execute(&server, "INSERT INTO fileinfo VALUES ('a', 3000000000, 0), ('b', 3000000000, 0)").await;
    let all = figures(&admin, "?name=extra_counts").await;
    assert_eq!(all.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(), EXTRA);
    assert_eq!(all.iter().map(|(_, value)| *value).collect::<Vec<_>>(), [0, 2, 0, 2, 2, 6_000_000_000]);
    assert_eq!(value(&figures(&admin, "?name=extra_counts&team_id=t1").await, "outgoing_webhook_count"), 1);
}

#[actix_web::test]
async fn figures_are_kept_with_their_age_until_the_caches_are_emptied() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    let first = join_all((0..10).map(|_| admin.get(PATH))).await;
    assert!(first.iter().all(|reply| reply.status == 200 && reply.header("Age").parse::<u64>().is_ok()));
    server.user(&admin, "anna").await;
    admin.post("/caches/invalidate", json!({})).await.expect_ok();
    assert_eq!(value(&figures(&admin, "").await, "unique_user_count"), 2);
    // The age grows with the time.
    until("a second has passed", async || admin.get(PATH).await.header("Age") != "0").await;
}

#[actix_web::test]
async fn figures_that_cannot_be_counted_are_a_failure_and_earlier_ones_are_told_meanwhile() {
    let server = TestServer::start_with(FRESH).await;
    let admin = server.admin().await;
    let told = figures(&admin, "?name=extra_counts").await;
    backdoor::execute(&server, "CREATE TABLE commands (other bigint)").await;
    assert_eq!(figures(&admin, "?name=extra_counts").await, told);
    let refused = admin.get("/analytics/old?name=extra_counts&team_id=t").await;
    refused.expect_refusal(500, "app.analytics.getanalytics.internal_error");
}
