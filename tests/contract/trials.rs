//! `/trial-license`: its permission, its fields, the licence in force, and the limit of one trial.

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::license::{Seller, upload};
use crate::support::trail::newest_in;
use crate::support::web_peer::WebPeer;
use crate::support::websocket::WebSocket;
use crate::support::{Client, Reply, TestServer};

const FAILED: &str = "api.license.request_trial_license.app_error";
const NOT_ALLOWED: &str = "api.license.request-trial.can-start-trial.not-allowed";
const BAD: &str = "api.license.request-trial.bad-request";
const INVALID: &str = "api.license.add_license.invalid.app_error";
const NONE: &str = r#"{"IsLicensed":"false"}"#;

/// A trial of the usual length.
const TRIAL: [&str; 3] = ["--trial", "--days", "30"];

#[actix_web::test]
async fn the_short_form_gets_a_trial_that_comes_into_force_and_everybody_hears_of_it() {
    let Scene { seller, service, server, admin } = Scene::new("").await;
    let bert = server.user(&admin, "bert").await;
    admin.put("/users/me/patch", json!({ "first_name": "Anna", "last_name": "Smith" })).await.expect(200);
    assert_eq!(previous(&admin).await.text(), NONE);
    let (mut to_bert, _) = WebSocket::greeted(&bert).await;
    let text = seller.license(&[&TRIAL[..], &["--name", "Anna", "--company", "Example"]].concat()).await;
    service.answer(200, &json!({ "license": text }).to_string());
    ask(&admin, short()).await.expect_ok();
    let (line, mut sent) = service.one();
    assert_eq!(line, "POST /api/v1/trials HTTP/1.1");
    let server_id = sent.as_object_mut().unwrap().remove("server_id").unwrap();
    let client_config = server.client().get("/config/client?format=old").await.expect(200);
    assert_eq!(server_id, client_config["DiagnosticId"]);
    let expected = json!({
        "email": "admin@chat.example", "name": "Anna Smith", "site_url": "", "site_name": "Mattermost", "users": 20,
        "terms_accepted": true, "receive_emails_accepted": true, "contact_name": "", "contact_email": "",
        "company_name": "", "company_country": "", "company_size": "",
    });
    assert_eq!(sent, expected);
    assert_eq!(to_bert.event_named("license_changed").await["data"]["license"]["IsTrial"], "true");
    let in_force = admin.get("/license/client?format=old").await;
    assert_eq!(in_force.expect(200)["Company"], "Example");
    assert_eq!(previous(&admin).await.text(), in_force.text());
    let sanitized = previous(&bert).await.expect(200);
    assert_eq!((sanitized.get("Name"), sanitized["IsTrial"].as_str()), (None, Some("true")));
    admin.delete("/license").await.expect_ok();
    assert_eq!(previous(&admin).await.text(), in_force.text());
    admin.audits().await;
    let record = newest_in(server.folder(), "requestTrialLicense").await;
    assert_eq!((&record["status"], &record["after"]["id"]), (&json!("success"), &in_force.json()["Id"]));
    assert!(!record.to_string().contains("example"), "{record}");
}

#[actix_web::test]
async fn the_long_form_tells_the_service_of_the_company() {
    let Scene { seller, service, admin, server: _server } =
        Scene::new("[ServiceSettings]\nSiteURL = \"https://chat.example\"\n").await;
    service.answer(201, &json!({ "license": seller.license(&TRIAL).await, "message": "ok" }).to_string());
    ask(&admin, long()).await.expect_ok();
    let (_, sent) = service.one();
    for (name, value) in long().as_object().unwrap() {
        assert_eq!(&sent[name], value);
    }
    assert_eq!((&sent["site_url"], &sent["server_version"]), (&json!("https://chat.example"), &json!("11.6.0")));
}

