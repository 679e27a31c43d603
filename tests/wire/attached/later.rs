//! Later starts on a database of Mattermost: objects that are missing.

use super::checked;
use super::refused::refused;
use crate::support::original::Original;

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
