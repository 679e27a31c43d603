//! Several servers on one database: each decision about the configuration is made on the active version, whichever
//! server stored it.

use futures_util::future::join;
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::configuration::{at, nested, put_at};
use crate::support::waiting::until;
use crate::support::{Client, Reply, TestServer, database};

const CONFLICT: &str = "app.config.version_conflict.app_error";
const NAME: &str = "TeamSettings.SiteName";
const TEXT: &str = "TeamSettings.CustomBrandText";
const PASSWORD: &str = "EmailSettings.SMTPPassword";

/// Two servers on one database, and the clients of an administrator on both.
struct Pair {
    one: TestServer,
    other: TestServer,
    here: Client,
    there: Client,
}

impl Pair {
    async fn start() -> Self {
        let one = TestServer::start().await;
        let here = one.admin().await;
        // The first version contains the generated keys.
        here.set(NAME, "first").await.expect(200);
        let other = one.start_beside("").await;
        let there = here.at(&other.base);
        Self { one, other, here, there }
    }

    /// Returns another administrator on the second server.
    async fn second_administrator(&self) -> Client {
        let second = self.one.user(&self.here, "second").await;
        let roles = json!({ "roles": "system_user system_admin" });
        self.here.put(&format!("/users/{}/roles", second.user_id), roles).await.expect_ok();
        self.one.login("second").await.at(&self.other.base)
    }
}

/// Returns the document with one changed setting.
fn with(document: &Value, path: &str, value: impl Into<Value>) -> Value {
    let mut changed = document.clone();
    put_at(&mut changed, path, value);
    changed
}

fn texts<const PATHS: usize>(document: &Value, paths: [&str; PATHS]) -> [String; PATHS] {
    paths.map(|path| at(document, path).as_str().unwrap().to_owned())
}

#[actix_web::test]
async fn a_patch_is_applied_to_the_version_of_another_server() {
    let pair = Pair::start().await;
    let (here, there) = (&pair.here, &pair.there);
    let stored = here.set(TEXT, "here").await;
    assert_eq!(there.get("/config").await.header("etag").len(), stored.header("etag").len());
    let reply = there.set(NAME, "there").await;
    assert_eq!(texts(&reply.expect(200), [NAME, TEXT]), ["there", "here"]);
    assert_eq!(there.versions().await[0]["changes"].as_array().unwrap().len(), 1, "only its own change");
    assert_eq!(at(&there.config().await, TEXT), "here", "the server runs with both");
}

#[actix_web::test]
async fn a_change_on_condition_is_decided_on_the_version_of_another_server() {
    let pair = Pair::start().await;
    let (here, there) = (&pair.here, &pair.there);
    let old = there.get("/config").await.header("etag");
    let new = here.set(TEXT, "here").await.header("etag");
    for route in ["/config/patch", "/config/patch?dry_run=true", "/config"] {
        let refused = there.write_if(route, &nested(NAME, "late"), &old).await;
        refused.expect_refusal(412, CONFLICT);
        assert!(refused.json()["message"].as_str().unwrap().contains(new.trim_matches('"')));
    }
    // The refusal put the active version in force.
    assert_eq!(there.get("/config").await.header("etag"), new);
    let newer = here.set(TEXT, "again").await.header("etag");
    let done = there.write_if("/config/patch", &nested(NAME, "there"), &format!("{new}, {newer}")).await;
    assert_eq!(texts(&done.expect(200), [NAME, TEXT]), ["there", "again"]);
}

#[actix_web::test]
async fn a_dry_run_shows_the_difference_to_the_version_of_another_server_and_stores_nothing() {
    let pair = Pair::start().await;
    let (here, there) = (&pair.here, &pair.there);
    let stored = here.set(NAME, "here").await.header("etag");
    let same = there.put("/config/patch?dry_run=true", nested(NAME, "here")).await.expect(200);
    assert_eq!(same["changes"], json!([]));
    let again = here.set(NAME, "again").await.header("etag");
    assert_ne!(stored, again);
    let other = there.put("/config/patch?dry_run=true", nested(NAME, "there")).await.expect(200);
    assert_eq!(other["changes"], json!([{ "path": NAME, "before": "again", "after": "there" }]));
    let reply = there.get("/config").await;
    assert_eq!((reply.header("etag"), at(&reply.json(), NAME)), (again, &json!("again")));
}

#[actix_web::test]
async fn a_change_that_alters_nothing_answers_with_the_version_of_another_server() {
    let pair = Pair::start().await;
    let (here, there) = (&pair.here, &pair.there);
    let stored = here.set(NAME, "here").await.header("etag");
    for (route, body) in [("/config/patch", nested(NAME, "here")), ("/config", here.config().await)] {
        let reply = there.put(route, body).await;
        assert_eq!(texts(&reply.expect(200), [NAME]), ["here"]);
        assert_eq!((reply.header("etag"), reply.header("x-config-stored")), (stored.clone(), "false".to_owned()));
    }
}

