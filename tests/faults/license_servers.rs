//! The licence of several servers on one database.

use serde_json::json;

use crate::support::license::{Seller, upload};
use crate::support::waiting::until;
use crate::support::{Client, TestServer, database};

const REASON: &str = "the embedded engine belongs to one server";

#[actix_web::test]
async fn a_licence_that_another_server_installed_is_removed_for_all() {
    let Some(_) = database::only_postgres(REASON) else { return };
    let seller = Seller::new().await;
    let one = seller.server("").await;
    let admin = one.admin().await;
    let other = one.start_beside(&seller.settings("")).await;
    let on_other = other.login("admin").await;
    upload(&admin, &seller.license(&["--company", "First"]).await).await.expect(201);
    on_other.delete("/license").await.expect_ok();
    assert_eq!(company(&other).await, "null");
    let third = one.start_beside(&seller.settings("")).await;
    assert_eq!(company(&third).await, "null", "the removal is stored, although the server knew of no licence");
    read_again(&admin).await;
    assert_eq!(company(&one).await, "null");

    upload(&on_other, &seller.license(&["--company", "Second"]).await).await.expect(201);
    upload(&admin, &seller.license(&["--company", "Third"]).await).await.expect(201);
    read_again(&on_other).await;
    assert_eq!([company(&one).await, company(&other).await], ["Third", "Third"], "the last one wins everywhere");
}

#[actix_web::test]
async fn a_server_that_cannot_verify_what_another_one_installed_keeps_its_licence_and_can_remove_the_other() {
    let Some(_) = database::only_postgres(REASON) else { return };
    let (seller, successor) = (Seller::new().await, Seller::new().await);
    let one = seller.server("").await;
    let admin = one.admin().await;
    upload(&admin, &seller.license(&["--company", "Old key"]).await).await.expect(201);
    let other = one.start_beside(&successor.settings("")).await;
    let on_other = other.login("admin").await;
    upload(&on_other, &successor.license(&["--company", "New key"]).await).await.expect(201);
    read_again(&admin).await;
    assert_eq!([company(&one).await, company(&other).await], ["Old key", "New key"]);
    admin.delete("/license").await.expect_ok();
    read_again(&on_other).await;
    assert_eq!([company(&one).await, company(&other).await], ["null", "null"]);
}

#[actix_web::test]
async fn the_file_of_the_server_that_starts_first_counts_for_all_until_the_licence_is_removed() {
    let Some(_) = database::only_postgres(REASON) else { return };
    let seller = Seller::new().await;
    let mut settings = Vec::new();
    for company in ["First", "Second", "Third"] {
        let file = seller.path(company);
        std::fs::write(&file, seller.license(&["--company", company]).await).unwrap();
        settings.push(format!("[ServiceSettings]\nLicenseFileLocation = \"{}\"\n", file.display()));
    }
    let one = seller.server(&settings[0]).await;
    one.admin().await;
    let other = one.start_beside(&seller.settings(&settings[1])).await;
    assert_eq!([company(&one).await, company(&other).await], ["First", "First"], "the stored one counts");
    let on_other = other.login("admin").await;
    on_other.delete("/license").await.expect_ok();
    until("the removal is known", async || company(&one).await == "null").await;
    assert_eq!(company(&other).await, "null", "the files count at a start only");
    let third = one.start_beside(&seller.settings(&settings[2])).await;
    for server in [&one, &other, &third] {
        until("the file of the next start counts for all", async || company(server).await == "Third").await;
    }
}

/// Has a server read the stored state again.
async fn read_again(client: &Client) {
    client.post("/caches/invalidate", json!({})).await.expect_ok();
}

async fn company(server: &TestServer) -> String {
    let license = server.client().get("/license/client?format=old").await.expect(200);
    license["Company"].as_str().unwrap_or("null").to_owned()
}
