//! Databases of Mattermost in which this server cannot work. `check` and the start say why, and nothing is changed.

use serde_json::{Value, json};

use crate::support::original::Original;
use crate::support::process::{Workplace, lines, read};

/// Runs a check and a start, which must fail and leave the database as it is, and a start with the same settings in a
/// `config.json`, which leaves the file as it is too. Returns what the check says.
pub(super) async fn refused(original: &Original, settings: &str) -> String {
    let said = refused_in_database(original, settings).await;
    let (_, source) = settings.split_once("DataSource = \"").unwrap();
    let (source, _) = source.split_once('"').unwrap();
    let also = refused_in_file(original, &in_file(&json!({ "ListenAddress": "127.0.0.1:0" }), source)).await;
    assert!(said.lines().all(|line| also.contains(line)), "{said} {also}");
    said
}

/// Runs a start with this document in a file, which must fail and leave the database and the file as they are. Returns what
/// it says.
async fn refused_in_file(original: &Original, document: &Value) -> String {
    let before = original.state().await;
    let place = Workplace::new("[ServiceSettings]\n[SqlSettings]\n").await;
    let text = document.to_string();
    std::fs::write(place.path("config.json"), &text).unwrap();
    let output = place.run_with(&[("MM_CONFIG", "config.json")], &["serve"], "").await;
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert_eq!((original.state().await, read(&place.path("config.json"))), (before, text), "{output:?}");
    String::from_utf8(output.stderr).unwrap()
}

/// Returns the document of a file with these settings of the service and this data source.
fn in_file(service: &Value, source: &str) -> Value {
    let mut document = json!({ "ServiceSettings": service, "SqlSettings": { "DataSource": source } });
    document["ServiceSettings"]["SiteURL"] = json!("https://chat.example");
    document
}

/// Runs a check and a start, as [`refused`] does, without a start from a file.
pub(super) async fn refused_in_database(original: &Original, settings: &str) -> String {
    let before = original.state().await;
    let place = Workplace::new(settings).await;
    let [check, start] = [place.run(&["check"], "").await, place.run(&["serve"], "").await];
    let [said, also] = [check, start].map(|output| {
        assert_eq!(output.status.code(), Some(1), "{output:?}");
        String::from_utf8(output.stderr).unwrap()
    });
    assert!(said.lines().all(|line| also.contains(line)), "{said} {also}");
    assert_eq!(original.state().await, before, "{said}");
    said
}

#[actix_web::test]
async fn schemas_that_are_too_old_or_unknown_and_missing_columns_are_named() {
    let Some(original) = Original::start().await else { return };
    let settings = original.settings_of("qd");
    original.execute("DELETE FROM db_migrations WHERE version > 155").await;
    let said = refused(&original, &settings).await;
    assert!(said.contains("the schema 155 of Mattermost, and this server can use 156 to 167"), "{said}");
    original.execute("INSERT INTO db_migrations SELECT number, 'step' FROM generate_series(156, 168) AS number").await;
    let said = refused(&original, &settings).await;
    assert!(said.contains("the schema 168 of Mattermost"), "{said}");
    original.execute("DELETE FROM db_migrations WHERE version = 168; ALTER TABLE roles DROP COLUMN schemeid").await;
    let said = refused(&original, &settings).await;
    assert!(said.contains("column roles.schemeid does not exist"), "{said}");
    original.execute("ALTER TABLE users DROP COLUMN mfausedtimestamps").await;
    let said = refused(&original, &settings).await;
    assert!(said.contains("columns roles.schemeid, users.mfausedtimestamps do not exist"), "{said}");
}

