//! Drafts of audit records: if a draft cannot be stored, the change is refused; a stop that cannot store the trail
//! reports it.

use serde_json::json;

use crate::support::changes::{KINDS, Kind, SETTINGS, Stage};
use crate::support::license::{Seller, upload};
use crate::support::server::account;
use crate::support::trail::events_in;
use crate::support::{Home, TestServer, backdoor};

const HIDE: &str = "ALTER TABLE qd_audits_open RENAME TO hidden";
const SHOW: &str = "ALTER TABLE hidden RENAME TO qd_audits_open";

/// The test fails for a kind of change that does not store its draft in the same transaction.
#[actix_web::test]
async fn a_change_whose_draft_cannot_be_stored_is_refused_and_changes_nothing() {
    let seller = Seller::new().await;
    let server = seller.server(SETTINGS).await;
    let admin = server.admin().await;
    let bert = server.user(&admin, "bert").await;
    let license = seller.license(&[]).await;
    upload(&admin, &license).await.expect(201);
    let stage = Stage { admin: admin.clone(), bert: bert.clone(), license };
    let counts = async || {
        let mut counts = Vec::new();
        for table in ["users", "sessions", "useraccesstokens", "teams", "preferences", "configurations", "licenses"] {
            counts.extend(
                backdoor::texts_in(server.folder(), &format!("SELECT CAST(COUNT(*) AS varchar) FROM {table}")).await,
            );
        }
        counts
    };
    let before = (counts().await, admin.get("/server_busy").await.expect(200));
    backdoor::execute(&server, HIDE).await;
    // These two log in first, which is refused as well.
    for kind in KINDS.into_iter().filter(|kind| !matches!(kind, Kind::Logout | Kind::Revocation)) {
        let reply = stage.change(kind, &format!("hidden{kind:?}").to_lowercase()).await.unwrap();
        assert!(reply.status >= 500, "{kind:?}: {} {}", reply.status, reply.text());
    }
    for ending in ["/users/logout", "/users/me/sessions/revoke/all"] {
        let reply = bert.post(ending, json!({})).await;
        assert!(reply.status >= 500, "{ending}: {}", reply.text());
    }
    assert_eq!((counts().await, admin.get("/server_busy").await.expect(200)), before);
    assert_eq!(bert.get("/users/me").await.expect(200)["nickname"], "");
    backdoor::execute(&server, SHOW).await;
    for kind in KINDS {
        let reply = stage.change(kind, &format!("shown{kind:?}").to_lowercase()).await.unwrap();
        assert!(reply.status < 300, "{kind:?}: {}", reply.text());
    }
    admin.audits().await;
    let TestServer { server, folder, .. } = server;
    server.stop().await.unwrap();
    let drafts = backdoor::texts_in(folder.path(), "SELECT id FROM qd_audits_open").await;
    assert_eq!(drafts, Vec::<String>::new(), "a draft goes when its record has a place");
}

#[actix_web::test]
async fn a_stop_that_cannot_store_the_trail_fails_and_the_next_start_has_the_changes() {
    let home = Home::new("").await;
    let server = home.start().await;
    server.client().post("/users", account("admin")).await.expect(201);
    let admin = server.client().log_in("admin").await;
    backdoor::execute_in(home.folder(), "ALTER TABLE qd_audits RENAME TO away").await;
    admin.put("/users/me/patch", json!({ "nickname": "changed" })).await.expect(200);
    assert!(!server.stop().await.success());
    backdoor::execute_in(home.folder(), "ALTER TABLE away RENAME TO qd_audits").await;
    // The drafts are so old that their server must have ended, even if several servers share the database.
    backdoor::execute_in(home.folder(), "UPDATE qd_audits_open SET createat = 1").await;
    let server = home.start().await;
    let events = events_in(home.folder()).await;
    assert_eq!(events.iter().filter(|event| *event == "patchUser attempt").count(), 1, "{events:?}");
    assert!(server.stop().await.success());
    home.shell("quarterdeck audit verify").await;
}
