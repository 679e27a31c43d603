//! `quarterdeck export --to-mattermost`: everything that was imported goes back into a fresh Mattermost.

use serde_json::Value;

use crate::support::backup::{QUIET, bad, good, inhabit, on_sqlite};
use crate::support::database;
use crate::support::mattermost::{MattermostDatabase, line};
use crate::support::of_mattermost::unknown;
use crate::support::process::Workplace;
use crate::support::trail::events_in;

/// The rows that are equal in the first Mattermost and in the last one.
const SAME: [&str; 9] = [
    "SELECT u::text FROM users u ORDER BY id",
    "SELECT s::text FROM sessions s ORDER BY id",
    "SELECT a::text FROM useraccesstokens a ORDER BY id",
    "SELECT p::text FROM preferences p ORDER BY userid",
    "SELECT t::text FROM teams t ORDER BY id",
    "SELECT m::text FROM teammembers m ORDER BY teamid, userid",
    "SELECT c::text FROM channels c ORDER BY id",
    "SELECT r::text FROM roles r WHERE name = 'system_user'",
    "SELECT a::text FROM audits a WHERE action <> '' ORDER BY id",
];

/// Returns an empty place on each engine.
async fn places() -> [Workplace; 2] {
    let embedded = Workplace::new(QUIET).await;
    on_sqlite(&embedded, "test.db");
    [Workplace::new(QUIET).await, embedded]
}

#[actix_web::test]
async fn an_imported_installation_goes_back_as_it_was() {
    let Some(base) = database::only_postgres("a Mattermost is on PostgreSQL") else { return };
    let first = MattermostDatabase::inhabited(&base).await;
    for place in places().await {
        good(place.run(&["import", "--from", &first.source()], "").await);
        let last = MattermostDatabase::started(&base).await;
        let (to, fresh) = (last.source(), last.everything().await);
        let export = ["export", "--to-mattermost", &to];
        let said = good(place.run(&[&export[..], &["--dry-run"]].concat(), "").await);
        assert!(said.contains("4 accounts, 2 teams") && said.ends_with("a dry run, nothing was changed\n"), "{said}");
        assert_numbers(&said);
        assert_eq!(last.everything().await, fresh);
        // A server that runs on the source goes on.
        let server = place.serve().await;
        let said = good(place.run(&export, "").await);
        assert!(said.contains("to Mattermost, schema 167") && said.ends_with("changed: stored\n"), "{said}");
        assert_numbers(&said);
        assert!(server.stop().await.success());
        for sql in SAME {
            assert_eq!(last.texts(sql).await, first.texts(sql).await, "{sql}");
        }
        // The start of the server has made a key for the installation.
        let systems = "SELECT name || '=' || value FROM systems WHERE name <> 'AsymmetricSigningKey' ORDER BY name";
        let systems = last.texts(systems).await;
        assert_eq!(systems, ["DiagnosticId=diagnostic", "InstallationDate=1795836083617", "OnlyThere=true"]);
        assert_eq!(last.texts("SELECT name FROM publicchannels").await, ["town-square"]);
        assert_eq!(last.texts("SELECT userid FROM channelmemberhistory").await, ["a".repeat(26)]);
        assert_stays_on_its_database(&last).await;
        assert_eq!(events_in(&place.path("")).await, ["importDatabase success", "exportToMattermost success"]);
        good(place.run(&["audit", "verify"], "").await);
        let again = good(place.run(&export, "").await);
        assert_eq!(line(&again, "users"), [4, 0, 4, 0, 0], "{again}");
        assert!(again.ends_with("0 new, 0 changed: nothing was changed\n"), "{again}");
        last.execute("UPDATE users SET nickname = 'there' WHERE username = 'bert'").await;
        let refused = bad(place.run(&export, "").await);
        assert!(refused.contains("0 rows are new and 1 have changed"), "{refused}");
        assert_eq!(last.texts("SELECT nickname FROM users WHERE username = 'bert'").await, ["there"]);
        last.drop_database().await;
    }
}

