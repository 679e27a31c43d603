//! Every page in both themes and two widths: without a fault that axe finds, and with a picture.

use serde_json::json;

use super::{logs, play};
use crate::support::{TestServer, needs};

/// The least number of pages.
const MIN_PAGES: u64 = 55;

#[actix_web::test]
async fn every_page_is_accessible_in_the_light_theme_on_a_wide_screen() {
    look("light 1440").await;
}

#[actix_web::test]
async fn every_page_is_accessible_in_the_light_theme_on_a_narrow_screen() {
    look("light 360").await;
}

#[actix_web::test]
async fn every_page_is_accessible_in_the_dark_theme_on_a_wide_screen() {
    look("dark 1440").await;
}

#[actix_web::test]
async fn every_page_is_accessible_in_the_dark_theme_on_a_narrow_screen() {
    look("dark 360").await;
}

async fn look(look: &str) {
    let Some(browser) = needs::peer("browser") else { return };
    let Some(console) = needs::peer("console") else { return };
    let folder = tempfile::tempdir().unwrap();
    let server = TestServer::start_with(&logs::settings_with_log(folder.path())).await;
    server.admin().await;
    let steps = play("pages.mjs", [browser, console], &server.base, look).await;
    assert_eq!(steps[0]["found"], json!([]), "{look}");
    assert!(steps[0]["count"].as_u64().unwrap() >= MIN_PAGES, "{}", steps[0]);
}
