//! Requests of the System Console that take long or fail.

use serde_json::json;

use super::{logs, play};
use crate::support::{TestServer, needs};

#[actix_web::test]
async fn a_page_whose_requests_fail_says_so_and_tries_again_and_a_hidden_one_sends_none() {
    let Some(browser) = needs::peer("browser") else { return };
    let Some(console) = needs::peer("console") else { return };
    let folder = tempfile::tempdir().unwrap();
    let server = TestServer::start_with(&logs::settings_with_log(folder.path())).await;
    server.admin().await;
    let steps = play("failures.mjs", [browser, console], &server.base, "").await;
    let pages: Vec<_> = steps.iter().filter(|step| step["step"] == "page").collect();
    assert_eq!(pages.len(), 8);
    for page in pages {
        assert_eq!((&page["is_there"], &page["violations"]), (&json!(0), &json!([])), "{page}");
        assert!(page["offered"].as_u64().unwrap() >= 1, "{page}");
        assert!(page["stays"].as_u64().unwrap() >= 1, "the message stays: {page}");
    }
    let hidden = steps.iter().find(|step| step["step"] == "hidden").unwrap();
    assert_eq!(hidden["hidden"], 0, "{hidden}");
}
