//! `GET /system/support_packet`: its permission, its content, its manifest.

mod canaries;

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::license::{Seller, upload};
use crate::support::packet::{PATH, Packet, reasons};
use crate::support::trail::newest_in;
use crate::support::{LocalServer, TestServer, backdoor};

const SMALL: [&str; 8] = [
    "database_schema.yaml",
    "diagnostics.yaml",
    "manifest.json",
    "metadata.yaml",
    "permissions.yaml",
    "plugins.json",
    "sanitized_config.json",
    "stats.yaml",
];

/// Returns the element of a list with this name.
#[track_caller]
fn named<'a>(list: &'a Value, name: &str) -> &'a Value {
    let found = list.as_array().unwrap().iter().find(|element| element["name"] == name);
    found.unwrap_or_else(|| panic!("no {name}: {list}"))
}

#[actix_web::test]
async fn only_unrestricted_system_administrators_may() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    let bert = server.user(&admin, "bert").await;
    let manager = server.staff(&admin, "carla", "system_manager").await;
    server.client().get(PATH).await.expect_refusal(401, "api.context.session_expired.app_error");
    for client in [&bert, &manager] {
        client.get(PATH).await.expect_refusal(403, "api.context.permissions.app_error");
    }
    admin.send(Method::POST, PATH, None, &[]).await.expect_refusal(404, "api.context.404.app_error");
    let restricted = TestServer::start_with("[ExperimentalSettings]\nRestrictSystemAdmin = true\n").await;
    let admin = restricted.admin().await;
    admin.get(PATH).await.expect_refusal(403, "api.context.permissions.app_error");
}

#[actix_web::test]
async fn a_licence_is_needed_only_where_the_operator_says_so() {
    let seller = Seller::new().await;
    let server = seller.server("SupportPacketNeedsLicense = true\n").await;
    let admin = server.admin().await;
    admin.get(PATH).await.expect_refusal(403, "api.no_license");
    upload(&admin, &seller.license(&["--company", " A.B & Söhne. "]).await).await.expect(201);
    let reply = admin.get(PATH).await;
    let packet = Packet::in_reply(&reply);
    let name = reply.header("content-disposition");
    assert!(name.starts_with("attachment;filename=\"mm_support_packet_AB___S_hne_20"), "{name}");
    let metadata = packet.yaml("metadata.yaml");
    for name in ["license_id", "customer_id", "server_id"] {
        assert!(metadata[name].is_string(), "{name}: {metadata}");
    }
    assert_eq!(packet.yaml("diagnostics.yaml")["license"]["company"], " A.B & Söhne. ");
}

#[actix_web::test]
async fn the_answer_is_an_archive_with_its_headers_and_its_name_is_recorded() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    let query = "?basic_server_logs=no&plugin_packets=one&plugin_packets=two";
    let reply = admin.send(Method::GET, &format!("{PATH}{query}"), None, &[("Content-Type", "application/zip")]).await;
    let packet = Packet::in_reply(&reply);
    let headers = [
        ("content-type", "application/zip"),
        ("cache-control", "no-cache, no-store, must-revalidate"),
        ("x-frame-options", "DENY"),
        ("content-security-policy", "Frame-ancestors 'none'"),
    ];
    for (name, value) in headers {
        assert_eq!(reply.header(name), value, "{name}");
    }
    admin.audits().await;
    let record = newest_in(server.folder(), "generateSupportPacket").await;
    let name = record["parameters"]["filename"].as_str().unwrap();
    let form = name.chars().map(|one| if one.is_ascii_digit() { '0' } else { one }).collect::<String>();
    assert_eq!(form, "mm_support_packet_0000-00-00T00-00.zip");
    assert_eq!(reply.header("content-disposition"), format!("attachment;filename=\"{name}\"; filename*=UTF-8''{name}"));
    assert_eq!(record["parameters"]["include_logs"], true, "a text that is no flag leaves the log in");
    assert_eq!(record["parameters"]["plugin_packets"], json!(["one", "two"]));
    let plugins = packet.manifest()["plugin_packets"].clone();
    assert_eq!(
        (&plugins[0]["id"], &plugins[1]["id"], plugins.as_array().unwrap().len()),
        (&json!("one"), &json!("two"), 2)
    );
}

#[actix_web::test]
async fn the_packet_tells_the_server_its_database_and_what_it_does_not_tell() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    server.user(&admin, "bert").await;
    let packet = Packet::of(&admin, "?basic_server_logs=false").await;
    assert_eq!(packet.names(), SMALL);
    let manifest = packet.manifest();
    assert_eq!((&manifest["generated_by"], &manifest["warnings"]), (&json!("server"), &json!([])));
    for name in ["cpu.prof", "jobs.yaml", "mattermost.log", "diagnostics.yaml: ldap"] {
        assert_eq!(reasons(&manifest["not_available"], name).len(), 1, "{name}: {manifest}");
    }
    assert_eq!(reasons(&manifest["taken_out"], "FileSettings.PublicLinkSalt"), ["secret"]);
    let stats = packet.yaml("stats.yaml");
    for (name, count) in
        [("registered_users", 2), ("active_users", 2), ("deactivated_users", 0), ("guests", 0), ("posts", 0)]
    {
        assert_eq!(stats[name], count, "{name}: {stats}");
    }
    let engine = server.server.config().current().view.sql.driver_name.clone();
    let diagnostics = packet.yaml("diagnostics.yaml");
    assert_eq!(diagnostics["database"]["type"], engine, "{diagnostics}");
    assert_eq!(diagnostics["file_store"]["file_status"], "OK", "{diagnostics}");
    assert_eq!(diagnostics["websocket"]["connections"], 0, "{diagnostics}");
    let schema = packet.yaml("database_schema.yaml");
    let users = named(&schema["tables"], "users");
    assert!(users["columns"][0]["data_type"].is_string(), "{users}");
    assert!(named(&users["indexes"], "idx_users_create_at")["definition"].is_string(), "{users}");
    assert!(schema["database_encoding"].is_string(), "{schema}");
    named(&packet.yaml("permissions.yaml")["roles"], "system_admin");
    assert_eq!(packet.json("plugins.json"), json!({ "enabled": [], "disabled": [] }));
    let config = packet.json("sanitized_config.json");
    assert_eq!(
        (&config["SqlSettings"]["DriverName"], &config["ServiceSettings"]["SiteURL"]),
        (&json!(engine), &json!(""))
    );
}

