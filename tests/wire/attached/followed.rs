//! Teams that are made and changed here are seen by Mattermost: its list of public channels and its history of memberships
//! follow.

use serde_json::{Value, json};

use crate::support::Client;
use crate::support::original::{Original, id_of};
use crate::support::process::Workplace;

const DELETIONS: &str =
    "[ServiceSettings]\nListenAddress = \"127.0.0.1:0\"\nEnableAPITeamDeletion = true\nEnableAPIUserDeletion = true\n";

/// The members that a channel had, with `-` before those who left.
const HISTORY: &str = "SELECT CASE WHEN h.leavetime IS NULL THEN '' ELSE '-' END || rtrim(h.userid, 'y') \
     FROM channelmemberhistory h JOIN channels c ON c.id = h.channelid WHERE c.name = 'off-topic' ORDER BY h.jointime, 1";

async fn created(client: &Client, name: &str) -> Value {
    let team = json!({ "name": name, "display_name": name, "type": "O", "allow_open_invite": true });
    client.post("/teams", team).await.expect(201)
}

#[actix_web::test]
async fn channels_of_new_teams_are_listed_and_joins_and_leaves_are_noted() {
    let Some(original) = Original::start().await else { return };
    for name in ["bert", "carl", "dora"] {
        original.add_person(name, "system_user").await;
    }
    let place = Workplace::new(&format!("{DELETIONS}{}", original.settings_of("qd"))).await;
    let server = place.serve().await;
    let (anna, carl) = (server.client().log_in("anna").await, server.client().log_in("carl").await);
    let team = created(&anna, "crew").await;
    let (crew, invite_id) = (team["id"].as_str().unwrap(), team["invite_id"].as_str().unwrap());
    let listed = "SELECT p.name || ' ' || p.displayname || ' ' || p.deleteat || (p.header || p.purpose) FROM publicchannels p \
                  JOIN channels c ON c.id = p.id AND c.teamid = p.teamid ORDER BY 1";
    assert_eq!(original.texts(listed).await, ["off-topic Off-Topic 0", "town-square Town Square 0"]);
    assert_eq!(original.texts(HISTORY).await, ["anna"]);
    let members = format!("/teams/{crew}/members");
    let newcomer = |name: &str| json!({ "team_id": crew, "user_id": id_of(name) });
    for _ in 0..2 {
        // The second request changes nothing, and so it notes nothing.
        anna.post(&members, newcomer("bert")).await.expect(201);
    }
    carl.post(&format!("/teams/members/invite?invite_id={invite_id}"), json!({})).await.expect(201);
    anna.post(&format!("{members}/batch"), json!([newcomer("dora")])).await.expect(201);
    assert_eq!(original.texts(HISTORY).await, ["anna", "bert", "carl", "dora"]);
    anna.delete(&format!("{members}/{}", id_of("bert"))).await.expect_ok();
    carl.delete(&format!("{members}/{}", id_of("carl"))).await.expect_ok();
    anna.post(&members, newcomer("bert")).await.expect(201);
    assert_eq!(original.texts(HISTORY).await, ["anna", "-bert", "-carl", "dora", "bert"]);
    let reversed = "SELECT userid FROM channelmemberhistory WHERE leavetime < jointime OR jointime < 1600000000000";
    assert!(original.texts(reversed).await.is_empty(), "times of another unit, or a leave before its join");
    anna.delete(&format!("/users/{}?permanent=true", id_of("dora"))).await.expect_ok();
    assert_eq!(original.texts(HISTORY).await, ["anna", "-bert", "-carl", "-dora", "bert"]);
    // A direct channel is no public one.
    anna.post("/notifications/test", json!({})).await.expect_ok();
    let direct =
        "SELECT COUNT(*)::text FROM channelmemberhistory h JOIN channels c ON c.id = h.channelid WHERE c.type = 'D'";
    assert_eq!(original.texts(direct).await, ["2"]);
    assert_eq!(original.texts("SELECT COUNT(*)::text FROM publicchannels").await, ["2"]);
    anna.delete(&format!("/teams/{crew}?permanent=true")).await.expect_ok();
    assert!(original.texts("SELECT id FROM publicchannels").await.is_empty());
    let stays = "SELECT userid FROM channelmemberhistory WHERE leavetime IS NULL AND jointime > 1 GROUP BY 1";
    assert_eq!(original.texts(stays).await.len(), 2, "those of the direct channel");
    assert!(server.stop().await.success());
}

#[actix_web::test]
async fn a_guest_who_becomes_a_member_enters_the_channels_of_the_history_too() {
    let Some(original) = Original::start().await else { return };
    original.add_person("gast", "system_guest").await;
    let settings = format!("{}[GuestAccountsSettings]\nEnable = true\n", original.settings_of("qd"));
    let place = Workplace::new(&settings).await;
    let server = place.serve().await;
    let anna = server.client().log_in("anna").await;
    let team = created(&anna, "crew").await;
    let sql = "INSERT INTO teammembers (teamid, userid, roles, deleteat, schemeuser, schemeadmin, schemeguest) VALUES";
    let (crew, gast) = (team["id"].as_str().unwrap(), id_of("gast"));
    original.execute(&format!("{sql} ('{crew}', '{gast}', '', 0, false, false, true)")).await;
    anna.post(&format!("/users/{gast}/promote"), json!({})).await.expect_ok();
    assert_eq!(original.texts(HISTORY).await, ["anna", "gast"]);
    assert!(server.stop().await.success());
}

#[actix_web::test]
async fn teams_are_made_where_the_tables_belong_to_another_schema_or_role() {
    let Some(original) = Original::start().await else { return };
    original
        .execute(
            "CREATE SCHEMA other; ALTER TABLE publicchannels SET SCHEMA other;
             CREATE ROLE mmuser; CREATE ROLE clerk LOGIN; GRANT ALL ON SCHEMA public TO clerk; GRANT USAGE ON SCHEMA other TO clerk;
             GRANT ALL ON other.publicchannels TO clerk; ALTER ROLE clerk SET search_path = public, other;
             DO $$ DECLARE name text; BEGIN FOR name IN SELECT tablename FROM pg_tables WHERE schemaname = 'public'
                 AND tablename <> 'channelmemberhistory' LOOP
                 EXECUTE format('ALTER TABLE %I OWNER TO clerk', name); END LOOP; END $$;
             GRANT SELECT, INSERT ON channelmemberhistory TO clerk",
        )
        .await;
    let place = Workplace::new(&format!("{DELETIONS}{}", original.settings_of("clerk"))).await;
    let server = place.serve().await;
    let anna = server.client().log_in("anna").await;
    let team = created(&anna, "crew").await;
    anna.delete(&format!("/teams/{}?permanent=true", team["id"].as_str().unwrap())).await.expect_ok();
    for table in ["other.publicchannels", "channelmemberhistory"] {
        assert_eq!(original.texts(&format!("SELECT COUNT(*)::text FROM {table}")).await, ["0"], "{table}");
    }
    assert!(server.stop().await.success());
}
