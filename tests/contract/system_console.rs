//! Small routes that the pages of Mattermost's System Console ask for.

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::teams::{closed_team, newcomer, open_team};
use crate::support::{Client, TestServer};

const FORBIDDEN: &str = "api.context.permissions.app_error";

#[actix_web::test]
async fn limits_have_counts_for_administrators_only() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    let bert = server.user(&admin, "bert").await;
    server.client().get("/limits/server").await.expect_refusal(401, "api.context.session_expired.app_error");
    let expected = |count: i64| {
        json!({ "maxUsersLimit": 200, "maxUsersHardLimit": 250, "activeUserCount": count, "singleChannelGuestCount": 0,
            "singleChannelGuestLimit": 0, "postHistoryLimit": 0, "lastAccessiblePostTime": 0 })
    };
    assert_eq!(admin.get("/limits/server").await.expect(200), expected(2));
    assert_eq!(bert.get("/limits/server").await.expect(200), expected(0));
    admin.put(&format!("/users/{}/active", bert.user_id), json!({ "active": false })).await.expect_ok();
    assert_eq!(admin.get("/limits/server").await.expect(200), expected(1));
}

#[actix_web::test]
async fn there_are_no_plugins() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    let bert = server.user(&admin, "bert").await;
    assert_eq!(admin.get("/plugins").await.text(), r#"{"active":[],"inactive":[]}"#);
    assert_eq!(admin.get("/plugins/statuses").await.text(), "[]");
    assert_eq!(bert.get("/plugins/webapp").await.text(), "[]");
    assert_eq!(server.client().get("/plugins/webapp").await.text(), "[]");
    for path in ["/plugins", "/plugins/statuses"] {
        bert.get(path).await.expect_refusal(403, FORBIDDEN);
    }
    admin.put("/config/patch", json!({ "PluginSettings": { "Enable": false } })).await.expect(200);
    for path in ["/plugins", "/plugins/statuses", "/plugins/webapp"] {
        admin.get(path).await.expect_refusal(501, "app.plugin.disabled.app_error");
    }
}

#[actix_web::test]
async fn bots_are_listed_for_those_who_may_read_them() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    let bert = server.user(&admin, "bert").await;
    assert_eq!(admin.get("/bots").await.text(), "[]");
    bert.get("/bots").await.expect_refusal(403, FORBIDDEN);
    admin.post("/notifications/test", json!({})).await.expect(200);
    let bots = admin.get("/bots?include_deleted=false&only_orphaned=false").await.expect(200);
    assert_eq!((&bots[0]["username"], &bots[0]["owner_id"]), (&json!("system-bot"), &json!(admin.user_id)));
    assert_eq!(admin.get("/bots?only_orphaned=true").await.text(), "[]");
    assert_eq!(admin.get("/bots?page=1").await.text(), "[]");
}

#[actix_web::test]
async fn there_are_no_jobs_and_each_type_has_its_permission() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    let bert = server.user(&admin, "bert").await;
    for path in ["/jobs", "/jobs?job_type=ldap_sync&status=success", "/jobs/type/data_retention?page=0&per_page=10"] {
        assert_eq!(admin.get(path).await.text(), "[]", "{path}");
        bert.get(path).await.expect_refusal(403, FORBIDDEN);
    }
    admin.get("/jobs/type/nonsense").await.expect_refusal(400, "api.job.retrieve.nopermissions");
    admin.get("/jobs?job_type=nonsense").await.expect_refusal(400, "api.job.retrieve.nopermissions");
    admin.get("/jobs?status=nonsense").await.expect_refusal(400, "api.job.status.invalid");
    let long = format!("/jobs/type/{}", "x".repeat(33));
    admin.get(&long).await.expect_refusal(400, "api.context.invalid_url_param.app_error");
}

