//! Facts about the installation that clients get with the configuration.

use serde_json::{Value, json};

use super::starting::start;
use crate::support::backdoor::texts_in;
use crate::support::{Client, TestServer};

const KEY: &str = "SELECT value FROM systems WHERE name = 'AsymmetricSigningKey'";

/// A key as Mattermost keeps it: the generator of the curve, whose secret number is 1.
const OF_MATTERMOST: &str = r#"{"ecdsa_key":{"curve":"P-256","x":48439561293906451759052585252797914202762949526041747995844080717082404635286,"y":36134250956749795798585127919587881956611106672985015071877198253568414405109,"d":1}}"#;

/// Its public half.
const PUBLIC: &str = "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEaxfR8uEsQkf4vOblY6RA8ncDfYEt6zOg9KE5RdiYwpZP40Li/hp/m47n60p8D54WK84zV2sxXs7LtkBoN79R9Q==";

#[actix_web::test]
async fn the_signing_key_is_made_once_for_all_servers_and_its_public_half_is_told_to_clients() {
    let server = TestServer::start().await;
    let told = server.client().get("/config/client").await.expect(200);
    let public = told["AsymmetricSigningPublicKey"].as_str().unwrap();
    // DER of a P-256 key: 91 bytes that begin with its algorithm.
    assert!(public.len() == 124 && public.starts_with("MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE"), "{public}");
    let stored = texts_in(server.folder(), KEY).await;
    assert!(stored.len() == 1 && stored[0].starts_with(r#"{"ecdsa_key":{"curve":"P-256","x":"#), "{}", stored.len());
    let second = start(&server).await.unwrap();
    let client = Client::new(&format!("{}://{}", second.scheme(), second.addresses()[0]));
    assert_eq!(client.get("/config/client").await.json()["AsymmetricSigningPublicKey"], public);
    assert_eq!(texts_in(server.folder(), KEY).await, stored);
    drop(second);

    for (key, expected) in [(OF_MATTERMOST, Some(PUBLIC)), ("{}", None)] {
        server.execute(&format!("UPDATE systems SET value = '{key}' WHERE name = 'AsymmetricSigningKey'")).await;
        let second = start(&server).await.unwrap();
        let client = Client::new(&format!("{}://{}", second.scheme(), second.addresses()[0]));
        let told = client.get("/config/client").await.json();
        let public = told.get("AsymmetricSigningPublicKey").and_then(Value::as_str);
        assert_eq!(public, expected, "{key}");
        assert_eq!(texts_in(server.folder(), KEY).await, [key], "it is left as it is");
    }
}

#[actix_web::test]
async fn the_schema_version_is_told_to_who_is_logged_in() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    let newest = texts_in(server.folder(), "SELECT CAST(MAX(version) AS text) FROM qd_migrations").await;
    assert_eq!(admin.get("/config/client").await.expect(200)["SchemaVersion"], newest[0]);
    assert_eq!(server.client().get("/config/client").await.json().get("SchemaVersion"), None);
}

#[actix_web::test]
async fn the_build_is_ready_for_enterprise_with_and_without_a_session() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    for client in [&server.client(), &admin] {
        assert_eq!(client.get("/config/client").await.expect(200)["BuildEnterpriseReady"], "true");
    }
}

#[actix_web::test]
async fn feature_flags_are_told_and_the_test_flag_in_the_ping_as_well() {
    let server = TestServer::start().await;
    let told = server.client().get("/config/client").await.expect(200);
    assert_eq!(told["FeatureFlagIntegratedBoards"], "false");
    assert_eq!(server.client().get("/system/ping").await.json().get("TestFeatureFlag"), None);
    let variables = [("MM_FEATUREFLAGS_TESTFEATURE", "seen"), ("MM_FEATUREFLAGS_INTEGRATEDBOARDS", "true")];
    let variables: Vec<(String, String)> =
        variables.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    let server = TestServer::start_in("", &move |_: &std::path::Path| variables.clone()).await;
    let told = server.client().get("/config/client").await.expect(200);
    assert_eq!(told["FeatureFlagIntegratedBoards"], "true");
    for query in ["", "?get_server_status=true"] {
        let ping = server.client().get(&format!("/system/ping{query}")).await.expect(200);
        assert_eq!(ping["TestFeatureFlag"], json!("seen"), "{query}");
    }
}