#[actix_web::test]
async fn a_rollback_replaces_the_version_of_another_server() {
    let pair = Pair::start().await;
    let (here, there) = (&pair.here, &pair.there);
    let first = here.get("/config").await.header("etag");
    here.set(NAME, "here").await.expect(200);
    let last = here.set(TEXT, "here").await.header("etag");
    let route = format!("/config/versions/{}/rollback", first.trim_matches('"'));
    there.send(Method::POST, &route, None, &[("If-Match", &first)]).await.expect_refusal(412, CONFLICT);
    let done = there.send(Method::POST, &route, None, &[("If-Match", &last)]).await;
    assert_eq!(texts(&done.expect(200), [NAME, TEXT]), ["first", ""]);
    let records = there.versions().await;
    assert_eq!(records[0]["changes"].as_array().unwrap().len(), 2, "{records:?}");
}

#[actix_web::test]
async fn documents_of_two_administrators_with_one_base_keep_the_changes_of_each_other() {
    let pair = Pair::start().await;
    let second = pair.second_administrator().await;
    let (one, two) = (pair.here.config().await, second.config().await);
    pair.here.put("/config", with(&one, NAME, "here")).await.expect(200);
    let reply = second.put("/config", with(&two, TEXT, "there")).await;
    assert_eq!(texts(&reply.expect(200), [NAME, TEXT]), ["here", "there"]);
    assert_eq!(reply.header("x-config-merged"), NAME);
    assert_eq!(second.versions().await[0]["changes"].as_array().unwrap().len(), 1);
    // Its answer is the next base of the session.
    let next = with(&reply.json(), NAME, "second");
    assert_eq!(texts(&second.put("/config", next).await.expect(200), [NAME, TEXT]), ["second", "there"]);
}

#[actix_web::test]
async fn a_document_that_one_server_gave_is_the_base_on_the_others() {
    let Some(_) = database::only_postgres("servers tell each other of bases on PostgreSQL") else { return };
    let pair = Pair::start().await;
    let second = pair.second_administrator().await;
    // Read at one server, sent to the other, where the setting was changed since.
    let document = second.at(&pair.one.base).config().await;
    pair.there.set(NAME, "there").await.expect(200);
    let reply = second.put("/config", with(&document, TEXT, "second")).await;
    assert_eq!(texts(&reply.expect(200), [NAME, TEXT]), ["there", "second"]);
    assert_eq!(reply.header("x-config-merged"), NAME);
    // At once, when the first server may still give the earlier version and the other one knows nothing of it.
    for round in 0..5 {
        let text = format!("round {round}");
        pair.there.set(NAME, text.as_str()).await.expect(200);
        let document = second.at(&pair.one.base).config().await;
        let reply = second.put("/config", with(&document, TEXT, text.as_str())).await.expect(200);
        assert_eq!(texts(&reply, [NAME, TEXT]), [text.as_str(), text.as_str()]);
    }
}

#[actix_web::test]
async fn of_two_documents_that_change_one_setting_the_later_one_wins() {
    let pair = Pair::start().await;
    let second = pair.second_administrator().await;
    let (one, two) = (pair.here.config().await, second.config().await);
    let (one, two) = (with(&with(&one, NAME, "here"), TEXT, "here"), with(&two, NAME, "there"));
    pair.here.put("/config", one).await.expect(200);
    let dry = second.put("/config?dry_run=true", two.clone()).await.expect(200);
    assert_eq!(dry["changes"], json!([{ "path": NAME, "before": "here", "after": "there" }]));
    let reply = second.put("/config", two).await;
    assert_eq!(texts(&reply.expect(200), [NAME, TEXT]), ["there", "here"]);
    assert_eq!(reply.header("x-config-merged"), TEXT);
}

#[actix_web::test]
async fn documents_with_one_base_that_are_sent_at_once_to_two_servers_are_both_kept() {
    let pair = Pair::start().await;
    let second = pair.second_administrator().await;
    for round in 0..4 {
        let (one, two) = (pair.here.config().await, second.config().await);
        let text = format!("round {round}");
        let (first, last) = join(
            pair.here.put("/config", with(&one, NAME, text.as_str())),
            second.put("/config", with(&two, TEXT, text.as_str())),
        )
        .await;
        first.expect(200);
        last.expect(200);
        // An answer that changes nothing brings each server to the active version.
        for client in [&pair.here, &second] {
            let reply = client.put("/config/patch", json!({})).await.expect(200);
            assert_eq!(texts(&reply, [NAME, TEXT]), [text.as_str(), text.as_str()]);
        }
    }
}

#[actix_web::test]
async fn a_placeholder_keeps_the_secret_that_another_server_stored() {
    let pair = Pair::start().await;
    pair.here.set(PASSWORD, "old").await.expect(200);
    let second = pair.second_administrator().await;
    second.put("/config/patch", json!({})).await.expect(200);
    let document = second.config().await;
    pair.here.set(PASSWORD, "new").await.expect(200);
    second.put("/config", with(&document, NAME, "there")).await.expect(200);
    let config = pair.other.server.config().current();
    assert_eq!(
        (&config.document["EmailSettings"]["SMTPPassword"], &*config.view.team.site_name),
        (&json!("new"), "there")
    );
}

