//! The requests that open the pages of the System Console.

use serde_json::Value;

use super::{MAX_REQUESTS, logs, play};
use crate::support::{TestServer, needs};

/// The number of runs that share the pages. Each has a deadline.
const PARTS: usize = 3;

#[actix_web::test]
async fn each_page_needs_few_requests_after_the_login_also_below_a_path() {
    let Some(browser) = needs::peer("browser") else { return };
    let Some(console) = needs::peer("console") else { return };
    let folder = tempfile::tempdir().unwrap();
    let log = logs::settings_with_log(folder.path());
    let server =
        TestServer::start_with(&format!("[ServiceSettings]\nSiteURL = \"http://127.0.0.1/team\"\n{log}")).await;
    server.admin().await;
    // The scenario complains about every request that is not below this address.
    let site = format!("{}/team", server.base);
    let mut pages = Vec::new();
    for part in 0..PARTS {
        let which = format!("{part} {PARTS}");
        let mut steps = play("requests.mjs", [browser.clone(), console.clone()], &site, &which).await;
        steps.pop();
        pages.extend(steps);
    }
    assert!(pages.len() >= 55, "{}", pages.len());
    for page in &pages {
        let address = page["step"].as_str().unwrap();
        assert_eq!(page["at"], format!("{site}/admin_console/{address}"));
        let requests = page["requests"].to_string();
        assert!(requests.contains("/users/login") && requests.contains("/config/schema"), "{page}");
    }
    let too_many: Vec<&Value> =
        pages.iter().filter(|page| page["requests"].as_array().unwrap().len() > MAX_REQUESTS).collect();
    assert!(too_many.is_empty(), "{too_many:#?}");
}
