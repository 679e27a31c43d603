//! Tables of a Mattermost or of another program that are not those of this installation.

use tokio_postgres::NoTls;

use crate::support::database;
use crate::support::original::Original;
use crate::support::process::Workplace;

/// Starts a server with these settings, and stops it.
async fn starts(settings: &str) {
    let place = Workplace::new(settings).await;
    assert!(place.serve().await.stop().await.success());
}

#[actix_web::test]
async fn an_installation_in_a_schema_of_its_own_starts_beside_a_mattermost() {
    let Some(original) = Original::start().await else { return };
    original.execute("CREATE ROLE clerk LOGIN; CREATE SCHEMA clerk AUTHORIZATION clerk").await;
    original.execute("ALTER ROLE clerk SET search_path = clerk").await;
    let settings = original.settings_of("clerk");
    starts(&settings).await;
    // The default search path of PostgreSQL finds the other tables as well.
    original.execute("ALTER ROLE clerk SET search_path = clerk, public").await;
    original.execute("INSERT INTO db_migrations VALUES (999, 'later')").await;
    starts(&settings).await;
    assert_eq!(original.texts("SELECT username FROM public.users").await, ["anna"]);
}

#[actix_web::test]
async fn migrations_of_another_program_are_not_those_of_a_mattermost() {
    let Some(original) = Original::start().await else { return };
    original.execute("CREATE SCHEMA other; CREATE TABLE other.db_migrations (version text)").await;
    original.execute("CREATE ROLE clerk LOGIN SUPERUSER; ALTER ROLE clerk SET search_path = other").await;
    starts(&original.settings_of("clerk")).await;
}

#[actix_web::test]
async fn a_role_that_may_not_see_sessions_of_others_is_told_of_them() {
    let Some(original) = Original::start().await else { return };
    original
        .execute(
            "CREATE ROLE owner; CREATE ROLE mmuser LOGIN; CREATE ROLE clerk LOGIN; GRANT owner TO clerk;
             GRANT ALL ON SCHEMA public TO owner, clerk; GRANT INSERT ON users TO mmuser;
             DO $$ DECLARE name text; BEGIN FOR name IN SELECT tablename FROM pg_tables WHERE schemaname = 'public' LOOP
                 EXECUTE format('ALTER TABLE %I OWNER TO owner', name); END LOOP; END $$",
        )
        .await;
    let address = original.cluster.address().replace("qd@", "mmuser@");
    let (mattermost, work) = tokio_postgres::connect(&address, NoTls).await.unwrap();
    let work = tokio::spawn(work);
    let place = Workplace::new(&original.settings_of("clerk")).await;
    let check = place.run(&["check"], "").await;
    let said = String::from_utf8(check.stderr).unwrap();
    assert!(check.status.code() == Some(1) && said.contains("as the role mmuser"), "{said}");
    drop(mattermost);
    work.await.unwrap().unwrap();
    assert!(!database::texts(&original.cluster.address(), "SELECT id FROM users").await.is_empty());
}
