//! Later starts on a database of Mattermost: objects that are missing, and servers whose connections have a name of their own.

use super::checked;
use super::refused::refused;
use crate::support::original::Original;
use crate::support::process::{Workplace, lines};
use crate::support::waiting::until;

const DETACH: [&str; 3] = ["detach", "--yes", "--without-trail"];

/// Names that were noted at a start which did not make the objects would be taken away with the rows of Mattermost.
#[actix_web::test]
async fn what_no_start_makes_is_neither_told_nor_noted_and_a_missing_table_is_refused() {
    let Some(original) = Original::start().await else { return };
    let index = "CREATE INDEX idx_users_create_at ON users (createat)";
    original.execute("INSERT INTO tokens VALUES ('invite', 1, 'a', 'b')").await;
    let before = original.schema().await;
    let place = original.workplace().await;
    assert!(place.serve().await.stop().await.success());
    let noted = "SELECT name || '=' || value FROM systems WHERE name LIKE 'QuarterdeckAdded%' ORDER BY name";
    let of_first_start = original.texts(noted).await;
    original.execute("ALTER TABLE tokens RENAME TO kept; DROP INDEX idx_users_create_at").await;
    let said = refused(&original, &original.settings_of("qd")).await;
    assert!(said.contains("the table tokens does not exist; nothing was changed"), "{said}");
    original.execute("ALTER TABLE kept RENAME TO tokens").await;
    assert!(!checked(&place).await.contains("will be added"));
    assert!(place.serve().await.stop().await.success());
    assert_eq!(original.texts(noted).await, of_first_start);
    original.execute(index).await;
    let detached = place.run(&DETACH, "").await;
    assert!(detached.status.success(), "{detached:?}");
    assert_eq!(original.texts("SELECT token FROM tokens").await, ["invite"]);
    assert_eq!(original.schema().await, before);
}

/// A data source of Mattermost can name the application. The connections of the servers that still run are then not young.
#[actix_web::test]
async fn servers_with_a_name_of_their_own_can_be_upgraded_one_after_the_other() {
    let Some(original) = Original::start().await else { return };
    let settings = original.settings_of("qd").replace("sslmode=disable", "sslmode=disable&application_name=harbour");
    let [place, other] = [Workplace::new(&settings).await, Workplace::new(&settings).await];
    let server = place.serve().await;
    let nodes = "SELECT id FROM qd_nodes";
    until("the server is in the list", async || !original.texts(nodes).await.is_empty()).await;
    original
        .execute(
            "SET allow_system_table_mods = on;
             DO $$ BEGIN EXECUTE 'CREATE OR REPLACE VIEW pg_catalog.pg_stat_activity AS ' || replace(
                 pg_get_viewdef('pg_catalog.pg_stat_activity'::regclass), 's.backend_start,',
                 's.backend_start - interval ''1 hour'' AS backend_start,'); END $$;
             DROP INDEX idx_qd_audits_of_user",
        )
        .await;
    let old = "SELECT bool_and(backend_start < now() - interval '50 minutes')::text FROM pg_stat_activity \
               WHERE application_name = 'harbour'";
    assert_eq!(original.texts(old).await, ["true"]);
    assert!(checked(&other).await.contains("will be added: the indexes idx_qd_audits_of_user on audits"));
    let upgraded = other.serve().await;
    assert!(server.stop().await.success());
    assert!(upgraded.stop().await.success());
}

/// A start that adds nothing needs no ownership, and requests need the privileges all the same.
#[actix_web::test]
async fn privileges_on_rows_that_were_taken_away_are_told_by_later_starts() {
    let Some(original) = Original::start().await else { return };
    let place = original.workplace().await;
    assert!(place.serve().await.stop().await.success());
    original
        .execute(
            "CREATE ROLE clerk LOGIN; GRANT ALL ON SCHEMA public TO clerk; GRANT ALL ON ALL TABLES IN SCHEMA public TO clerk",
        )
        .await;
    let clerk = Workplace::new(&original.settings_of("clerk")).await;
    let beginning = "requests fail that need privileges on rows: ";
    let on_sequence = "GRANT USAGE ON SEQUENCE public.qd_outbox_id_seq TO clerk;";
    let told = checked(&clerk).await;
    assert!(told.contains(&format!("warning: {beginning}{on_sequence}\n")), "{told}");
    original.execute(on_sequence).await;
    assert!(!checked(&clerk).await.contains(beginning));
    original
        .execute(
            "REVOKE DELETE ON preferences FROM clerk; REVOKE INSERT ON qd_presence FROM clerk;
             REVOKE UPDATE, INSERT ON reactions FROM clerk; REVOKE INSERT ON drafts FROM clerk",
        )
        .await;
    let grants = "GRANT SELECT, INSERT, UPDATE, DELETE ON public.preferences, public.qd_presence TO clerk; \
         GRANT SELECT, UPDATE, DELETE ON public.reactions TO clerk;";
    let told = checked(&clerk).await;
    assert!(told.contains(&format!("warning: {beginning}{grants}")), "{told}");
    assert!(clerk.serve().await.stop().await.success());
    let warned = format!("{beginning}{grants}");
    assert!(lines(&clerk.path("stderr")).iter().any(|line| line["msg"] == warned.as_str() && line["level"] == "warn"));
    original.execute(grants).await;
    assert!(clerk.serve().await.stop().await.success());
    assert!(!lines(&clerk.path("stderr")).iter().any(|line| line["msg"].to_string().contains(beginning)));
}
