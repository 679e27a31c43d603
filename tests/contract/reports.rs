//! `/reports/users`, from which the System Console manages accounts.

use quarterdeck_actors::clock::{DAY_MS, wall_ms};
use serde_json::{Value, json};
use time::OffsetDateTime;

use crate::support::server::account;
use crate::support::{Client, TestServer};

const PATH: &str = "/reports/users";

async fn names(client: &Client, query: &str) -> Vec<String> {
    let rows = client.get(&format!("/reports/users?{query}")).await.expect(200);
    rows.as_array().unwrap().iter().map(|row| row["username"].as_str().unwrap().to_owned()).collect()
}

async fn count(client: &Client, query: &str) -> i64 {
    client.get(&format!("/reports/users/count?{query}")).await.expect(200).as_i64().unwrap()
}

#[actix_web::test]
async fn the_report_is_for_callers_who_may_read_accounts() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    let bert = server.user(&admin, "bert").await;
    for path in [PATH, "/reports/users/count"] {
        server.client().get(path).await.expect_refusal(401, "api.context.session_expired.app_error");
        // The permission is checked before the parameters.
        let refused = bert.get(&format!("{path}?team_filter=short")).await;
        refused.expect_refusal(403, "api.context.permissions.app_error");
    }
    server.execute("UPDATE users SET roles = 'system_user system_user_manager' WHERE username = 'bert'").await;
    server.execute("UPDATE sessions SET roles = 'system_user system_user_manager' WHERE userid = (SELECT id FROM users WHERE username = 'bert')").await;
    admin.post("/caches/invalidate", json!({})).await.expect(200);
    let manager = bert.get(PATH).await;
    assert_eq!(manager.status, 403, "this role reads no accounts: {}", manager.text());
    server.execute("UPDATE sessions SET roles = 'system_user system_read_only_admin' WHERE userid = (SELECT id FROM users WHERE username = 'bert')").await;
    admin.post("/caches/invalidate", json!({})).await.expect(200);
    assert_eq!(names(&bert, "").await, ["admin", "bert"]);
    assert_eq!(count(&bert, "").await, 2);
}

#[actix_web::test]
async fn a_row_is_an_account_with_figures() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    let rows = admin.get("/reports/users?page_size=10&from_column_value=&from_id=&direction=next&sort_column=Username&sort_direction=asc&date_range=all_time").await.expect(200);
    let row = &rows[0];
    assert_eq!(
        (&row["id"], &row["username"], &row["email"]),
        (&json!(admin.user_id), &json!("admin"), &json!("admin@chat.example"))
    );
    assert!(row["last_login"].as_i64().unwrap() > 0, "{row}");
    assert!(row["channel_count"].is_i64() && row["days_active"] == 0, "{row}");
    for absent in ["password", "notify_props", "failed_attempts", "total_posts", "last_post_date", "mfa_secret"] {
        assert_eq!(row[absent], Value::Null, "{absent}");
    }
    let found = admin.get("/reports/users?search_term=nobody-at-all").await;
    assert_eq!(found.text(), "[]");
}

#[actix_web::test]
async fn pages_are_walked_forward_and_back() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    for name in ["bert", "carl", "dora"] {
        server.user(&admin, name).await;
    }
    for column in ["CreateAt", "Username", "FirstName", "LastName", "Nickname", "Email", "Roles"] {
        for direction in ["asc", "desc"] {
            let order = format!("sort_column={column}&sort_direction={direction}&page_size=2");
            let rows = admin.get(&format!("/reports/users?{order}")).await.expect(200);
            let [first, second] = [0, 1].map(|at| rows[at].clone());
            let next = format!("{order}&direction=next&{}", place(&second, column));
            let further = admin.get(&format!("/reports/users?{next}")).await.expect(200);
            let mut ids: Vec<&Value> = [&first, &second, &further[0], &further[1]].map(|row| &row["id"]).into();
            ids.sort_by_key(ToString::to_string);
            ids.dedup();
            assert_eq!(ids.len(), 4, "{column} {direction}: all four accounts are on two pages");
            let previous = format!("{order}&direction=prev&{}", place(&further[0], column));
            let back = admin.get(&format!("/reports/users?{previous}")).await.expect(200);
            assert_eq!(back, json!([first, second]), "{column} {direction}");
        }
    }
    // Without an account there is no page before it.
    assert_eq!(names(&admin, "page_size=2&direction=prev").await, ["admin", "bert"]);
    assert_eq!(names(&admin, "page_size=2&from_id=x").await, ["admin", "bert"]);
    assert_eq!(names(&admin, "page_size=2&from_column_value=bert").await, ["admin", "bert"]);
    // Only these words have a meaning.
    assert_eq!(names(&admin, "page_size=2&sort_direction=DESC&direction=up&date_range=x").await, ["admin", "bert"]);
}

