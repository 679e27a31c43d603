//! The licence after restarts, and its sources.

use crate::support::license::{Seller, upload};
use crate::support::server::account;
use crate::support::{Client, Home, Process};

const FILE: &str = "MM_SERVICESETTINGS_LICENSEFILELOCATION";

#[actix_web::test]
async fn a_licence_is_there_again_after_a_restart_and_the_environment_wins() {
    let seller = Seller::new().await;
    let (home, server, admin) = installation(&seller).await;
    upload(&admin, &seller.license(&["--company", "Stored"]).await).await.expect(201);
    server.kill().await;
    let server = home.start().await;
    assert_eq!(company(&server).await, "Stored");
    server.stop().await;
    let variable = seller.license(&["--company", "Environment", "--starts", "-10", "--days", "5"]).await;
    let server = launched(&home, &[("MM_LICENSE", &variable)]).await;
    assert_eq!(company(&server).await, "Environment");
    server.client().log_in("admin").await.delete("/license").await.expect_ok();
    assert_eq!(company(&server).await, "null");
    server.stop().await;
    assert_eq!(company(&home.start().await).await, "null");
}

#[actix_web::test]
async fn the_file_counts_until_something_is_uploaded_and_again_after_a_removal() {
    let seller = Seller::new().await;
    let (home, server, _) = installation(&seller).await;
    server.stop().await;
    let file = seller.path("file.license");
    let named = [(FILE, file.to_str().unwrap())];
    std::fs::write(&file, seller.license(&["--company", "File"]).await).unwrap();
    let server = launched(&home, &named).await;
    assert_eq!(company(&server).await, "File");
    let admin = server.client().log_in("admin").await;
    upload(&admin, &seller.license(&["--company", "Renewed"]).await).await.expect(201);
    server.stop().await;
    let server = launched(&home, &named).await;
    assert_eq!(company(&server).await, "Renewed");
    server.client().log_in("admin").await.delete("/license").await.expect_ok();
    assert_eq!(company(&server).await, "null");
    server.stop().await;
    assert!(home.shell(&format!("{FILE}={} {SHOW}", file.display())).await.contains("Company: File"));
    assert_eq!(home.shell(SHOW).await, "IsLicensed: false\n");
    assert_eq!(company(&launched(&home, &named).await).await, "File");
    assert!(home.shell(SHOW).await.contains("Company: File"));
}

#[actix_web::test]
async fn a_trial_in_the_environment_counts_where_there_was_no_other() {
    let seller = Seller::new().await;
    let (home, server, admin) = installation(&seller).await;
    let trial = seller.license(&["--trial", "--days", "30", "--company", "First"]).await;
    upload(&admin, &trial).await.expect(201);
    upload(&admin, &seller.license(&["--company", "Bought"]).await).await.expect(201);
    server.stop().await;
    let other = seller.license(&["--trial", "--days", "30", "--company", "Second"]).await;
    for (variable, expected) in [(trial, "First"), (other, "Bought")] {
        let server = launched(&home, &[("MM_LICENSE", &variable)]).await;
        assert_eq!(company(&server).await, expected);
        server.stop().await;
    }
}

#[actix_web::test]
async fn a_server_for_tests_trusts_the_test_key_and_says_what_it_is_for() {
    let (usual, test) = (Seller::new().await, Seller::new().await);
    let key = format!("LicenseTestPublicKeyFile = \"{}\"\n", test.path("public.pem").display());
    let home = Home::new(&usual.settings(&key)).await;
    let licenses = [usual.license(&["--company", "Usual"]).await, test.license(&["--company", "Test"]).await];
    for (named, purpose, trusted) in [("", "production", "Usual"), (" Test ", "test", "Test"), ("dev", "dev", "Test")] {
        for license in &licenses {
            let server = launched(&home, &[("MM_SERVICEENVIRONMENT", named), ("MM_LICENSE", license)]).await;
            let is_trusted = (license == &licenses[0]) == (trusted == "Usual");
            assert_eq!(company(&server).await, if is_trusted { trusted } else { "null" }, "{named}");
            let config = server.client().get("/config/client?format=old").await.expect(200);
            assert_eq!(config["ServiceEnvironment"], purpose);
            server.stop().await;
        }
    }
    let mut server = home.launch_with(&[("MM_QUARTERDECK_LICENSEPUBLICKEYFILE", "/nowhere")]);
    server.complains_until(|said| said.contains("Quarterdeck.LicensePublicKeyFile: /nowhere: ")).await;
}

#[actix_web::test]
async fn the_log_says_why_a_licence_is_refused_at_the_start_and_later() {
    let seller = Seller::new().await;
    let (home, server, _) = installation(&seller).await;
    server.stop().await;
    let good = seller.license(&[]).await;
    let of_other_seller = Seller::new().await.license(&[]).await;
    let cut = &good[..good.len() - 4];
    for (text, reason) in [
        (of_other_seller.as_str(), "signed with another key"),
        (cut, "a part of its text is missing"),
        ("%", "not base64"),
    ] {
        let mut server = launched(&home, &[("MM_LICENSE", text)]).await;
        let is_told =
            |said: &str, message: &str| said.lines().any(|line| line.contains(message) && line.contains(reason));
        server.complains_until(|said| is_told(said, "a license cannot be used")).await;
        let admin = server.client().log_in("admin").await;
        upload(&admin, text).await.expect_refusal(400, "api.license.add_license.invalid.app_error");
        server.complains_until(|said| is_told(said, "a license is refused")).await;
        server.stop().await;
    }
    let home = Home::new("").await;
    let mut server = home.launch_with(&[("MM_LICENSE", good.as_str())]);
    server.complains_until(|said| said.contains("No key for licences is configured")).await;
}

const SHOW: &str = "quarterdeck license show --config config.toml";

/// A server with an administrator.
async fn installation(seller: &Seller) -> (Home, Process, Client) {
    let home = Home::new(&seller.settings("")).await;
    let server = home.start().await;
    server.client().post("/users", account("admin")).await.expect(201);
    let admin = server.client().log_in("admin").await;
    (home, server, admin)
}

async fn launched(home: &Home, variables: &[(&str, &str)]) -> Process {
    let mut server = home.launch_with(variables);
    server.listens().await;
    server
}

async fn company(server: &Process) -> String {
    let license = server.client().get("/license/client?format=old").await.expect(200);
    license["Company"].as_str().unwrap_or("null").to_owned()
}
