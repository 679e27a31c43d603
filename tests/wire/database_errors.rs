//! Errors of PostgreSQL are shown in full: by commands, by a start that fails, and in the log.

use serde_json::json;

use crate::support::database::{self, execute, fresh_schema, settings_in};
use crate::support::process::{Workplace, read};

#[actix_web::test]
async fn a_migration_that_fails_is_named_with_the_message_of_the_database() {
    let Some(base) = database::only_postgres("only PostgreSQL has errors with codes") else { return };
    let schema = fresh_schema(&base).await;
    execute(&base, &format!("CREATE TABLE {schema}.qd_audits_open (id text)")).await;
    let place = Workplace::new(&settings_in(&base, &schema)).await;
    let output = place.run(&["serve"], "").await;
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("V8__audits_open: relation \"qd_audits_open\" already exists"), "{said}");
}

#[actix_web::test]
async fn a_request_and_a_command_that_fail_name_the_missing_column() {
    let Some(base) = database::only_postgres("only PostgreSQL has errors with codes") else { return };
    let schema = fresh_schema(&base).await;
    let place = Workplace::new(&settings_in(&base, &schema)).await;
    let made =
        place.run(&["user", "create", "--email", "a@chat.example", "--username", "anna"], "Kuestenweg-11\n").await;
    assert!(made.status.success(), "{made:?}");
    let server = place.serve().await;
    execute(&base, &format!("ALTER TABLE {schema}.sessions DROP COLUMN expirednotify")).await;
    let login = json!({ "login_id": "anna", "password": "Kuestenweg-11" });
    let refused = server.client().post("/users/login", login).await;
    assert_eq!(refused.status, 500);
    assert!(server.stop().await.success());
    let logged = read(&place.path("stderr"));
    assert!(logged.contains("column \\\"expirednotify\\\" of relation \\\"sessions\\\" does not exist"), "{logged}");
    assert!(!logged.contains("db error"), "{logged}");

    let output = place.run(&["backup", "saved.backup"], "").await;
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("column \"expirednotify\" does not exist"), "{said}");
}

/// The detail of an error quotes whole rows, with hashes of passwords.
#[actix_web::test]
async fn a_row_that_a_constraint_refuses_is_not_quoted() {
    let Some(base) = database::only_postgres("only PostgreSQL has errors with codes") else { return };
    let schema = fresh_schema(&base).await;
    let place = Workplace::new(&settings_in(&base, &schema)).await;
    let create = async |name: &str, email: &str| {
        place.run(&["user", "create", "--email", email, "--username", name], "Kuestenweg-11\n").await
    };
    let made = create("anna", "a@chat.example").await;
    assert!(made.status.success(), "{made:?}");
    execute(&base, &format!("ALTER TABLE {schema}.users ADD CONSTRAINT short CHECK (length(username) < 5)")).await;
    let refused = create("bertram", "b@chat.example").await;
    let said = String::from_utf8(refused.stderr).unwrap();
    assert!(said.contains("violates check constraint \"short\""), "{said}");
    assert!(!said.contains("Failing row") && !said.contains("pbkdf2"), "{said}");
}