#[actix_web::test]
async fn each_fault_of_the_form_has_its_refusal_and_the_service_is_not_asked() {
    let Scene { service, admin, server: _server, seller: _ } = Scene::new("").await;
    for broken in ["", "null", "[]", "{", r#"{"users":"20"}"#, r#"{"users":1e99}"#, r#"{"terms_accepted":1}"#] {
        admin.send(Method::POST, "/trial-license", Some(broken.to_owned()), &[]).await.expect_refusal(400, BAD);
    }
    let large = json!({ "company_name": "x".repeat(400_000) });
    ask(&admin, large).await.expect_refusal(400, BAD);
    let terms = "api.license.request-trial.bad-request.terms-not-accepted";
    ask(&admin, json!({})).await.expect_refusal(400, terms);
    ask(&admin, with(short(), "terms_accepted", false)).await.expect_refusal(400, terms);
    ask(&admin, with(short(), "users", 0)).await.expect_refusal(400, BAD);
    for email in ["", "anna", "anna@gmail.com", "anna@example"] {
        let refused = ask(&admin, with(long(), "contact_email", email)).await;
        refused.expect_refusal(400, "api.license.request-trial.bad-request.business-email");
    }
    for name in ["contact_name", "company_name", "company_country", "company_size"] {
        ask(&admin, with(long(), name, "")).await.expect_refusal(400, BAD);
    }
    ask(&admin, with(long(), "terms_accepted", false)).await.expect_refusal(400, BAD);
    ask(&admin, with(long(), "users", -1)).await.expect_refusal(400, BAD);
    assert_eq!(service.count(), 0);
}

#[actix_web::test]
async fn what_the_service_answers_instead_of_a_licence_has_its_refusal_and_changes_nothing() {
    let Scene { seller, service, server, admin } = Scene::new("[ServiceSettings]\nEnableDeveloper = true\n").await;
    upload(&admin, &seller.license(&["--company", "Before"]).await).await.expect(201);
    let of_other_seller = Seller::new().await.license(&TRIAL).await;
    let answer = |license: &str| json!({ "license": license }).to_string();
    for (status, body, refusal) in [
        (451, String::new(), (451, "api.license.request_trial_license.embargoed")),
        (500, answer("x"), (500, FAILED)),
        (404, String::new(), (500, FAILED)),
        (200, "<html>".to_owned(), (400, FAILED)),
        (200, "[]".to_owned(), (400, FAILED)),
        (200, json!({ "message": "no more trials" }).to_string(), (400, FAILED)),
        (200, "x".repeat(100_000), (400, FAILED)),
        (200, answer(&of_other_seller), (400, INVALID)),
        (200, answer("AAAA"), (400, INVALID)),
        (200, answer(&seller.signed("[]").await), (500, "api.unmarshal_error")),
        (
            200,
            answer(&seller.license(&["--trial", "--users", "0"]).await),
            (400, "api.license.add_license.unique_users.app_error"),
        ),
        (
            200,
            answer(&seller.license(&["--trial", "--starts", "-10", "--days", "5"]).await),
            (400, "api.license.add_license.expired.app_error"),
        ),
    ] {
        service.answer(status, &body);
        let refused = ask(&admin, short()).await;
        refused.expect_refusal(refusal.0, refusal.1);
        let is_passed_on = refused.text().contains("no more trials");
        assert_eq!(is_passed_on, body.contains("no more trials"));
        assert_eq!(service.lines().len(), 1);
    }
    let other = WebPeer::start().await;
    service.redirect(&other.url());
    ask(&admin, short()).await.expect_refusal(500, FAILED);
    assert_eq!(other.count(), 0);
    for nowhere in ["", "nonsense", "http://127.0.0.1:1", "ftp://127.0.0.1"] {
        admin.put("/config/patch", json!({ "CloudSettings": { "CWSURL": nowhere } })).await.expect(200);
        ask(&admin, short()).await.expect_refusal(400, FAILED);
    }
    assert_eq!(admin.get("/license/client?format=old").await.expect(200)["Company"], "Before");
    admin.audits().await;
    assert_eq!(newest_in(server.folder(), "requestTrialLicense").await["errorid"], FAILED);
}