/// Returns the query for the place of an account in the order.
fn place(row: &Value, column: &str) -> String {
    let member = match column {
        "CreateAt" => "create_at",
        "Username" => "username",
        "FirstName" => "first_name",
        "LastName" => "last_name",
        "Nickname" => "nickname",
        "Email" => "email",
        _ => "roles",
    };
    let value = row[member].as_str().map_or_else(|| row[member].to_string(), str::to_owned);
    format!(
        "from_id={}&from_column_value={}",
        row["id"].as_str().unwrap(),
        value.replace(' ', "%20").replace('@', "%40")
    )
}

#[actix_web::test]
async fn each_filter_selects_and_counts() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    let bert = server.user(&admin, "bert").await;
    let carl = server.user(&admin, "carl").await;
    let team = admin.found(crate::support::teams::open_team("crew")).await;
    admin.put(&format!("/users/{}/active", carl.user_id), json!({ "active": false })).await.expect_ok();
    for (query, expected) in [
        (String::new(), vec!["admin", "bert", "carl"]),
        ("search_term=ber".to_owned(), vec!["bert"]),
        (format!("search_term={}", bert.user_id), vec!["bert"]),
        ("role_filter=system_admin".to_owned(), vec!["admin"]),
        (format!("team_filter={team}"), vec!["admin"]),
        ("has_no_team=true".to_owned(), vec!["bert", "carl"]),
        (format!("has_no_team=true&team_filter={team}"), vec!["bert", "carl"]),
        ("hide_active=true".to_owned(), vec!["carl"]),
        ("hide_inactive=true".to_owned(), vec!["admin", "bert"]),
        ("guest_filter=all&role_filter=system_admin".to_owned(), vec![]),
    ] {
        assert_eq!(names(&admin, &query).await, expected, "{query}");
        assert_eq!(count(&admin, &query).await, i64::try_from(expected.len()).unwrap(), "{query}");
    }
    let ignored =
        "page_size=0&sort_column=x&sort_direction=desc&direction=prev&from_id=a&from_column_value=b&date_range=c";
    assert_eq!(count(&admin, ignored).await, 3);
}