/// The tables are those of Mattermost, which this server does not make.
#[actix_web::test]
async fn jobs_and_schemes_that_mattermost_left_are_listed() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    server
        .execute(
            "CREATE TABLE jobs (id text, type text, priority bigint, createat bigint, startat bigint, \
             lastactivityat bigint, status text, progress bigint, data jsonb)",
        )
        .await;
    server
        .execute("INSERT INTO jobs VALUES ('a', 'ldap_sync', 1, 2, 3, 4, 'success', 100, '{\"key\": \"value\"}')")
        .await;
    let job = json!([{
        "id": "a", "type": "ldap_sync", "priority": 1, "create_at": 2, "start_at": 3, "last_activity_at": 4,
        "status": "success", "progress": 100, "data": { "key": "value" },
    }]);
    for path in ["/jobs", "/jobs/type/ldap_sync", "/jobs?job_type=ldap_sync&status=success"] {
        assert_eq!(admin.get(path).await.expect(200), job, "{path}");
    }
    assert_eq!(admin.get("/jobs/type/data_retention").await.text(), "[]");

    let roles = [
        "default_team_admin_role",
        "default_team_user_role",
        "default_channel_admin_role",
        "default_channel_user_role",
        "default_team_guest_role",
        "default_channel_guest_role",
        "default_playbook_admin_role",
        "default_playbook_member_role",
        "default_run_admin_role",
        "default_run_member_role",
    ];
    let columns = roles.map(|role| format!("{} text", role.replace('_', ""))).join(", ");
    let times = "createat bigint, updateat bigint, deleteat bigint";
    let table = format!("id text, name text, displayname text, description text, {times}, scope text, {columns}");
    server.execute(&format!("CREATE TABLE schemes ({table})")).await;
    let values = roles.map(|role| format!("'{role}'")).join(", ");
    server.execute(&format!("INSERT INTO schemes VALUES ('s', 'n', 'd', 't', 1, 2, 0, 'team', {values})")).await;
    let mut scheme = json!({
        "id": "s", "name": "n", "display_name": "d", "description": "t", "create_at": 1, "update_at": 2,
        "delete_at": 0, "scope": "team",
    });
    for role in roles {
        scheme[role] = json!(role);
    }
    for path in ["/schemes", "/schemes?scope=team"] {
        assert_eq!(admin.get(path).await.expect(200), json!([scheme]), "{path}");
    }
    assert_eq!(admin.get("/schemes?scope=channel").await.text(), "[]");
}

#[actix_web::test]
async fn schemes_and_channels_are_listed_for_administrators() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    let bert = server.user(&admin, "bert").await;
    assert_eq!(admin.get("/schemes?scope=team&page=0&per_page=30").await.text(), "[]");
    admin.get("/schemes?scope=run").await.expect_refusal(400, "api.context.invalid_body_param.app_error");
    for path in ["/schemes", "/channels"] {
        bert.get(path).await.expect_refusal(403, FORBIDDEN);
    }
    let path = "/channels?page=0&per_page=10&include_total_count=true&include_deleted=true";
    assert_eq!(admin.get(path).await.text(), r#"{"channels":[],"total_count":0}"#);
    let team = admin.found(open_team("crew")).await;
    let found = admin.get(path).await.expect(200);
    assert_eq!(found["total_count"], 2);
    let first = &found["channels"][0];
    assert_eq!((&first["name"], &first["type"], &first["team_id"]), (&json!("off-topic"), &json!("O"), &json!(team)));
    assert_eq!(first["team_name"], "crew");
    assert_eq!(admin.get("/channels").await.expect(200).as_array().unwrap().len(), 2);
}

#[actix_web::test]
async fn filters_of_teams_and_channels_are_applied_or_refused() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    let manager = server.staff(&admin, "mia", "system_user_manager").await;
    admin.found(open_team("crew")).await;
    let none = json!({ "channels": [], "total_count": 0 });
    for narrowed in ["exclude_default_channels=true", "access_control_policy_enforced=1"] {
        assert_eq!(admin.get(&format!("/channels?include_total_count=true&{narrowed}")).await.expect(200), none);
    }
    let group = "/channels?not_associated_to_group=";
    admin.get(&format!("{group}x")).await.expect_refusal(400, "api.context.invalid_url_param.app_error");
    for path in [group, "/channels?exclude_default_channels=false"] {
        assert_eq!(admin.get(path).await.expect(200).as_array().unwrap().len(), 2, "{path}");
    }
    for (path, count) in [("/channels", 2), ("/teams", 1)] {
        let by_policy = |flag: &str| format!("{path}?exclude_policy_constrained={flag}");
        assert_eq!(admin.get(&by_policy("true")).await.expect(200).as_array().unwrap().len(), count, "{path}");
        manager.get(&by_policy("true")).await.expect_refusal(403, FORBIDDEN);
        manager.get(&by_policy("false")).await.expect(200);
    }
}