/// A Mattermost may have changed its schema since.
#[actix_web::test]
async fn a_later_start_looks_at_the_schema_and_its_columns_as_well() {
    let Some(original) = Original::start().await else { return };
    let place = original.workplace().await;
    assert!(place.serve().await.stop().await.success());
    let settings = original.settings_of("qd");
    original.execute("INSERT INTO db_migrations VALUES (168, 'step')").await;
    let said = refused(&original, &settings).await;
    assert!(said.contains("the schema 168 of Mattermost"), "{said}");
    original.execute("DELETE FROM db_migrations WHERE version = 168; ALTER TABLE teams RENAME schemeid TO plan").await;
    let said = refused(&original, &settings).await;
    assert!(said.contains("column teams.schemeid does not exist"), "{said}");
    original.execute("ALTER TABLE teams RENAME plan TO schemeid").await;
    assert!(place.serve().await.stop().await.success());
}

#[actix_web::test]
async fn a_role_without_the_privileges_is_told_the_statement_that_its_owner_runs() {
    let Some(original) = Original::start().await else { return };
    original
        .execute(
            "CREATE ROLE mmuser LOGIN; CREATE ROLE clerk LOGIN;
             DO $$ DECLARE name text; BEGIN FOR name IN SELECT tablename FROM pg_tables WHERE schemaname = 'public' LOOP
                 EXECUTE format('ALTER TABLE %I OWNER TO mmuser', name); END LOOP; END $$;
             GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO clerk",
        )
        .await;
    let settings = original.settings_of("clerk");
    let said = refused(&original, &settings).await;
    assert!(said.contains("GRANT CREATE ON SCHEMA public TO clerk"), "{said}");
    original.execute("GRANT CREATE ON SCHEMA public TO clerk; ALTER TABLE users OWNER TO clerk").await;
    let said = refused(&original, &settings).await;
    assert!(said.contains("mmuser owns audits, bots") && said.contains("GRANT mmuser TO clerk;"), "{said}");
    assert!(!said.contains("users"), "{said}");
    original.execute("GRANT mmuser TO clerk").await;
    let place = Workplace::new(&settings).await;
    let check = place.run(&["check"], "").await;
    assert!(check.status.success(), "{check:?}");
    assert!(place.serve().await.stop().await.success());
}

/// Another version of the program renews its triggers, which needs the ownership of the tables.
#[actix_web::test]
async fn a_check_refuses_triggers_that_the_start_cannot_renew() {
    let Some(original) = Original::start().await else { return };
    let place = original.workplace().await;
    assert!(place.serve().await.stop().await.success());
    original
        .execute(
            "CREATE ROLE clerk LOGIN; GRANT ALL ON SCHEMA public TO clerk; GRANT ALL ON ALL TABLES IN SCHEMA public TO clerk;
             GRANT ALL ON ALL SEQUENCES IN SCHEMA public TO clerk",
        )
        .await;
    let settings = original.settings_of("clerk");
    let clerk = Workplace::new(&settings).await;
    let check = clerk.run(&["check"], "").await;
    assert!(check.status.success(), "{check:?}");
    // A start that adds nothing only warns if it cannot read the number of the schema.
    original.execute("REVOKE ALL ON db_migrations FROM clerk").await;
    let grant = "GRANT SELECT ON public.db_migrations TO clerk";
    let check = clerk.run(&["check"], "").await;
    let told = String::from_utf8(check.stdout).unwrap();
    assert!(check.status.success() && told.contains("warning: ") && told.contains(grant), "{told}");
    assert!(clerk.serve().await.stop().await.success());
    let warned = format!("the number of the schema of Mattermost cannot be read and is not checked: {grant}");
    assert!(lines(&clerk.path("stderr")).iter().any(|line| line["msg"] == warned.as_str()));
    original.execute("COMMENT ON TABLE qd_outbox IS 'another form'").await;
    let said = refused(&original, &settings).await;
    assert!(
        said.contains("the number of its schema cannot be read; nothing was changed: ") && said.contains(grant),
        "{said}"
    );
    original.execute(grant).await;
    let said = refused(&original, &settings).await;
    assert!(said.contains("the role clerk does not own all tables") && said.contains("qd_outbox"), "{said}");
}