#[actix_web::test]
async fn a_document_with_a_condition_replaces_the_configuration_as_it_is() {
    let pair = Pair::start().await;
    let second = pair.second_administrator().await;
    let document = second.config().await;
    let tag = pair.here.set(NAME, "here").await.header("etag");
    let tags: [&str; 2] = [&tag, "*"];
    for (text, tag) in ["one", "two"].iter().zip(tags) {
        let reply = second.write_if("/config", &with(&document, TEXT, *text), tag).await;
        assert_eq!(texts(&reply.expect(200), [NAME, TEXT]), ["first", text]);
        if tag != "*" {
            pair.here.set(NAME, "here").await.expect(200);
        }
    }
}

#[actix_web::test]
async fn a_document_whose_base_was_deleted_is_based_on_the_active_version() {
    let pair = Pair::start().await;
    let reply = pair.there.get("/config").await;
    let (document, base) = (reply.json(), reply.header("etag"));
    pair.here.set(NAME, "here").await.expect(200);
    let id = base.trim_matches('"');
    pair.one.execute(&format!("DELETE FROM configurations WHERE id = '{id}'")).await;
    let reply = pair.there.put("/config", with(&document, TEXT, "there")).await;
    assert_eq!(texts(&reply.expect(200), [NAME, TEXT]), ["first", "there"]);
}

#[actix_web::test]
async fn administrators_who_were_restricted_at_another_server_are_restricted_at_once() {
    let pair = Pair::start().await;
    let (here, there) = (&pair.here, &pair.there);
    here.set("ExperimentalSettings.RestrictSystemAdmin", true).await.expect(200);
    let reply = there.set("ServiceSettings.MaximumLoginAttempts", 77).await;
    assert_eq!(*at(&reply.expect(200), "ServiceSettings.MaximumLoginAttempts"), 10);
    assert!(reply.header("x-config-ineffective").contains("restricted"));
}

#[actix_web::test]
async fn a_rollback_is_refused_once_administrators_were_restricted_at_another_server() {
    let pair = Pair::start().await;
    let (here, there) = (&pair.here, &pair.there);
    let route = format!("/config/versions/{}/rollback", here.get("/config").await.header("etag").trim_matches('"'));
    here.set("ExperimentalSettings.RestrictSystemAdmin", true).await.expect(200);
    there.post(&route, json!({})).await.expect_refusal(403, "api.context.permissions.app_error");
}

#[actix_web::test]
async fn a_confirmation_at_another_server_puts_the_change_in_force_there() {
    let pair = Pair::start().await;
    let (here, there) = (&pair.here, &pair.there);
    let confirm = async |reply: &Reply| {
        let version = reply.header("etag").trim_matches('"').to_owned();
        there.post(&format!("/config/versions/{version}/confirm"), json!({})).await
    };
    let change = here.put("/config/patch?confirm_within=600", nested(NAME, "new")).await;
    // A confirmation that was admitted before the change came into force there proves nothing; the next one does.
    if database::base().is_none() {
        // Servers of a PostgreSQL tell each other, so the change may be in force there by now.
        confirm(&change).await.expect_refusal(409, "app.config.confirmation.before_start.app_error");
    }
    until("the change is confirmed there", async || confirm(&change).await.status == 200).await;
    assert_eq!(at(&there.config().await, NAME), "new");
    let change = here.put("/config/patch?confirm_within=600", nested(NAME, "newer")).await;
    let version = change.header("etag").trim_matches('"').to_owned();
    let back = there.delete(&format!("/config/versions/{version}/confirm")).await.expect(200);
    assert_eq!(at(&back, NAME), "new");
    assert_eq!(at(&here.put("/config/patch", json!({})).await.expect(200), NAME), "new");
}

#[actix_web::test]
async fn a_document_that_is_sent_again_after_a_merge_reverts_nothing() {
    let pair = Pair::start().await;
    let (here, second) = (&pair.here, pair.second_administrator().await);
    let document = with(&here.config().await, TEXT, "mine");
    second.set(NAME, "of the other").await.expect(200);
    for _ in 0..2 {
        let reply = here.put("/config", document.clone()).await;
        assert_eq!(texts(&reply.expect(200), [NAME, TEXT]), ["of the other", "mine"]);
        assert_eq!(reply.header("x-config-merged"), NAME);
    }
}

#[actix_web::test]
async fn a_secret_is_not_put_together_with_the_host_of_another_change() {
    const HOST: &str = "EmailSettings.SMTPServer";
    let pair = Pair::start().await;
    let (here, second) = (&pair.here, pair.second_administrator().await);
    let document = with(&here.config().await, PASSWORD, "typed for the host that was shown");
    second.set(HOST, "mail.elsewhere.example").await.expect(200);
    here.put("/config", document).await.expect_refusal(412, CONFLICT);
    assert_eq!(at(&here.config().await, HOST), "mail.elsewhere.example", "nothing was stored");
}
