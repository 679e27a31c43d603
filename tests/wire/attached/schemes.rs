//! Permission schemes of Mattermost: their roles hold for the members of teams and channels.

use serde_json::json;

use crate::support::Client;
use crate::support::original::{Original, id_of};
use crate::support::process::{Process, Workplace};

/// The teams crew and docks with a channel each, and bert in both. The crew has a scheme.
async fn prepared(original: &Original) -> (Workplace, Process) {
    for name in ["bert", "carl", "dora"] {
        original.add_person(name, "system_user").await;
    }
    let [bert, crew, docks, scheme] = ["bert", "crew", "docks", "strict"].map(id_of);
    original
        .execute(&format!(
            "INSERT INTO roles (id, name, displayname, description, createat, updateat, deleteat, permissions, schememanaged, builtin, schemeid)
                 VALUES ('{strict}', 'strict_user', '', '', 1, 1, 0, ' view_team list_team_channels', true, false, '{scheme}'),
                 ('{quiet}', 'quiet', '', '', 1, 1, 0, ' read_channel', true, false, '{scheme}'),
                 ('{gone}', 'gone', '', '', 1, 1, 9, ' add_user_to_team', false, false, NULL),
                 ('{host}', 'host', '', '', 1, 1, 0, ' add_user_to_team', false, false, NULL);
             INSERT INTO schemes (id, name, createat, updateat, deleteat, scope, defaultteamadminrole, defaultteamuserrole,
                 defaultteamguestrole, defaultchanneladminrole, defaultchanneluserrole, defaultchannelguestrole)
                 VALUES ('{scheme}', 'strict', 1, 1, 0, 'team', '', 'strict_user', NULL, '', '', NULL),
                 ('{quiet}', 'quiet', 1, 1, 0, 'channel', '', '', '', '', 'quiet', '');
             INSERT INTO teams (id, createat, updateat, deleteat, displayname, name, type, email, inviteid, allowopeninvite, schemeid)
                 VALUES ('{crew}', 1, 1, 0, 'Crew', 'crew', 'I', '', 'i', false, '{scheme}'),
                 ('{docks}', 1, 1, 0, 'Docks', 'docks', 'I', '', 'j', false, '');
             INSERT INTO teammembers VALUES ('{crew}', '{bert}', '', 0, true, false, false, 1), ('{docks}', '{bert}', '', 0, true, false, false, 1);
             INSERT INTO channels (id, createat, updateat, deleteat, teamid, type, displayname, name)
                 VALUES ('{crew}', 1, 1, 0, '{crew}', 'O', 'Town', 'town-square'), ('{docks}', 1, 1, 0, '{docks}', 'O', 'Town', 'town-square');
             INSERT INTO channelmembers (channelid, userid, notifyprops, schemeuser)
                 VALUES ('{crew}', '{bert}', '{{}}', true), ('{docks}', '{bert}', '{{}}', true)",
            strict = id_of("strictrole"),
            quiet = id_of("quiet"),
            gone = id_of("gone"),
            host = id_of("host"),
        ))
        .await;
    let place = original.workplace().await;
    let server = place.serve().await;
    (place, server)
}

async fn add(client: &Client, team: &str, name: &str, status: u16) {
    let (team, user) = (id_of(team), id_of(name));
    client.post(&format!("/teams/{team}/members"), json!({ "team_id": team, "user_id": user })).await.expect(status);
}

#[actix_web::test]
async fn members_of_a_team_with_a_scheme_have_its_roles_and_no_others() {
    let Some(original) = Original::start().await else { return };
    let (_place, server) = prepared(&original).await;
    let (anna, bert) = (server.client().log_in("anna").await, server.client().log_in("bert").await);
    add(&bert, "docks", "carl", 201).await;
    add(&bert, "crew", "carl", 403).await;
    let crew = id_of("crew");
    bert.get(&format!("/teams/{crew}")).await.expect(200);
    let path = format!("/teams/{crew}/members/{}", id_of("bert"));
    let seen = bert.get(&path).await.expect(200);
    assert_eq!((&seen["roles"], &seen["explicit_roles"]), (&json!("strict_user"), &json!("")));
    let many = json!([{ "team_id": crew, "user_id": id_of("carl") }]);
    bert.post(&format!("/teams/{crew}/members/batch"), many).await.expect(403);
    // The scheme names no role of administrators, so the built-in one stands.
    let roles = |text: &str| json!({ "roles": text });
    let refused = anna.put(&format!("{path}/roles"), roles("team_user")).await;
    refused.expect_refusal(400, "api.channel.update_team_member_roles.scheme_role.app_error");
    anna.put(&format!("{path}/roles"), roles("strict_user team_admin")).await.expect(200);
    assert_eq!(bert.get(&path).await.expect(200)["roles"], "strict_user team_admin");
    let leads = json!({ "scheme_user": true, "scheme_admin": true });
    bert.put(&format!("{path}/schemeRoles"), leads).await.expect(200);
    // A role of its own, and one that was deleted.
    for (role, status) in [("host", 201), ("gone", 403)] {
        let sql =
            format!("UPDATE teammembers SET roles = '{role}', schemeadmin = false WHERE userid = '{}'", id_of("bert"));
        original.execute(&sql).await;
        add(&bert, "crew", "dora", status).await;
    }
    // The scheme goes, and with it its roles.
    original.execute("UPDATE teams SET schemeid = NULL").await;
    add(&bert, "crew", "dora", 201).await;
    assert!(server.stop().await.success());
}

#[actix_web::test]
async fn a_scheme_of_a_channel_takes_the_permission_to_write_from_its_members() {
    let Some(original) = Original::start().await else { return };
    let (_place, server) = prepared(&original).await;
    let bert = server.client().log_in("bert").await;
    let typing = async |status: u16| {
        bert.post("/users/me/typing", json!({ "channel_id": id_of("docks") })).await.expect(status);
    };
    let scheme_of = async |table: &str, scheme: &str| {
        let (docks, scheme) = (id_of("docks"), id_of(scheme));
        original.execute(&format!("UPDATE {table} SET schemeid = '{scheme}' WHERE id = '{docks}'")).await;
    };
    typing(200).await;
    scheme_of("channels", "quiet").await;
    typing(403).await;
    bert.get(&format!("/users?in_channel={}", id_of("docks"))).await.expect(200);
    scheme_of("channels", "absent").await;
    typing(200).await;
    // The scheme of a team names the roles of its channels.
    scheme_of("teams", "strict").await;
    typing(200).await;
    original.execute("UPDATE schemes SET defaultchanneluserrole = 'quiet' WHERE name = 'strict'").await;
    typing(403).await;
    assert!(server.stop().await.success());
}

/// A role that may not read the schemes serves teams as if they had none: the start does not fail for it.
#[actix_web::test]
async fn a_database_without_readable_schemes_has_built_in_roles_only() {
    let Some(original) = Original::start().await else { return };
    original.execute("DROP TABLE schemes; CREATE TABLE schemes (id text)").await;
    original.add_person("bert", "system_user").await;
    let place = original.workplace().await;
    let server = place.serve().await;
    let anna = server.client().log_in("anna").await;
    let team = json!({ "name": "crew", "display_name": "Crew", "type": "O" });
    let team = anna.post("/teams", team).await.expect(201);
    let members = anna.get(&format!("/teams/{}/members", team["id"].as_str().unwrap())).await.expect(200);
    assert_eq!(members[0]["roles"], "team_user team_admin");
    assert!(server.stop().await.success());
}