#[actix_web::test]
async fn the_size_of_a_team_is_for_those_who_see_it() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    let bert = server.user(&admin, "bert").await;
    let team = admin.found(closed_team("crew")).await;
    let path = format!("/teams/{team}/stats");
    bert.get(&path).await.expect_refusal(403, FORBIDDEN);
    bert.get("/teams/short/stats").await.expect_refusal(400, "api.context.invalid_url_param.app_error");
    admin.post(&format!("/teams/{team}/members"), newcomer(&team, &bert)).await.expect(201);
    let expected = |active: i64| json!({ "team_id": team, "total_member_count": 2, "active_member_count": active });
    assert_eq!(bert.get(&path).await.expect(200), expected(2));
    admin.put(&format!("/users/{}/active", bert.user_id), json!({ "active": false })).await.expect_ok();
    assert_eq!(admin.get(&path).await.expect(200), expected(1));
}

#[actix_web::test]
async fn memberships_are_looked_up_by_users() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    let bert = server.user(&admin, "bert").await;
    let team = admin.found(closed_team("crew")).await;
    let path = format!("/teams/{team}/members/ids");
    let ids = json!([bert.user_id, admin.user_id, "unknown"]);
    bert.post(&path, ids.clone()).await.expect_refusal(403, FORBIDDEN);
    let found = admin.post(&path, ids).await.expect(200);
    assert_eq!(found.as_array().unwrap().len(), 1);
    assert_eq!(found[0]["user_id"], admin.user_id);
    let invalid = "api.context.invalid_body_param.app_error";
    admin.post(&path, json!([])).await.expect_refusal(400, invalid);
    admin.post(&path, json!(vec!["x"; 1001])).await.expect_refusal(400, invalid);
}

#[actix_web::test]
async fn several_users_are_added_to_a_team_at_once() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    let bert = server.user(&admin, "bert").await;
    let carl = server.user(&admin, "carl").await;
    let team = admin.found(closed_team("crew")).await;
    let path = format!("/teams/{team}/members/batch");
    let both = json!([newcomer(&team, &bert), newcomer(&team, &carl), newcomer(&team, &bert)]);
    bert.post(&path, both.clone()).await.expect_refusal(403, FORBIDDEN);
    let added = admin.post(&path, both).await.expect(201);
    let names: Vec<&Value> = added.as_array().unwrap().iter().map(|member| &member["user_id"]).collect();
    assert_eq!(names, [&json!(bert.user_id), &json!(carl.user_id)], "once each");
    let nobody = json!({ "team_id": team, "user_id": "x".repeat(26) });
    let mixed = json!([nobody, newcomer(&team, &bert)]);
    admin.post(&path, mixed.clone()).await.expect_refusal(404, "app.user.missing_account.const");
    let outcomes = admin.post(&format!("{path}?graceful=true"), mixed).await.expect(201);
    assert_eq!(
        (&outcomes[0]["member"], &outcomes[0]["error"]["id"]),
        (&Value::Null, &json!("app.user.missing_account.const"))
    );
    assert_eq!((&outcomes[1]["member"]["user_id"], &outcomes[1]["error"]), (&json!(bert.user_id), &Value::Null));
    let invalid = "api.context.invalid_body_param.app_error";
    admin.post(&path, json!([])).await.expect_refusal(400, invalid);
    admin.post(&path, json!(vec![newcomer(&team, &bert); 257])).await.expect_refusal(400, invalid);
    admin.post(&path, json!([newcomer(&"x".repeat(26), &bert)])).await.expect_refusal(400, invalid);
    admin.post(&path, json!([{ "team_id": team, "user_id": "short" }])).await.expect_refusal(400, invalid);
}

