//! The licence over restarts, and where it is found.

use crate::support::license::{Seller, upload};
use crate::support::server::account;
use crate::support::{Client, Home, Process};

#[actix_web::test]
async fn a_licence_is_there_again_after_a_restart_and_the_environment_wins() {
    let seller = Seller::new().await;
    let home = Home::new(&seller.settings("")).await;
    let server = home.start().await;
    server.client().post("/users", account("admin")).await.expect(201);
    let admin = server.client().log_in("admin").await;
    upload(&admin, &seller.license(&["--company", "Stored"]).await).await.expect(201);
    server.kill().await;
    let server = home.start().await;
    assert_eq!(company(&server).await, "Stored");
    server.stop().await;
    let variable = seller.license(&["--company", "Environment", "--starts", "-10", "--days", "5"]).await;
    let mut server = home.launch_with(&[("MM_LICENSE", &variable)]);
    server.listens().await;
    assert_eq!(company(&server).await, "Environment");
    let admin: Client = server.client().log_in("admin").await;
    admin.delete("/license").await.expect_ok();
    server.stop().await;
    let file = seller.path("file.license");
    std::fs::write(&file, seller.license(&["--company", "File"]).await).unwrap();
    let mut server = home.launch_with(&[("MM_SERVICESETTINGS_LICENSEFILELOCATION", file.to_str().unwrap())]);
    server.listens().await;
    assert_eq!(company(&server).await, "File");
    server.stop().await;
    assert_eq!(company(&home.start().await).await, "null");
}

async fn company(server: &Process) -> String {
    let license = server.client().get("/license/client?format=old").await.expect(200);
    license["Company"].as_str().unwrap_or("null").to_owned()
}
