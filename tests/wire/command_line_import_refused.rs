//! `quarterdeck import` refuses sources that it does not know and targets in use, in one line and without a change.

use crate::support::backup::{QUIET, bad, content, good, inhabit, names, on_sqlite};
use crate::support::database;
use crate::support::mattermost::MattermostDatabase;
use crate::support::process::Workplace;

/// Returns an empty place on each engine.
async fn places() -> [Workplace; 2] {
    let embedded = Workplace::new(QUIET).await;
    on_sqlite(&embedded, "test.db");
    [Workplace::new(QUIET).await, embedded]
}

/// Runs an import, which must fail with one line. Returns it.
async fn refused(place: &Workplace, from: &str) -> String {
    let said = bad(place.run(&["import", "--from", from], "").await);
    assert_eq!(said.trim_end().lines().count(), 1, "{said}");
    assert!(said.trim_end().ends_with("nothing was changed") && !said.contains("canary"), "{said}");
    said
}

#[actix_web::test]
async fn only_the_tables_that_are_moved_must_be_readable() {
    let Some(base) = database::only_postgres("a Mattermost is on PostgreSQL") else { return };
    let place = Workplace::new(QUIET).await;
    on_sqlite(&place, "test.db");
    let source = MattermostDatabase::inhabited(&base).await;
    let role = format!("reader_{}", database::unique());
    let schema = source.texts("SELECT current_schema()::text").await.remove(0);
    source
        .execute(&format!(
            "CREATE ROLE {role} LOGIN; GRANT USAGE ON SCHEMA {schema} TO {role};
             GRANT SELECT ON ALL TABLES IN SCHEMA {schema} TO {role}; REVOKE SELECT ON roles, status, oauthapps FROM {role}"
        ))
        .await;
    let as_reader = source.source().replace("://qd@", &format!("://{role}@"));
    let said = refused(&place, &as_reader).await;
    let grant =
        format!("the role {role} may not read the tables roles, status: GRANT SELECT ON roles, status TO {role}");
    assert!(said.contains(&grant), "{said}");
    source.execute(&format!("GRANT SELECT ON roles, status TO {role}")).await;
    let told = good(place.run(&["import", "--from", &as_reader], "").await);
    let line = told.lines().find(|line| line.trim_start().starts_with("oauthapps")).unwrap();
    assert!(line.contains("not counted, because the role may not read it"), "{told}");
    assert_eq!(line.split_whitespace().nth(1), Some("-"), "{told}");
    source.execute(&format!("DROP OWNED BY {role}; DROP ROLE {role}")).await;
}

#[actix_web::test]
async fn a_source_that_cannot_be_read_is_refused_with_the_text_of_the_database() {
    let Some(base) = database::only_postgres("a Mattermost is on PostgreSQL") else { return };
    let place = Workplace::new(QUIET).await;
    on_sqlite(&place, "test.db");
    let there = names(&place);
    let host = database::host(&base);
    let unknown = format!("postgres://nosuchrole:canary@{host}/postgres?sslmode=disable");
    assert!(refused(&place, &unknown).await.contains("role \"nosuchrole\" does not exist"));
    let missing = format!("{}_none?sslmode=disable", base.split('?').next().unwrap());
    assert!(refused(&place, &missing).await.contains("_none\" does not exist"));
    assert!(refused(&place, "postgres://qd:canary@127.0.0.1:1/x").await.contains("Connection refused"));
    assert!(refused(&place, "mysql://qd:canary@127.0.0.1/x").await.contains("must begin with postgres://"));
    assert!(refused(&place, "mm:canary@tcp(127.0.0.1:3306)/mattermost").await.contains("cannot be used"));
    assert!(refused(&place, "host=127.0.0.1 port=1 password=canary").await.contains("Connection refused"));
    let schema = database::fresh_schema(&base).await;
    let elsewhere = format!("{base}?sslmode=disable&options=-c%20search_path%3D{schema}");
    assert!(refused(&place, &elsewhere).await.contains("it has no table db_migrations"));
    let source = MattermostDatabase::inhabited(&base).await;
    for (change, text) in [
        ("ALTER TABLE users RENAME COLUMN mfasecret TO gone", "the column users.mfasecret is missing"),
        (
            "ALTER TABLE users RENAME COLUMN gone TO mfasecret; ALTER TABLE status RENAME TO gone",
            "the table status is missing",
        ),
        (
            "ALTER TABLE gone RENAME TO status; UPDATE db_migrations SET version = 168 WHERE version = 167",
            "168, which is newer",
        ),
        (
            "DELETE FROM db_migrations WHERE version > 1; INSERT INTO db_migrations VALUES (155, 'x')",
            "155, which is older",
        ),
    ] {
        source.execute(change).await;
        assert!(refused(&place, &source.source()).await.contains(text), "{text}");
    }
    assert_eq!(names(&place), there, "something was made");
}

