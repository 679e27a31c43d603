//! A database of Mattermost that an earlier version of this server used: what is still to be added has the same conditions as
//! a first start.

use tokio_postgres::NoTls;

use super::checked;
use super::refused::refused;
use crate::support::original::Original;
use crate::support::process::{Workplace, lines};

/// The migrations that the earlier version knew, each with its name and the checksum in its row.
const EARLIER: [(&str, &str, &str); 6] = [
    (include_str!("../../../sql/V1__accounts.sql"), "accounts", "2179128507681759536"),
    (include_str!("../../../sql/V2__configurations.sql"), "configurations", "2954877597430706940"),
    (include_str!("../../../sql/V3__audits.sql"), "audits", "3689779428120160109"),
    (include_str!("../../../sql/V4__posts.sql"), "posts", "8028464739753183098"),
    (include_str!("../../../sql/V5__licenses.sql"), "licenses", "13221447403704897197"),
    (include_str!("../../../sql/V6__product_notices.sql"), "product_notices", "10679112691771130713"),
];

/// Applies the migrations of the earlier version.
async fn used(original: &Original) {
    original
        .execute(
            "CREATE TABLE qd_migrations (version int4 PRIMARY KEY, name varchar(255), applied_on varchar(255), \
             checksum varchar(255))",
        )
        .await;
    for (number, (sql, name, checksum)) in (1..).zip(EARLIER) {
        let row = format!("({number}, '{name}', '2026-11-28T03:38:12.017876653Z', '{checksum}')");
        original.execute(&format!("{sql}; INSERT INTO qd_migrations VALUES {row}")).await;
    }
}

#[actix_web::test]
async fn it_is_refused_for_the_reasons_of_a_first_start() {
    let Some(original) = Original::start().await else { return };
    used(&original).await;
    let settings = original.settings_of("qd");
    original.execute("DELETE FROM db_migrations WHERE version > 155").await;
    let said = refused(&original, &settings).await;
    assert!(said.contains("the schema 155 of Mattermost"), "{said}");
    original.execute("INSERT INTO db_migrations SELECT number, 'step' FROM generate_series(156, 167) AS number").await;
    original.execute("ALTER TABLE roles RENAME schemeid TO plan").await;
    let said = refused(&original, &settings).await;
    assert!(said.contains("column roles.schemeid does not exist"), "{said}");
    original
        .execute(
            "ALTER TABLE roles RENAME plan TO schemeid; CREATE ROLE mmuser LOGIN; CREATE ROLE clerk LOGIN;
             GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO mmuser, clerk",
        )
        .await;
    let clerk = original.settings_of("clerk");
    let said = refused(&original, &clerk).await;
    assert!(said.contains("GRANT CREATE ON SCHEMA public TO clerk"), "{said}");
    original.execute("GRANT CREATE ON SCHEMA public TO clerk").await;
    let said = refused(&original, &clerk).await;
    assert!(said.contains("the role clerk does not own all tables") && said.contains("GRANT qd TO clerk;"), "{said}");
    // The role owns all but a table of the earlier version, which a migration alters.
    let own_all = "DO $$ DECLARE name text; BEGIN FOR name IN SELECT tablename FROM pg_tables WHERE schemaname = 'public' \
                   LOOP EXECUTE format('ALTER TABLE %I OWNER TO clerk', name); END LOOP; END $$";
    original.execute(&format!("{own_all}; ALTER TABLE qd_audits OWNER TO mmuser")).await;
    let said = refused(&original, &clerk).await;
    assert!(said.contains("mmuser owns qd_audits") && said.contains("GRANT mmuser TO clerk;"), "{said}");
    original.execute(&own_all.replace("clerk", "qd")).await;
    let address = original.cluster.address().replace("qd@", "mmuser@");
    let (mattermost, work) = tokio_postgres::connect(&address, NoTls).await.unwrap();
    let work = tokio::spawn(work);
    let said = refused(&original, &settings).await;
    assert!(said.contains("as the role mmuser") && said.contains("--beside"), "{said}");
    let place = Workplace::new(&settings).await;
    assert!(place.serve_with(&[], &["serve", "--beside"]).await.stop().await.success());
    drop(mattermost);
    work.await.unwrap().unwrap();
}

#[actix_web::test]
async fn what_is_missing_is_told_noted_made_and_taken_away() {
    let Some(original) = Original::start().await else { return };
    used(&original).await;
    // The row of an earlier start stays, and names that are new get a row of their own.
    original
        .execute(
            "DROP TABLE tokens; INSERT INTO systems VALUES ('QuarterdeckAdded0', 'idx_audits_user_id configurations')",
        )
        .await;
    let place = original.workplace().await;
    let told = checked(&place).await;
    let added = told.lines().find(|line| line.starts_with("will be added: ")).unwrap();
    for part in [" tokens", "qd_audits_open", "idx_qd_audits_of_user on audits", "triggers on "] {
        assert!(added.contains(part), "{part}: {added}");
    }
    assert!(!added.contains("qd_configversions") && !added.contains("idx_qd_audits_newest"), "{added}");
    let server = place.serve().await;
    server.client().log_in("anna").await;
    assert!(server.stop().await.success());
    let logged = lines(&place.path("stderr"));
    let concurrent = "an index is added to a table of Mattermost";
    let made: Vec<&str> =
        logged.iter().filter(|line| line["msg"] == concurrent).filter_map(|line| line["db.index"].as_str()).collect();
    assert!(made.contains(&"idx_qd_audits_of_user"), "{logged:?}");
    assert!(logged.iter().any(|line| line["msg"].as_str().is_some_and(|text| text.starts_with("will be added: "))));
    let noted = "SELECT name || '=' || value FROM systems WHERE name LIKE 'QuarterdeckAdded%' ORDER BY name";
    let noted = original.texts(noted).await;
    assert_eq!(noted[0], "QuarterdeckAdded0=idx_audits_user_id configurations");
    assert!(noted[1].starts_with("QuarterdeckAdded1=tokens"), "{noted:?}");
    assert!(!checked(&place).await.contains("will be added"));
    // Once all is there, another start changes nothing, and an index that is missing is made again.
    original.execute("DROP INDEX idx_qd_audits_of_user").await;
    assert!(checked(&place).await.contains("will be added: the indexes idx_qd_audits_of_user on audits; rows "));
    assert!(place.serve().await.stop().await.success());
    assert!(!checked(&place).await.contains("will be added"));
    let detached = place.run(&["detach", "--yes", "--without-trail"], "").await;
    assert!(detached.status.success(), "{detached:?}");
    let schema = original.schema().await;
    assert!(!schema.contains("qd_") && !schema.contains("public.tokens"), "{schema}");
}