#[actix_web::test]
async fn a_part_that_fails_is_left_out_and_told() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    backdoor::execute(&server, "ALTER TABLE bots RENAME COLUMN userid TO somebody").await;
    let packet = Packet::of(&admin, "?basic_server_logs=false").await;
    let mut expected: Vec<&str> = SMALL.into_iter().filter(|name| *name != "stats.yaml").collect();
    expected.push("warning.txt");
    assert_eq!(packet.names(), expected);
    let warning = packet.text("warning.txt");
    assert!(warning.starts_with("stats.yaml: database: ") && warning.lines().count() == 1, "{warning}");
    assert_eq!(packet.manifest()["warnings"], json!([warning.trim_end()]));
}

#[actix_web::test]
async fn jobs_are_told_where_the_database_has_some() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    let table = "CREATE TABLE jobs (id varchar(26), type varchar(32), priority bigint, createat bigint, startat bigint, \
                 lastactivityat bigint, status varchar(32), progress bigint, data varchar(1024))";
    backdoor::execute(&server, table).await;
    for number in 1..=7 {
        let row = format!(
            "INSERT INTO jobs VALUES ('job{number}', 'migrations', 0, {number}, 0, 0, 'success', 100, 'canary')"
        );
        backdoor::execute(&server, &row).await;
    }
    let packet = Packet::of(&admin, "?basic_server_logs=false").await;
    let jobs = packet.text("jobs.yaml");
    assert!(jobs.contains("create_at: 1970-01-01T00:00:00.007Z\n"), "{jobs}");
    assert_eq!((jobs.matches("type: migrations").count(), jobs.contains("canary")), (5, false));
}

#[actix_web::test]
async fn a_statement_that_fails_costs_its_part_only() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    backdoor::execute(&server, "ALTER TABLE systems RENAME TO elsewhere").await;
    let packet = Packet::of(&admin, "?basic_server_logs=false").await;
    backdoor::execute(&server, "ALTER TABLE elsewhere RENAME TO systems").await;
    assert!(SMALL.iter().all(|name| !packet.text(name).is_empty()), "{:?}", packet.names());
    let manifest = packet.manifest();
    let warning = manifest["warnings"][0].as_str().unwrap();
    assert!(warning.starts_with("metadata.yaml: server_id: "), "{manifest}");
    assert_eq!(packet.text("warning.txt").trim_end(), warning);
    assert_eq!(packet.yaml("metadata.yaml").get("server_id"), None);
    assert!(packet.yaml("diagnostics.yaml")["database"]["version"].is_string());
}

#[actix_web::test]
async fn no_more_than_two_are_made_at_once_and_a_client_that_hangs_up_makes_room() {
    let server = TestServer::start_in(&logging_to("logs"), &|folder| {
        let folder = folder.join("logs");
        std::fs::create_dir(&folder).unwrap();
        // The lines are longer than all buffers on the connection, even compressed.
        let lines = (0..200_000_u64).map(|number| format!("{:x}\n", number.wrapping_mul(0x9e37_79b9_7f4a_7c15)));
        std::fs::write(folder.join("mattermost.log"), lines.collect::<String>().repeat(4)).unwrap();
        vec![("MM_LOGSETTINGS_FILELOCATION".to_owned(), folder.display().to_string())]
    })
    .await;
    let admin = server.admin().await;
    let begun = async || {
        let request = reqwest::Client::new().get(format!("{}/api/v4{PATH}", server.base));
        request.bearer_auth(admin.token.as_ref().unwrap()).send().await.unwrap()
    };
    let held = [begun().await, begun().await];
    assert!(held.iter().all(|reply| reply.status() == 200));
    admin.get(PATH).await.expect_refusal(503, "api.context.server_busy.app_error");
    drop(held);
    crate::support::waiting::until("there is room again", async || begun().await.status() == 200).await;
}

#[actix_web::test]
async fn the_local_socket_gives_it_as_well() {
    let LocalServer { server, local, .. } = &LocalServer::start().await;
    let admin = server.admin().await;
    let packet = Packet::of(local, "?basic_server_logs=false").await;
    assert_eq!(packet.names(), SMALL);
    packet.manifest();
    admin.audits().await;
    let record = newest_in(server.folder(), "generateSupportPacket").await;
    assert_eq!((&record["source"], &record["userid"]), (&json!("local"), &Value::from("")));
}

/// Returns the settings of a server that logs into that folder.
fn logging_to(folder: &str) -> String {
    format!("[LogSettings]\nEnableFile = false\nFileLocation = \"{folder}\"\n")
}
