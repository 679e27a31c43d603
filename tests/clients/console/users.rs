//! Accounts, their sessions and access tokens, and the permissions of roles in the System Console.

use serde_json::{Value, json};

use super::{own, play};
use crate::support::{TestServer, needs};

#[actix_web::test]
async fn an_administrator_manages_accounts_and_the_permissions_of_roles() {
    let Some(browser) = needs::peer("browser") else { return };
    let Some(console) = needs::peer("console") else { return };
    let server = TestServer::start().await;
    let admin = server.admin().await;
    server.user(&admin, "visitor").await;
    server.execute("UPDATE users SET roles = 'system_guest' WHERE username = 'visitor'").await;
    let table = own("actors/src/roles/permissions.tsv");
    let steps = play("users.mjs", [browser, console], &server.base, table.to_str().unwrap()).await;
    let step = |name: &str| steps.iter().find(|step| step["step"] == name).unwrap();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let names = |value: &Value| value.as_array().unwrap().iter().map(text).collect::<Vec<_>>();
    let found = |name: &str| step(name)["violations"].clone();

    let create = step("create");
    assert!(text(&create["refused"]).contains("username"), "the refusal is the server's: {create}");
    assert_eq!((&create["length"], &create["person"]), (&json!(20), &json!(26)));
    let list = step("list");
    assert!(names(&list["all"]).contains(&"new.person".to_owned()), "no list of before: {list}");
    assert_eq!((&list["found"], &list["administrators"]), (&json!(["new.person"]), &json!(["admin"])));
    let turned: Vec<String> = names(&list["all"]).into_iter().rev().collect();
    assert_eq!(names(&list["turned"]), turned);

    let state = step("state");
    for question in ["off", "on", "vouched"] {
        assert!(text(&state[question]).contains("new.person"), "each question names the account: {state}");
    }
    let password = step("password");
    assert!(text(&password["reason"]).contains("characters"), "{password}");
    assert_eq!(password["is_new"], true);
    let codes = step("codes");
    assert_eq!(codes["enrolled"], 200);
    assert!(text(&codes["required"]).contains("Required"), "{codes}");
    assert!(text(&codes["question"]).contains("new.person"), "{codes}");
    let guests = step("guests");
    assert!(text(&guests["demoted"]).contains("licence for guest accounts"), "{guests}");
    assert!(text(&guests["promoted"]).contains("visitor"), "{guests}");
    assert_eq!(guests["roles"], "system_user");
    let token = step("token");
    assert_eq!((&token["needsPurpose"], &token["length"]), (&json!(true), &json!(26)));
    assert_eq!((&token["stays"], &token["used"], &token["isKept"]), (&json!(1), &json!(200), &json!(false)), "{token}");
    let sessions = step("sessions");
    assert_eq!(sessions["ended"], 401, "{sessions}");
    for question in ["revoked", "disabled", "removed"] {
        assert!(text(&sessions[question]).contains("new.person"), "{sessions}");
    }

    let permissions = step("permissions");
    assert_eq!((&permissions["fixed"], &permissions["stored"]), (&json!(true), &json!(true)), "{permissions}");
    assert!(names(&permissions["settings"]).contains(&"ExperimentalSettings.RestrictSystemAdmin".to_owned()));
    assert!(text(&permissions["compared"]).contains("differs"), "{permissions}");
    assert_eq!(
        text(&permissions["difference"]),
        "+ User management: users (read) sysconsole_read_user_management_users"
    );
    let reader = step("reader");
    assert!(text(&reader["roles"]).contains("+ Group administrator"), "{reader}");
    assert!(names(&reader["menu"]).contains(&"user_management/users".to_owned()), "{reader}");
    assert!(!names(&reader["menu"]).contains(&"user_management/permissions".to_owned()), "{reader}");
    let offered = (&reader["create"], &reader["buttons"], &reader["enabled"]);
    assert_eq!(offered, (&json!(0), &json!(0), &json!(0)), "a caller who only reads gets nothing to press: {reader}");

    let own_account = step("own");
    assert_eq!((&own_account["deactivate"], &own_account["role"]), (&json!(0), &json!(true)), "{own_account}");
    assert!(own_account["sessions"].as_array().unwrap().contains(&json!([true, 0])), "{own_account}");
    assert_eq!((&step("names")["missing"], &step("names")["unknown"]), (&json!([]), &json!([])));
    assert_eq!(
        [found("create"), found("list"), found("token"), found("sessions"), found("permissions")],
        [json!([]), json!([]), json!([]), json!([]), json!([])]
    );
}