#[actix_web::test]
async fn a_database_without_accounts_whose_configuration_names_another_one_is_refused() {
    let Some(original) = Original::start().await else { return };
    let document =
        r#"{"SqlSettings": {"DriverName": "postgres", "DataSource": "postgres://mm:canary@elsewhere/accounts"}}"#;
    let sql = format!("INSERT INTO configurations (id, value, createat, active) VALUES ('c', '{document}', 1, true)");
    original.execute(&sql).await;
    let place = original.workplace().await;
    let check = place.run(&["check"], "").await;
    let told = String::from_utf8(check.stdout).unwrap();
    let named = "the configuration names PostgreSQL at elsewhere:5432/accounts for the accounts";
    assert!(check.status.success() && told.contains(&format!("warning: {named}")), "{told}");
    assert!(!told.contains("canary"), "{told}");
    original.execute("DELETE FROM users").await;
    let said = refused_in_database(&original, &original.settings_of("qd")).await;
    assert!(said.contains(named) && said.contains("MM_SQLSETTINGS_DATASOURCE"), "{said}");
    // The operator can say that it is the right one, and later starts only warn.
    assert!(said.contains("`quarterdeck serve --new`"), "{said}");
    for arguments in [&["serve", "--new"][..], &["serve"]] {
        assert!(place.serve_with(&[], arguments).await.stop().await.success());
        assert!(read(&place.path("stderr")).contains(named), "{arguments:?}");
    }
}

/// Without them, members would have the built-in roles, which may permit more.
#[actix_web::test]
async fn permission_schemes_that_cannot_be_read_are_refused_where_a_team_has_one() {
    let Some(original) = Original::start().await else { return };
    original
        .execute(
            "CREATE ROLE clerk LOGIN; GRANT CREATE ON SCHEMA public TO clerk;
             DO $$ DECLARE name text; BEGIN FOR name IN SELECT tablename FROM pg_tables
                 WHERE schemaname = 'public' AND tablename <> 'schemes' LOOP
                 EXECUTE format('ALTER TABLE %I OWNER TO clerk', name); END LOOP; END $$;
             INSERT INTO teams (id, createat, updateat, deleteat, displayname, name, type, email, inviteid, allowopeninvite, schemeid)
                 VALUES ('t', 1, 1, 0, 'Crew', 'crew', 'I', '', 'i', false, 's')",
        )
        .await;
    let settings = original.settings_of("clerk");
    let said = refused(&original, &settings).await;
    assert!(said.contains("GRANT SELECT ON public.schemes TO clerk"), "{said}");
    original.execute("GRANT SELECT ON schemes TO clerk; ALTER TABLE schemes DROP COLUMN defaultteamuserrole").await;
    let said = refused(&original, &settings).await;
    assert!(said.contains("it lacks the columns defaultteamuserrole"), "{said}");
    original.execute("UPDATE teams SET schemeid = ''").await;
    let place = Workplace::new(&settings).await;
    assert!(place.serve().await.stop().await.success());
}

#[actix_web::test]
async fn tables_in_another_schema_of_the_search_path_are_refused_and_not_made_again() {
    let Some(original) = Original::start().await else { return };
    original.execute("CREATE ROLE clerk LOGIN SUPERUSER; CREATE SCHEMA clerk").await;
    let said = refused(&original, &original.settings_of("clerk")).await;
    assert!(
        said.contains("the tables of Mattermost are in the schema public, and new tables would go into clerk"),
        "{said}"
    );
    assert!(said.contains("ALTER ROLE clerk SET search_path = public"), "{said}");
    original.execute("ALTER ROLE clerk SET search_path = public").await;
    let place = Workplace::new(&original.settings_of("clerk")).await;
    assert!(place.serve().await.stop().await.success());
}

