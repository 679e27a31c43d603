//! Several servers on one database.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::json;

use crate::support::server::account;
use crate::support::{Home, database};

/// The number of rounds, because a race shows up only in some runs.
const ROUNDS: usize = 3;

/// The number of rounds in place of `ROUNDS`.
const ENVIRONMENT: &str = "QUARTERDECK_TEST_START_ROUNDS";

#[actix_web::test]
async fn servers_that_start_at_once_on_a_fresh_database_share_it() {
    let rounds = std::env::var(ENVIRONMENT).ok().map_or(ROUNDS, |rounds| rounds.parse().unwrap());
    for _ in 0..rounds {
        let folder = tempfile::tempdir().unwrap();
        let settings = database::fresh(folder.path()).await;
        let homes = [0; 5].map(|_| Home::on_database(&settings, ""));
        let mut servers = homes.each_ref().map(Home::launch);
        for server in &mut servers {
            server.listens().await;
        }
        let mut keys = BTreeSet::new();
        for server in &servers {
            let told = server.client().get("/config/client?format=old").await.expect(200);
            keys.insert(told["AsymmetricSigningPublicKey"].as_str().unwrap().to_owned());
        }
        assert_eq!(keys.len(), 1, "phones accept messages of all servers");
        let [first, second, third, ..] = &servers;
        first.client().post("/users", account("anna")).await.expect(201);
        let anna = second.client().log_in("anna").await;
        let token = anna.token.unwrap();
        assert_eq!(third.client().with_token(&token).get("/users/me").await.expect(200)["username"], "anna");
        first.client().with_token(&token).post("/users/logout", json!({})).await.expect_ok();
        assert_eq!(migrations(&settings, folder.path()).await, migrations_of_the_sources());
        for server in servers {
            assert!(server.stop().await.success());
        }
    }
}

/// Returns the applied migrations, in order.
async fn migrations(settings: &str, folder: &Path) -> Vec<String> {
    const SQL: &str = "SELECT version || '__' || name FROM qd_migrations ORDER BY version";
    let Some(base) = database::base() else {
        let file = rusqlite::Connection::open(folder.join("test.db")).unwrap();
        let mut statement = file.prepare(SQL).unwrap();
        let rows = statement.query_map([], |row| row.get(0)).unwrap();
        return rows.collect::<Result<_, _>>().unwrap();
    };
    let schema = settings.split("search_path%3D").nth(1).unwrap().split('"').next().unwrap();
    database::texts(&base, &SQL.replace("qd_migrations", &format!("{schema}.qd_migrations"))).await
}

fn migrations_of_the_sources() -> Vec<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("sql");
    let names = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<String> =
        names.filter_map(|name| Some(name.strip_prefix('V')?.strip_suffix(".sql")?.to_owned())).collect();
    names.sort_by_key(|name| name.split("__").next().unwrap().parse::<u32>().unwrap());
    names
}
