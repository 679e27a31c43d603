//! People of a Mattermost on this server: logins that its login service would decide, and deletions for good.

use serde_json::json;

use crate::support::original::{Original, id_of};
use crate::support::process::{Workplace, lines};
use crate::support::server::PASSWORD;
use crate::support::waiting::until;

#[actix_web::test]
async fn a_failed_login_of_a_login_service_says_why_in_the_log_and_counts_as_no_wrong_password() {
    let Some(original) = Original::start().await else { return };
    original.add_person("bert", "system_user").await;
    original.execute("UPDATE users SET authservice = 'saml', authdata = 'bert' WHERE username = 'bert'").await;
    let place = original.workplace().await;
    let server = place.serve().await;
    let login = json!({ "login_id": "bert", "password": PASSWORD });
    let refused = server.client().post("/users/login", login).await;
    refused.expect_refusal(401, "api.user.login.invalid_credentials_email_username");
    let logged = async || {
        lines(&place.path("stderr")).iter().any(|line| {
            line["msg"] == "a login failed: this server does not ask the login service of the account"
                && line["user.id"] == id_of("bert")
                && line["user.service"] == "saml"
        })
    };
    until("the reason is in the log", logged).await;
    assert_eq!(original.texts("SELECT failedattempts::text FROM users WHERE username = 'bert'").await, ["0"]);
    assert!(server.stop().await.success());
}

/// The classic records go with the person, as in Mattermost. The trail keeps its own.
#[actix_web::test]
async fn a_deletion_for_good_removes_posts_and_audit_rows_of_the_person_and_of_no_other() {
    let Some(original) = Original::start().await else { return };
    original.add_person("bert", "system_user").await;
    let [anna, bert] = ["anna", "bert"].map(id_of);
    original
        .execute(&format!(
            "INSERT INTO posts (id, createat, userid, channelid, message, rootid) VALUES ('p', 1, '{bert}', 'c', 'his', ''),
                 ('answer', 2, '{anna}', 'c', 'to his', 'p'), ('q', 3, '{anna}', 'c', 'hers', '');
             INSERT INTO audits (id, createat, userid, action, extrainfo, ipaddress, sessionid) VALUES
                 ('a', 1, '{bert}', '/api/v4/users/login', '', '', ''), ('b', 1, '{anna}', '/api/v4/users/login', '', '', '')"
        ))
        .await;
    let settings = format!(
        "[ServiceSettings]\nListenAddress = \"127.0.0.1:0\"\nEnableAPIUserDeletion = true\n{}",
        original.settings_of("qd")
    );
    let place = Workplace::new(&settings).await;
    let server = place.serve().await;
    server.client().log_in("bert").await;
    let records = "SELECT event FROM qd_audits WHERE userid = 'bertyyyyyyyyyyyyyyyyyyyyyy' ORDER BY number";
    until("the login is in the trail", async || original.texts(records).await == ["login"]).await;
    let admin = server.client().log_in("anna").await;
    admin.delete(&format!("/users/{bert}?permanent=true")).await.expect_ok();
    assert_eq!(original.texts("SELECT id FROM posts").await, ["q"]);
    let classic = "SELECT a.id FROM audits a LEFT JOIN qd_audits q ON q.id = a.id WHERE q.id IS NULL";
    assert_eq!(original.texts(classic).await, ["b"]);
    assert!(original.texts("SELECT id FROM users WHERE username = 'bert'").await.is_empty());
    assert_eq!(original.texts(records).await, ["login"], "the trail keeps its record");
    assert!(server.stop().await.success());
    let verified = place.run(&["audit", "verify"], "").await;
    assert!(verified.status.success(), "{verified:?}");
}
