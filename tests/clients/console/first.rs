//! The first account of a server, in the System Console.

use serde_json::{Value, json};

use super::play;
use crate::support::process::Workplace;
use crate::support::server::PASSWORD;
use crate::support::{TestServer, needs};

#[actix_web::test]
async fn the_first_visitor_makes_the_administrator_and_gets_three_things_to_do() {
    let Some(browser) = needs::peer("browser") else { return };
    let Some(console) = needs::peer("console") else { return };
    let server = TestServer::start().await;
    let site = "[ServiceSettings]\nListenAddress = \"127.0.0.1:0\"\nSiteURL = \"http://chat.example\"\n";
    let coded_place = Workplace::new(site).await;
    let mut coded = coded_place.serve().await;
    let code = coded.setup_code().await;
    let offline_place = Workplace::new("").await;
    let set = offline_place.run(&["config", "set", "TeamSettings.SiteName", "Bridge"], "").await;
    assert!(set.status.success(), "{set:?}");
    let offline = offline_place.serve().await;
    // An account that a command makes beside a running server.
    let used_place = Workplace::new("").await;
    let used = used_place.serve().await;
    let create = ["user", "create", "--email", "anna@chat.example", "--username", "anna", "--system-admin"];
    let made = used_place.run(&create, &format!("{PASSWORD}\n")).await;
    assert!(made.status.success(), "{made:?}");
    let servers = json!({ "coded": coded.base, "code": code, "offline": offline.base, "used": used.base });
    let steps = play("first.mjs", [browser, console], &server.base, &servers.to_string()).await;
    let step = |name: &str| steps.iter().find(|step| step["step"] == name).unwrap();
    let text = |value: &Value| value.as_str().unwrap().to_owned();

    assert_eq!(step("looks")["found"], json!([]));
    let refusals = step("refusals");
    assert_eq!((&refusals["heading"], &refusals["codes"]), (&json!("Create the first account"), &json!(0)));
    assert_eq!(refusals["empty"], json!(["email", "username", "password"]));
    assert_eq!((&refusals["own"], &refusals["before"]), (&json!(["username", "password"]), &json!(1)), "{refusals}");
    assert_eq!(refusals["rules"], json!(["is-met", "is-met"]));
    assert!(text(&refusals["server"]).contains("must not be reserved"), "{refusals}");

    let list = step("list");
    assert_eq!(list["address"], "/admin_console/reporting/dashboard");
    let tasks = text(&list["list"]);
    assert!(tasks.contains("1 of 3 are done.") && tasks.matches("Not yet").count() == 2, "{list}");
    assert!(!text(&list["attention"]).contains("No site URL is set"), "the list says it: {list}");
    assert_eq!((&list["progress"], &list["hidden"]), (&json!("2 of 3 are done."), &json!(0)));
    let late = step("late");
    assert!(text(&late["note"]).starts_with("The first account was created meanwhile."), "{late}");
    assert_eq!((&late["title"], &late["again"]), (&json!("Log in"), &json!("Log in")));
    let admin = server.login("admin").await;
    let names = admin.get("/users").await.expect(200);
    assert_eq!(names.as_array().unwrap().len(), 1, "the late visitor has no account: {names}");
    assert_eq!(names[0]["roles"], "system_admin system_user");

    let coded_step = step("code");
    assert!(text(&coded_step["missing"]).starts_with("Enter the code"), "{coded_step}");
    assert!(text(&coded_step["kept"]).contains("./data/"), "{coded_step}");
    assert!(text(&coded_step["tasks"]).contains("2 of 3 are done."), "{coded_step}");
    assert!(text(&step("offline")["command"]).starts_with("quarterdeck user create --system-admin"));
    assert_eq!(step("used")["title"], "Log in");
    for name in ["list", "late", "code", "offline"] {
        assert_eq!(step(name)["violations"], json!([]), "{name}");
    }
    for process in [coded, offline, used] {
        assert!(process.stop().await.success());
    }
}