/// Accounts without a session, so that only rows of the test say what they did.
#[actix_web::test]
async fn guests_and_figures_are_those_of_stored_rows() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    let mut ids = Vec::new();
    for name in ["bert", "carl", "dora"] {
        let made = admin.post("/users", account(name)).await.expect(201);
        ids.push(made["id"].as_str().unwrap().to_owned());
    }
    let [bert, carl, _] = ids.as_slice() else { panic!("{ids:?}") };
    server.execute("UPDATE users SET roles = 'system_guest' WHERE username <> 'admin'").await;
    // Direct and archived channels do not count.
    server
        .execute(
            "INSERT INTO channels (id, name, teamid, type, deleteat) VALUES ('one', 'one', 't', 'O', 0), \
             ('two', 'two', 't', 'P', 0), ('gone', 'gone', 't', 'O', 9), ('direct', 'direct', '', 'D', 0)",
        )
        .await;
    let member = |channel: &str, user: &str| format!("('{channel}', '{user}', '')");
    let [of_bert, of_carl] = [&["one", "gone", "direct"][..], &["one", "two", "direct"]];
    let members = of_bert.iter().map(|channel| member(channel, bert));
    let members: Vec<String> = members.chain(of_carl.iter().map(|channel| member(channel, carl))).collect();
    let members = members.join(", ");
    server.execute(&format!("INSERT INTO channelmembers (channelid, userid, roles) VALUES {members}")).await;
    for (filter, expected) in
        [("all", &["bert", "carl", "dora"][..]), ("single_channel", &["bert"]), ("multi_channel", &["carl"])]
    {
        let query = format!("guest_filter={filter}");
        assert_eq!(names(&admin, &query).await, expected, "{filter}");
        assert_eq!(count(&admin, &query).await, i64::try_from(expected.len()).unwrap(), "{filter}");
    }

    let today = wall_ms() / DAY_MS * DAY_MS;
    let newest = today - DAY_MS + 6;
    let month = OffsetDateTime::from_unix_timestamp(today / 1_000).unwrap().replace_day(1).unwrap();
    let of_last_month = (month.unix_timestamp() * 1_000) - 1;
    let posts = [
        ("1", bert, newest),
        ("2", bert, newest - 1),
        ("3", bert, today - 100 * DAY_MS),
        ("4", bert, today - 400 * DAY_MS),
        ("5", carl, of_last_month),
    ];
    let posts = posts.map(|(id, author, at)| format!("('{id}', '{author}', 'one', {at})")).join(", ");
    server.execute(&format!("INSERT INTO posts (id, userid, channelid, createat) VALUES {posts}")).await;
    let status = format!("INSERT INTO status (userid, status, lastactivityat) VALUES ('{bert}', 'away', 77)");
    server.execute(&status).await;
    let row = async |id: &str, range: &str| {
        let rows = admin.get(&format!("{PATH}?search_term={id}&date_range={range}")).await.expect(200);
        let members = ["channel_count", "last_status_at", "total_posts", "days_active", "last_post_date"];
        members.map(|member| rows[0][member].clone())
    };
    for (range, total, days) in [("last_30_days", 2, 1), ("last_6_months", 3, 2), ("all_time", 4, 3)] {
        let expected = [1, 77, total, days, newest].map(Value::from);
        assert_eq!(row(bert, range).await, expected, "{range}");
    }
    let [channels, status, figures @ ..] = row(carl, "previous_month").await;
    assert_eq!((channels, status), (json!(2), Value::Null));
    assert_eq!(figures, [1, 1, of_last_month].map(Value::from));
}

#[actix_web::test]
async fn a_report_that_cannot_be_made_is_refused() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    for (query, id) in [
        ("page_size=0&team_filter=short", "api.getUsersForReporting.invalid_team_filter"),
        ("hide_active=true&hide_inactive=true", "api.getUsersForReporting.invalid_active_filter"),
        ("guest_filter=some", "model.user_report_options.is_valid.invalid_guest_filter"),
        ("page_size=0&sort_column=Password", "api.getUsersForReporting.invalid_page_size"),
        ("page_size=-1", "api.getUsersForReporting.invalid_page_size"),
        ("page_size=101", "api.getUsersForReporting.invalid_page_size"),
        ("sort_column=Password", "model.user_report_options.is_valid.invalid_sort_column"),
        ("sort_column=username", "model.user_report_options.is_valid.invalid_sort_column"),
        ("sort_column=CreateAt&from_id=x&from_column_value=yesterday", "api.context.invalid_url_param.app_error"),
    ] {
        admin.get(&format!("/reports/users?{query}")).await.expect_refusal(400, id);
    }
    admin
        .get("/reports/users/count?team_filter=short")
        .await
        .expect_refusal(400, "api.getUsersForReporting.invalid_team_filter");
    assert_eq!(names(&admin, "page_size=lots").await, ["admin"]);
    assert_eq!(names(&admin, "page_size=100").await, ["admin"]);
}
