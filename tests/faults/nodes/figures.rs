//! The figures of the cluster in `/metrics` move with what happens.

use reqwest::Method;
use serde_json::json;

use super::REASON;
use crate::support::waiting::until;
use crate::support::{Client, TestServer, database};

const SETTINGS: &str = "[Quarterdeck]\nMetricsToken = \"0123456789abcdef-metrics\"\n\
                        [ServiceSettings]\nEnableUserStatuses = false\n";

/// The trigger that refuses messages of servers.
const REFUSE: &str = "CREATE TRIGGER refuse BEFORE INSERT ON qd_events FOR EACH ROW EXECUTE FUNCTION refuse()";

/// Returns the value of a series of a server; `None` if it is not there.
async fn figure(server: &TestServer, series: &str) -> Option<f64> {
    let token = [("Authorization", "Bearer 0123456789abcdef-metrics")];
    let text = server.client().send(Method::GET, "//metrics", None, &token).await.text();
    text.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' ')).map(|value| value.parse().unwrap())
}

async fn change(client: &Client, value: &str) {
    let preference = json!([{ "user_id": client.user_id, "category": "c", "name": "n", "value": value }]);
    client.put("/users/me/preferences", preference).await.expect_ok();
}

#[actix_web::test]
async fn members_lag_depth_and_messages_are_those_of_the_moment() {
    let Some(_) = database::only_postgres(REASON) else { return };
    let one = TestServer::start_with(SETTINGS).await;
    let admin = one.admin().await;
    let nodes = async |count: f64| {
        until("the servers are counted", async || figure(&one, "quarterdeck_cluster_nodes").await == Some(count)).await;
    };
    nodes(1.0).await;
    let other = one.start_beside(SETTINGS).await;
    nodes(2.0).await;

    let read = async |server: &TestServer, name: &str| figure(server, &format!("quarterdeck_cluster_{name}")).await;
    let (published, received) =
        (read(&one, "published_total").await.unwrap(), read(&other, "received_total").await.unwrap());
    for number in 0..5 {
        change(&admin, &number.to_string()).await;
    }
    until("they are received", async || read(&other, "received_total").await.unwrap() >= received + 5.0).await;
    assert!(read(&one, "published_total").await.unwrap() >= published + 5.0);
    assert_eq!(read(&one, "lost_total").await, Some(0.0));

    // A server that is behind.
    one.execute(
        "INSERT INTO qd_nodes SELECT 'late', 'late', '', '', '', '', 0, 0, qd_now() + 1000000, \
         (SELECT MAX(position) FROM qd_events) - 40 FROM qd_nodes LIMIT 1",
    )
    .await;
    let lag = async || read(&other, "lag{node=\"late\"}").await;
    until("its lag is told", async || lag().await.is_some_and(|lag| lag >= 40.0)).await;
    let end = "UPDATE qd_nodes SET position = (SELECT MAX(position) FROM qd_events) + 1000 WHERE id = 'late'";
    one.execute(end).await;
    until("it has caught up", async || lag().await == Some(0.0)).await;
    one.execute("DELETE FROM qd_nodes WHERE id = 'late'").await;
    until("its lag is told no more", async || lag().await.is_none()).await;

    // Messages wait while the database refuses them, and the time since the last news grows.
    one.execute(
        "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'refused'; END $$",
    )
    .await;
    one.execute(REFUSE).await;
    change(&admin, "waits").await;
    until("a message waits", async || read(&one, "waiting").await.is_some_and(|waiting| waiting >= 1.0)).await;
    one.execute("DROP TRIGGER refuse ON qd_events").await;
    until("none waits", async || read(&one, "waiting").await == Some(0.0)).await;
    assert_eq!(read(&one, "lost_total").await, Some(0.0), "it was published late");

    other.server.stop().await.unwrap();
    nodes(1.0).await;
}

#[actix_web::test]
async fn messages_that_could_not_be_published_for_a_minute_are_counted_as_lost() {
    let Some(_) = database::only_postgres(REASON) else { return };
    let one = TestServer::start_with(SETTINGS).await;
    let admin = one.admin().await;
    one.execute(
        "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN \
         IF NEW.kind <> 'event' THEN RETURN NEW; END IF; RAISE EXCEPTION 'refused'; END $$",
    )
    .await;
    one.execute(REFUSE).await;
    change(&admin, "lost").await;
    let is_counted = async || figure(&one, "quarterdeck_cluster_lost_total").await.is_some_and(|lost| lost >= 1.0);
    crate::support::waiting::until_within(std::time::Duration::from_mins(3), "it is lost", is_counted).await;
}
