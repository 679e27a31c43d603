//! Pages for people in a real browser.

use std::path::Path;

use tokio::process::Command;

use serde_json::json;

use crate::support::server::PASSWORD;
use crate::support::{TestServer, needs, peers};
use crate::wire::nginx::front_at;

#[actix_web::test]
async fn the_page_of_the_api_shows_every_operation_and_one_can_be_tried() {
    let Some(folder) = needs::peer("browser") else { return };
    let server = TestServer::start().await;
    let admin = server.admin().await;
    let document = server.client().get("/openapi.json").await.expect(200);
    let methods = document["paths"].as_object().unwrap().values().map(|path| path.as_object().unwrap().len());
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients/browser/openapi.mjs");
    let mut node = Command::new(peers::tool("node"));
    node.arg(script).args([&server.base, admin.token.as_deref().unwrap()]).current_dir(folder);
    let steps = peers::play(&mut node).await;
    assert_eq!(steps[0]["operations"].as_u64().unwrap(), u64::try_from(methods.sum::<usize>()).unwrap());
    assert_eq!((steps[1]["status"].as_str(), steps[1]["is_answered"].as_bool()), (Some("200"), Some(true)));
    assert_eq!(steps[2]["complaints"], serde_json::json!([]));
    assert_eq!(steps[2]["elsewhere"], serde_json::json!([]), "the page asks nobody else");
}

#[actix_web::test]
async fn a_browser_uses_a_site_with_a_path_with_and_without_a_proxy_that_takes_it_off() {
    let Some(folder) = needs::peer("browser") else { return };
    let Some(nginx) = needs::peer("nginx") else { return };
    let server = TestServer::start_with("[ServiceSettings]\nSiteURL = \"http://127.0.0.1/team\"\n").await;
    let admin = server.admin().await;
    let upgrade = "proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection \"upgrade\";";
    let locations = [("/team/", "http://quarterdeck/", upgrade), ("/", "http://quarterdeck", upgrade)];
    let (_nginx, proxy) = front_at(&server, &nginx.join("nginx"), &locations).await;
    // The ports are known only now, and a page may open a WebSocket if its origin is known.
    let origins = json!({ "ServiceSettings": { "AllowCorsFrom": format!("{} {proxy}", server.base) } });
    admin.put("/config/patch", origins).await.expect(200);
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients/browser/site_path.mjs");
    for base in [&server.base, &proxy] {
        let site = format!("{base}/team");
        let mut node = Command::new(peers::tool("node"));
        node.arg(&script).args([base, &site, "admin", PASSWORD]).current_dir(&folder);
        let steps = peers::play(&mut node).await;
        assert_eq!(
            steps[0],
            json!({ "step": "front page", "front": format!("{site}/?from=root"), "heading": "Log in" })
        );
        assert_eq!(steps[1]["address"], format!("{site}/admin_console/environment/file_storage"));
        let expected = json!({
            "step": "session", "login": 200, "me": 200, "proven": 200, "forged": 401, "paths": ["/team", "/team"],
        });
        assert_eq!(steps[2], expected);
        assert_eq!(steps[3]["event"], "hello");
        assert_eq!(
            (&steps[4]["status"], &steps[4]["url"]),
            (&json!("200"), &json!(format!("{site}/api/v4/server_busy")))
        );
        assert_eq!(steps[5]["elsewhere"], json!([]), "everything is below the path");
    }
}
