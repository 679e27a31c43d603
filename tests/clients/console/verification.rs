//! The verification of the audit trail, on its page and on the dashboard.

use serde_json::{Value, json};

use super::play;
use crate::support::{TestServer, needs};

#[actix_web::test]
async fn an_administrator_sees_if_the_audit_trail_is_as_the_server_wrote_it() {
    let Some(browser) = needs::peer("browser") else { return };
    let Some(console) = needs::peer("console") else { return };
    let server = TestServer::start().await;
    let admin = server.admin().await;
    server.staff(&admin, "reader", "system_read_only_admin").await;
    let look =
        async |state: &str| play("verification.mjs", [browser.clone(), console.clone()], &server.base, state).await;
    let of = |steps: &[Value], step: &str, name: &str| {
        let step = steps.iter().find(|found| found["step"] == step).unwrap();
        step[name].as_str().unwrap_or_else(|| panic!("{step}")).to_owned()
    };
    let accessible = |steps: &[Value]| {
        for step in steps.iter().filter(|step| step["violations"].is_array()) {
            assert_eq!(step["violations"], json!([]), "{step}");
        }
        let reader = steps.iter().find(|step| step["step"] == "reader").unwrap();
        assert_eq!((&reader["buttons"], &reader["isWide"]), (&json!(0), &json!(false)));
    };

    let steps = look("Intact").await;
    assert!(of(&steps, "page", "before").contains("Not verified yet"), "{steps:?}");
    assert!(of(&steps, "page", "after").contains("No record was changed"), "{steps:?}");
    assert!(of(&steps, "dashboard", "tile").contains("Works"), "{steps:?}");
    assert!(!of(&steps, "dashboard", "attention").contains("Audit trail"), "{steps:?}");
    accessible(&steps);

    server.execute("UPDATE qd_audits SET userid = 'nobody' WHERE number = 2").await;
    let steps = look("Damaged").await;
    assert!(of(&steps, "page", "before").contains("Intact"), "no lie, but the state of the last verification");
    let after = of(&steps, "page", "after");
    assert!(after.contains("about record 2.") && after.contains("row 2 (") && after.contains("was changed"), "{after}");
    assert!(of(&steps, "dashboard", "tile").contains("Degraded"), "{steps:?}");
    assert!(of(&steps, "dashboard", "attention").contains("Audit trail"), "{steps:?}");
    accessible(&steps);
}