#[actix_web::test]
async fn a_start_on_a_taken_port_or_with_a_missing_certificate_leaves_nothing_behind() {
    let Some(original) = Original::start().await else { return };
    let before = original.state().await;
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let database = original.settings_of("qd");
    let free = "[ServiceSettings]\nListenAddress = \"127.0.0.1:0\"\n";
    for (settings, why) in [
        (format!("[ServiceSettings]\nListenAddress = \"{address}\"\n"), "ServiceSettings.ListenAddress"),
        (
            format!("{free}[MetricsSettings]\nEnable = true\nListenAddress = \"{address}\"\n"),
            "MetricsSettings.ListenAddress",
        ),
        ("[ServiceSettings]\nListenAddress = \"192.0.2.1:8065\"\n".to_owned(), "192.0.2.1:8065"),
        (format!("{free}ConnectionSecurity = \"TLS\"\nTLSCertFile = \"absent\"\nTLSKeyFile = \"absent\"\n"), "absent"),
    ] {
        let place = Workplace::new(&format!("{settings}{database}")).await;
        let output = place.run(&["serve"], "").await;
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.code() == Some(1) && said.contains(why), "{said}");
        let check = place.run(&["check"], "").await;
        let [told, refused] = [check.stdout, check.stderr].map(|text| String::from_utf8(text).unwrap());
        if said.contains("Address already in use") {
            // The running server of the installation may use it, so a check only warns.
            assert!(check.status.success() && told.contains("warning: ") && told.contains(why), "{told} {refused}");
        } else {
            assert!(check.status.code() == Some(1) && refused.contains(why), "{told} {refused}");
        }
        assert_eq!(original.state().await, before, "{said}");
    }
    let source = format!("{}?sslmode=disable", original.cluster.address());
    let tls = json!({ "ListenAddress": "127.0.0.1:0", "ConnectionSecurity": "TLS", "TLSCertFile": "absent", "TLSKeyFile": "absent" });
    for (service, why) in [(json!({ "ListenAddress": address }), "Address already in use"), (tls, "absent")] {
        let said = refused_in_file(&original, &in_file(&service, &source)).await;
        assert!(said.contains(why), "{said}");
    }
}

/// A check that passes where the start fails would be found out at the worst moment.
#[actix_web::test]
async fn log_targets_that_a_start_refuses_are_refused_by_a_check() {
    let Some(original) = Original::start().await else { return };
    let source = format!("{}?sslmode=disable", original.cluster.address());
    for (targets, why) in [
        (json!({ "out": { "type": "file", "format": "json" } }), "out: filename is missing"),
        (json!({ "out": { "type": "tcp", "options": { "host": "logs.example" } } }), "out: port is missing"),
        (json!({ "out": { "type": "pigeon" } }), "out: the type \"pigeon\" is unknown"),
        (json!([1]), "LogSettings.AdvancedLoggingJSON"),
    ] {
        let logs = json!({ "AdvancedLoggingJSON": targets });
        let stored = json!({ "LogSettings": logs }).to_string();
        original
            .execute(&format!(
                "DELETE FROM configurations;
                 INSERT INTO configurations (id, value, createat, active) VALUES ('{}', '{stored}', 1, true)",
                "c".repeat(26)
            ))
            .await;
        let said = refused_in_database(&original, &original.settings_of("qd")).await;
        assert!(said.contains(why), "{said}");
        original.execute("DELETE FROM configurations").await;
        let mut document = in_file(&json!({ "ListenAddress": "127.0.0.1:0" }), &source);
        document["LogSettings"] = logs;
        let said = refused_in_file(&original, &document).await;
        assert!(said.contains(why), "{said}");
        let place = Workplace::new("[ServiceSettings]\n[SqlSettings]\n").await;
        std::fs::write(place.path("config.json"), document.to_string()).unwrap();
        let check = place.run_with(&[("MM_CONFIG", "config.json")], &["check"], "").await;
        let said = String::from_utf8(check.stderr).unwrap();
        assert!(check.status.code() == Some(1) && said.contains(why), "{said}");
    }
}
