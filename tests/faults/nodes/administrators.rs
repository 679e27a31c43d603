//! Two administrators who demote each other at once, each on another server.

use futures_util::future::join;
use serde_json::json;

use super::Pair;
use crate::support::Client;
use crate::support::waiting::until;

/// The number of attempts.
const ATTEMPTS: usize = 12;

#[actix_web::test]
async fn one_of_two_administrators_who_demote_each_other_on_two_servers_stays_one() {
    let Some(pair) = Pair::start().await else { return };
    let bert = pair.one.user(&pair.admin, "bert").await;
    let there = pair.at_other(&bert);
    let roles = |client: &Client| format!("/users/{}/roles", client.user_id);
    let (member, administrator) = (json!({ "roles": "system_user" }), json!({ "roles": "system_user system_admin" }));
    let mut promoted = &bert;
    for _ in 0..ATTEMPTS {
        let other = if promoted.user_id == bert.user_id { &pair.admin } else { &bert };
        other.put(&roles(promoted), administrator.clone()).await.expect_ok();
        for client in [&pair.admin, &there] {
            until("both are administrators", async || client.get("/audits").await.status == 200).await;
        }
        let (path_of_bert, path_of_admin) = (roles(&bert), roles(&pair.admin));
        let demoting = join(pair.admin.put(&path_of_bert, member.clone()), there.put(&path_of_admin, member.clone()));
        let (first, second) = demoting.await;
        let statuses = [first.status, second.status];
        assert!(statuses.contains(&200), "{statuses:?} {} {}", first.text(), second.text());
        let left = "SELECT username FROM users WHERE roles LIKE '%system_admin%'";
        let left = pair.one.texts(left).await;
        assert_eq!(left.len(), 1, "{statuses:?}: {left:?}");
        promoted = if left[0] == "admin" { &bert } else { &pair.admin };
        for base in [&pair.one.base, &pair.other.base] {
            for (client, name) in [(&pair.admin, "admin"), (&bert, "bert")] {
                let expected = if left[0] == name { 200 } else { 403 };
                let agrees = async || client.at(base).get("/audits").await.status == expected;
                until("both servers agree", agrees).await;
            }
        }
    }
}