/// The numbers of the report: read, new, same, changed, left.
fn assert_numbers(said: &str) {
    for (table, numbers) in [
        ("users", [4, 4, 0, 0, 0]),
        ("useraccesstokens", [1, 1, 0, 0, 0]),
        ("sessions", [1, 1, 0, 0, 0]),
        ("preferences", [2, 2, 0, 0, 0]),
        ("teams", [2, 2, 0, 0, 0]),
        ("teammembers", [3, 3, 0, 0, 0]),
        ("channels", [1, 1, 0, 0, 0]),
        ("channelmembers", [1, 1, 0, 0, 0]),
        ("licenses", [1, 1, 0, 0, 0]),
        ("configurationfiles", [1, 1, 0, 0, 0]),
    ] {
        assert_eq!(line(said, table), numbers, "{table}: {said}");
    }
    let is_line =
        |line: &&str| line.split_whitespace().skip(1).filter_map(|word| word.parse::<u64>().ok()).count() == 5;
    let mut total = [0; 5];
    for table in said.lines().filter(is_line).filter_map(|line| line.split_whitespace().next()) {
        let numbers = line(said, table);
        assert_eq!(numbers[0], numbers[1..].iter().sum::<u64>(), "{table}: {said}");
        if table != "all" {
            total.iter_mut().zip(numbers).for_each(|(total, number)| *total += number);
        }
    }
    assert_eq!(line(said, "all"), total, "{said}");
}

/// Everyone logs in again, and access tokens go on.
#[actix_web::test]
async fn sessions_stay_behind_when_the_operator_says_so() {
    let Some(base) = database::only_postgres("a Mattermost is on PostgreSQL") else { return };
    let first = MattermostDatabase::inhabited(&base).await;
    for place in places().await {
        good(place.run(&["import", "--from", &first.source()], "").await);
        let last = MattermostDatabase::started(&base).await;
        let said = good(place.run(&["export", "--to-mattermost", &last.source(), "--without-sessions"], "").await);
        assert_eq!(line(&said, "sessions"), [1, 0, 0, 0, 1], "{said}");
        assert!(said.contains("--without-sessions: everyone must log in again"), "{said}");
        assert_eq!(line(&said, "useraccesstokens"), [1, 1, 0, 0, 0], "{said}");
        assert!(last.texts("SELECT id FROM sessions").await.is_empty());
        assert_eq!(last.texts("SELECT id FROM useraccesstokens").await.len(), 1);
        last.drop_database().await;
    }
}

/// The active configuration is that of the installation, and names the database of the fresh Mattermost.
async fn assert_stays_on_its_database(last: &MattermostDatabase) {
    let active = last.texts("SELECT value FROM configurations WHERE active").await;
    let active: Value = serde_json::from_str(&active[0]).unwrap();
    assert_eq!(active["TeamSettings"]["SiteName"], "Harbour");
    assert_eq!(active["SqlSettings"]["DataSource"], "postgres://its-own");
    assert_eq!(unknown(&active), Vec::<String>::new());
    let sums = "SELECT (sha = encode(sha256(value::bytea), 'hex'))::text FROM configurations WHERE active";
    assert_eq!(last.texts(sums).await, ["true"]);
}

#[actix_web::test]
async fn a_target_that_is_no_fresh_mattermost_is_refused_and_stays_as_it_is() {
    let Some(base) = database::only_postgres("a Mattermost is on PostgreSQL") else { return };
    let target = MattermostDatabase::started(&base).await;
    let to = target.source();
    let export = ["export", "--to-mattermost", &to];
    for place in places().await {
        let refused = bad(place.run(&export, "").await);
        assert!(refused.contains("has no tables of this version"), "{refused}");
        // A server that runs on the source does not matter.
        let (server, _) = inhabit(&place).await;
        let program =
            tokio_postgres::connect(&to.replace("sslmode=disable&", ""), tokio_postgres::NoTls).await.unwrap();
        let (client, connection) = program;
        let connected = tokio::spawn(connection);
        client.batch_execute("SET application_name = 'mattermost'").await.unwrap();
        let before = target.everything().await;
        let refused = bad(place.run(&export, "").await);
        assert!(refused.contains("connected to the target (mattermost)"), "{refused}");
        drop(client);
        let _ = connected.await;
        target.execute("UPDATE db_migrations SET version = 168 WHERE version = 167").await;
        assert!(bad(place.run(&export, "").await).contains("168, which is newer"));
        target.execute("UPDATE db_migrations SET version = 167 WHERE version = 168").await;
        target.execute("INSERT INTO users (id, username) VALUES ('x', 'xena')").await;
        assert!(bad(place.run(&export, "").await).contains("(xena)"));
        target.execute("DELETE FROM users").await;
        let is_kept = |row: &&String| !row.contains("create_views");
        let after = target.everything().await;
        assert!(after.iter().filter(is_kept).eq(before.iter().filter(is_kept)));
        assert!(server.stop().await.success());
    }
    target.drop_database().await;
}