#[actix_web::test]
async fn a_role_that_may_not_read_a_table_is_told_which() {
    let Some(base) = database::only_postgres("a Mattermost is on PostgreSQL") else { return };
    let source = MattermostDatabase::inhabited(&base).await;
    let role = format!("r_{}", database::unique());
    source
        .execute(&format!(
            "CREATE ROLE {role} LOGIN; GRANT USAGE ON SCHEMA public TO {role}; \
             DO $$ BEGIN EXECUTE 'GRANT USAGE ON SCHEMA ' || current_schema() || ' TO {role}'; \
             EXECUTE 'GRANT SELECT ON ALL TABLES IN SCHEMA ' || current_schema() || ' TO {role}'; END $$; \
             REVOKE SELECT ON sessions FROM {role}"
        ))
        .await;
    let user = base.split("://").nth(1).unwrap().split('@').next().unwrap();
    let from = source.source().replacen(user, &role, 1);
    let places = places().await;
    for place in &places {
        assert!(refused(place, &from).await.contains("may not read the tables sessions: GRANT SELECT"));
    }
    source.execute(&format!("GRANT SELECT ON sessions TO {role}")).await;
    for place in &places {
        good(place.run(&["import", "--from", "-"], &from).await);
    }
    source.execute(&format!("DROP OWNED BY {role}; DROP ROLE {role}")).await;
}

#[actix_web::test]
async fn a_target_with_other_accounts_or_a_running_server_stays_as_it_is() {
    let Some(base) = database::only_postgres("a Mattermost is on PostgreSQL") else { return };
    let source = MattermostDatabase::inhabited(&base).await;
    for place in places().await {
        let (server, _) = inhabit(&place).await;
        assert!(
            refused(&place, &source.source()).await.contains("the target has accounts that the source does not have")
        );
        assert!(server.stop().await.success());
        let rows = content(&place).await;
        let text = refused(&place, &source.source()).await;
        assert!(text.contains("(admin, anna)") || text.contains("(anna, admin)"), "{text}");
        assert_eq!(content(&place).await, rows);
    }
    for place in places().await {
        let server = place.serve().await;
        let text = refused(&place, &source.source()).await;
        assert!(text.contains("stop them first") || text.contains("stop it first"), "{text}");
        assert!(server.stop().await.success());
        good(place.run(&["import", "--from", &source.source()], "").await);
        source.execute("UPDATE users SET username = 'renamed' WHERE username = 'bert'").await;
        assert!(refused(&place, &source.source()).await.contains("(bert)"));
        source.execute("UPDATE users SET username = 'bert' WHERE username = 'renamed'").await;
    }
}

#[actix_web::test]
async fn a_mattermost_is_not_the_target_of_an_import() {
    let Some(base) = database::only_postgres("a Mattermost is on PostgreSQL") else { return };
    let source = MattermostDatabase::inhabited(&base).await;
    let before = source.everything().await;
    let place = Workplace::new(QUIET).await;
    let settings = format!("[SqlSettings]\nDriverName = \"postgres\"\nDataSource = \"{}\"\n", source.source());
    place.configure(&format!("{QUIET}{settings}"));
    assert!(refused(&place, &source.source()).await.contains("is a database of Mattermost itself"));
    assert_eq!(source.everything().await, before);
}