#[actix_web::test]
async fn there_is_one_trial_however_it_comes_and_a_slow_service_gives_no_second_one() {
    let Scene { seller, service, admin, server: _server } = Scene::new("").await;
    service.answer(200, &json!({ "license": seller.license(&TRIAL).await }).to_string());
    service.suspend(true);
    let release = async {
        service.is_called().await;
        admin.get("/system/ping").await.expect(200);
        service.suspend(false);
    };
    let (first, second, ()) = futures_util::join!(ask(&admin, short()), ask(&admin, short()), release);
    let mut statuses = [first.status, second.status];
    statuses.sort_unstable();
    assert_eq!((statuses, service.count()), ([200, 400], 1));
    ask(&admin, json!("not even an object")).await.expect_refusal(400, NOT_ALLOWED);
    upload(&admin, &seller.license(&TRIAL).await).await.expect_refusal(400, NOT_ALLOWED);
    let agreed = seller.license(&["--trial", "--days", "60"]).await;
    upload(&admin, &agreed).await.expect(201);
    upload(&admin, &seller.license(&["--days", "30"]).await).await.expect(201);
    assert_eq!(previous(&admin).await.expect(200)["IsTrial"], "true");
}

#[actix_web::test]
async fn a_trial_that_was_uploaded_counts_as_one() {
    let Scene { seller, service, server, admin } = Scene::new("").await;
    upload(&admin, &seller.license(&TRIAL).await).await.expect(201);
    ask(&admin, short()).await.expect_refusal(400, NOT_ALLOWED);
    assert_eq!(service.count(), 0);
    server.execute("DROP TABLE licenses").await;
    let unchecked = ask(&admin, short()).await;
    unchecked.expect_refusal(500, "api.license.request-trial.can-start-trial.error");
    let unchecked = upload(&admin, &seller.license(&TRIAL).await).await;
    unchecked.expect_refusal(500, "api.license.add_license.open.app_error");
}

#[actix_web::test]
async fn only_who_manages_licences_may_ask_and_only_where_licences_are_trusted() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    ask(&admin, json!({})).await.expect_refusal(403, "api.license.upgrade_needed.app_error");
    assert_eq!(previous(&admin).await.text(), NONE);
    let bert = server.user(&admin, "bert").await;
    assert_eq!(previous(&bert).await.text(), NONE);
    ask(&bert, short()).await.expect_refusal(403, "api.context.permissions.app_error");
    for refused in [ask(&server.client(), short()).await, previous(&server.client()).await] {
        refused.expect_refusal(401, "api.context.session_expired.app_error");
    }
    admin.put("/config/patch", json!({ "ExperimentalSettings": { "RestrictSystemAdmin": true } })).await.expect(200);
    ask(&admin, short()).await.expect_refusal(403, "api.context.permissions.app_error");
    assert_eq!(previous(&admin).await.text(), NONE);
}

/// A server, the seller that it trusts, and the trial service.
struct Scene {
    seller: Seller,
    service: WebPeer,
    server: TestServer,
    admin: Client,
}

impl Scene {
    async fn new(settings: &str) -> Self {
        let (seller, service) = (Seller::new().await, WebPeer::start().await);
        let server = seller.server(settings).await;
        let admin = server.admin().await;
        let place = json!({ "CloudSettings": { "CWSURL": format!("{}/", service.url()) } });
        admin.put("/config/patch", place).await.expect(200);
        Self { seller, service, server, admin }
    }
}

async fn ask(client: &Client, wish: Value) -> Reply {
    client.post("/trial-license", wish).await
}

async fn previous(client: &Client) -> Reply {
    client.get("/trial-license/prev").await
}

fn short() -> Value {
    json!({ "users": 20, "terms_accepted": true, "receive_emails_accepted": true })
}

fn long() -> Value {
    json!({
        "users": 50, "terms_accepted": true, "receive_emails_accepted": false, "contact_name": "Anna Smith",
        "contact_email": "Anna@Example.org", "company_name": "Example", "company_country": "DE", "company_size": "51-100",
    })
}

fn with(mut wish: Value, name: &str, value: impl Into<Value>) -> Value {
    wish[name] = value.into();
    wish
}
