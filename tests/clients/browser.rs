//! Pages for people in a real browser.

use std::path::Path;

use tokio::process::Command;

use crate::support::{TestServer, needs, peers};

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