/// Each route of a feature that this server does not have: the refusal for an administrator, and for a user.
#[actix_web::test]
async fn features_that_are_absent_are_refused_as_without_a_licence() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    let bert = server.user(&admin, "bert").await;
    let (id, me) = ("x".repeat(26), "me".to_owned());
    let (groups, directory) = ((501, "api.license_error"), (501, "api.ldap_groups.license_error"));
    let attributes = (403, "api.custom_profile_attributes.license_error");
    let retention = (501, "ent.data_retention.generic.license.error");
    let terms = (404, "app.terms_of_service.get.no_rows.app_error");
    let no_terms = (400, "api.create_terms_of_service.custom_terms_of_service_disabled.app_error");
    let forbidden = (403, FORBIDDEN);
    let policies = "/data_retention/policies";
    let rows = [
        ("GET", "/groups".to_owned(), groups, groups),
        ("GET", format!("/teams/{id}/groups?page=0&per_page=60&q=&include_member_count=true"), groups, groups),
        ("GET", format!("/teams/{id}/groups_by_channels"), groups, groups),
        ("GET", format!("/channels/{id}/groups"), groups, groups),
        ("GET", "/ldap/groups".to_owned(), directory, forbidden),
        ("GET", "/custom_profile_attributes/fields".to_owned(), attributes, attributes),
        ("POST", "/custom_profile_attributes/fields".to_owned(), attributes, attributes),
        ("DELETE", format!("/custom_profile_attributes/fields/{id}"), attributes, attributes),
        ("PATCH", format!("/custom_profile_attributes/fields/{id}"), attributes, attributes),
        ("PATCH", "/custom_profile_attributes/values".to_owned(), attributes, attributes),
        ("PATCH", format!("/users/{me}/custom_profile_attributes"), attributes, attributes),
        ("GET", "/custom_profile_attributes/group".to_owned(), attributes, attributes),
        ("GET", format!("/users/{me}/custom_profile_attributes"), attributes, attributes),
        ("GET", "/data_retention/policy".to_owned(), retention, retention),
        ("GET", "/data_retention/policies_count".to_owned(), retention, forbidden),
        ("GET", policies.to_owned(), retention, forbidden),
        ("POST", policies.to_owned(), retention, forbidden),
        ("GET", format!("{policies}/{id}"), retention, forbidden),
        ("PATCH", format!("{policies}/{id}"), retention, forbidden),
        ("DELETE", format!("{policies}/short"), retention, forbidden),
        ("GET", format!("{policies}/{id}/teams"), retention, forbidden),
        ("POST", format!("{policies}/{id}/teams"), retention, forbidden),
        ("DELETE", format!("{policies}/{id}/teams"), retention, forbidden),
        ("GET", format!("{policies}/{id}/channels"), retention, forbidden),
        ("POST", format!("{policies}/{id}/channels"), retention, forbidden),
        ("DELETE", format!("{policies}/{id}/channels"), retention, forbidden),
        ("GET", format!("/users/{me}/data_retention/team_policies"), retention, retention),
        ("GET", format!("/users/{me}/data_retention/channel_policies"), retention, retention),
        ("GET", format!("/users/{}/data_retention/team_policies", admin.user_id), retention, forbidden),
        ("GET", "/terms_of_service".to_owned(), terms, terms),
        ("POST", "/terms_of_service".to_owned(), no_terms, forbidden),
    ];
    for (method, path, for_admin, for_user) in rows {
        for (client, (status, id)) in [(&admin, for_admin), (&bert, for_user)] {
            refused(client, method, &path).await.expect_refusal(status, id);
        }
        let anonymous = refused(&server.client(), method, &path).await;
        anonymous.expect_refusal(401, "api.context.session_expired.app_error");
    }
}

async fn refused(client: &Client, method: &str, path: &str) -> crate::support::client::Reply {
    let body = (method != "GET").then(|| "{}".to_owned());
    client.send(method.parse::<Method>().unwrap(), path, body, &[]).await
}
