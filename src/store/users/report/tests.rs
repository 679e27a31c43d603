use super::*;
use crate::store::testing::{add, execute, fresh};

const ALL_TIME: (i64, i64) = (0, i64::MAX);

fn people() -> ReportFilter {
    ReportFilter { accounts: Filter { leaves_bots_out: true, ..Filter::default() }, ..ReportFilter::default() }
}

fn page(order: &str, limit: i64) -> ReportPage {
    let order = ReportOrder::named(order).unwrap();
    ReportPage { order, is_descending: false, cursor: None, is_backward: false, limit, posts: ALL_TIME }
}

async fn names(db: &Db, filter: &ReportFilter, page: &ReportPage) -> Vec<String> {
    db.user_report(filter, page).await.unwrap().into_iter().map(|row| row.user.username).collect()
}

/// Adds accounts whose names are their ids; three of them have the same nickname, and two have none.
async fn five(db: &Db) {
    for name in ["a", "b", "c", "d", "e"] {
        add(db, name).await;
    }
    execute(db, "UPDATE users SET nickname = 'same' WHERE id IN ('b', 'c', 'd')").await;
    execute(db, "UPDATE users SET createat = CASE id WHEN 'a' THEN 30 WHEN 'b' THEN 9 ELSE 100 END").await;
}

#[actix_web::test]
async fn pages_follow_one_another_in_both_directions_also_between_equal_values() {
    let (_folder, db) = fresh().await;
    five(&db).await;
    for (order, is_descending, expected) in [
        ("Username", false, "abcde"),
        ("Username", true, "edcba"),
        ("Nickname", false, "aebcd"),
        ("Nickname", true, "dcbea"),
        ("CreateAt", false, "bacde"),
        ("CreateAt", true, "edcab"),
        ("Email", false, "abcde"),
        ("Roles", true, "edcba"),
    ] {
        let walked = walk(&db, order, is_descending).await;
        let case = format!("{order}, descending: {is_descending}, {walked:?}");
        assert_eq!(walked.concat(), expected, "{case}");
        // Each earlier page is the one before the first account of a page, in the order of the report.
        for pair in walked.windows(2) {
            let [before, after] = pair else { unreachable!() };
            let first = after.chars().next().unwrap().to_string();
            let back = ReportPage { is_backward: true, ..at(&db, order, is_descending, &first).await };
            assert_eq!(names(&db, &people(), &back).await.concat(), *before, "{case}");
        }
    }
}

/// Returns all pages of two accounts, as texts of their names.
async fn walk(db: &Db, order: &str, is_descending: bool) -> Vec<String> {
    let mut next = ReportPage { is_descending, ..page(order, 2) };
    let mut pages = Vec::new();
    for _ in 0..10 {
        let found = names(db, &people(), &next).await;
        let Some(last) = found.last() else { return pages };
        next = at(db, order, is_descending, last).await;
        pages.push(found.concat());
    }
    panic!("the pages have no end: {pages:?}");
}

/// Returns the page of two accounts after the one with this name.
async fn at(db: &Db, order: &str, is_descending: bool, name: &str) -> ReportPage {
    let user = db.user(name).await.unwrap().unwrap();
    let value = match order {
        "CreateAt" => user.create_at.to_string(),
        "Nickname" => user.nickname,
        "Email" => user.email,
        "Roles" => user.roles,
        _ => user.username,
    };
    let cursor = Cursor::at(ReportOrder::named(order).unwrap(), &value, name);
    ReportPage { is_descending, cursor, ..page(order, 2) }
}

#[actix_web::test]
async fn orders_are_those_of_the_api_and_a_time_is_a_number() {
    assert!(ReportOrder::named("Password").is_none() && ReportOrder::named("username").is_none());
    let time = ReportOrder::named("CreateAt").unwrap();
    assert!(Cursor::at(time, "yesterday", "x").is_none() && Cursor::at(time, "7", "x").is_some());
}

#[actix_web::test]
async fn accounts_are_filtered_and_counted_alike() {
    let (_folder, db) = fresh().await;
    five(&db).await;
    db.add_bot(&crate::store::testing::person("robot")).await.unwrap();
    execute(&db, "UPDATE users SET deleteat = 5 WHERE id = 'e'").await;
    execute(&db, "UPDATE users SET roles = 'system_guest' WHERE id IN ('c', 'd')").await;
    execute(&db, "INSERT INTO channels (id, name, teamid, type, deleteat) VALUES ('1', '1', 't', 'O', 0), ('2', '2', 't', 'P', 0), ('3', '3', '', 'D', 0), ('4', '4', 't', 'O', 9)").await;
    execute(&db, "INSERT INTO channelmembers (channelid, userid) VALUES ('1', 'c'), ('3', 'c'), ('4', 'c'), ('1', 'd'), ('2', 'd')").await;
    execute(&db, "INSERT INTO teammembers (teamid, userid, deleteat) VALUES ('t', 'a', 0), ('t', 'b', 8)").await;
    let accounts =
        |accounts: Filter| ReportFilter { accounts: Filter { leaves_bots_out: true, ..accounts }, ..people() };
    let cases = [
        ("all people", people(), "abcde"),
        ("active", accounts(Filter { is_active: Some(true), ..Filter::default() }), "abcd"),
        ("inactive", accounts(Filter { is_active: Some(false), ..Filter::default() }), "e"),
        ("of the team", accounts(Filter { in_team: Some("t".to_owned()), ..Filter::default() }), "a"),
        ("of no team", accounts(Filter { is_without_team: true, ..Filter::default() }), "bcde"),
        ("a role", accounts(Filter { role: Some("system_admin".to_owned()), ..Filter::default() }), "a"),
        ("an id", ReportFilter { id: Some("b".to_owned()), ..people() }, "b"),
        ("guests", ReportFilter { guests: Some(Guests::All), ..people() }, "cd"),
        ("guests in one channel", ReportFilter { guests: Some(Guests::InOneChannel), ..people() }, "c"),
        ("guests in several", ReportFilter { guests: Some(Guests::InSeveralChannels), ..people() }, "d"),
    ];
    for (case, filter, expected) in cases {
        assert_eq!(names(&db, &filter, &page("Username", 100)).await.concat(), expected, "{case}");
        assert_eq!(db.count_user_report(&filter).await.unwrap(), i64::try_from(expected.len()).unwrap(), "{case}");
    }
}

#[actix_web::test]
async fn a_row_has_the_figures_of_its_account() {
    let (_folder, db) = fresh().await;
    five(&db).await;
    execute(&db, "UPDATE users SET lastlogin = 77 WHERE id = 'a'").await;
    execute(&db, "INSERT INTO status (userid, status, lastactivityat) VALUES ('a', 'away', 88)").await;
    execute(&db, "INSERT INTO posts (id, userid, channelid, createat) VALUES ('1', 'a', 'x', 5), ('2', 'a', 'x', 6), ('3', 'a', 'x', 90000000), ('4', 'b', 'x', 7)").await;
    let rows = db.user_report(&people(), &page("Username", 100)).await.unwrap();
    let [first, second, third] = rows.first_chunk().unwrap();
    assert_eq!((first.last_login, first.last_status_at, first.channel_count), (77, Some(88), 0));
    assert_eq!(first.posts, Some(PostFigures { total: 3, last_at: 90_000_000, days: 2 }));
    assert_eq!(second.posts, Some(PostFigures { total: 1, last_at: 7, days: 1 }));
    assert_eq!((third.last_login, third.last_status_at, third.posts), (0, None, Some(PostFigures::default())));
    let early = ReportPage { posts: (5, 6), ..page("Username", 1) };
    let rows = db.user_report(&people(), &early).await.unwrap();
    assert_eq!(rows.first().unwrap().posts, Some(PostFigures { total: 1, last_at: 5, days: 1 }));
}

/// Accounts beyond those that a search reads first. All but a few have a frequent name, and the last ones another one.
async fn many(db: &Db) {
    execute(
        db,
        "INSERT INTO users (id, username, email, nickname, firstname, lastname, roles, createat, updateat, deleteat) \
         WITH RECURSIVE n(i) AS (SELECT 1000000 UNION ALL SELECT i + 1 FROM n WHERE i < 1012000) \
         SELECT 'id' || i, 'u' || i, 'u' || (i * 7 % 12001) || '@chat.example', '', CASE WHEN i > 1008000 THEN 'Späte' ELSE '' END, \
         CASE WHEN i % 3000 = 0 THEN 'Rare' ELSE 'Abc' END, 'system_user', i, i, 0 FROM n",
    )
    .await;
}

#[actix_web::test]
async fn frequent_words_are_found_in_every_order_before_and_after_the_comparison() {
    let (_folder, db) = fresh().await;
    many(&db).await;
    let with = |term: &str| ReportFilter {
        accounts: Filter { term: term.to_owned(), leaves_bots_out: true, ..Filter::default() },
        ..people()
    };
    for is_compared in [false, true] {
        if is_compared {
            db.compare_names().await.unwrap();
            assert_eq!(db.few_with("spÄte").await.unwrap(), None, "the word is frequent");
        }
        for order in ["Username", "CreateAt", "Email", "LastName"] {
            for is_descending in [false, true] {
                let case = format!("{order}, descending: {is_descending}, compared: {is_compared}");
                let first = ReportPage { is_descending, ..page(order, 60) };
                let rows = db.user_report(&with("spÄte abc"), &first).await.unwrap();
                assert!(rows.len() == 60 && rows.iter().all(|row| row.user.first_name == "Späte"), "{case}");
                let all = names(&db, &people(), &ReportPage { limit: 20_000, ..first }).await;
                let is_expected = |name: &&String| name.as_str() > "u1008000" && *name != "u1011000";
                let expected: Vec<&String> = all.iter().filter(is_expected).take(60).collect();
                let found: Vec<&String> = rows.iter().map(|row| &row.user.username).collect();
                assert_eq!(found, expected, "{case}");
            }
        }
        let last = ReportPage {
            cursor: Cursor::at(ReportOrder::named("Username").unwrap(), "u1011995", "id1011995"),
            ..page("Username", 10)
        };
        assert_eq!(names(&db, &with("abc"), &last).await.len(), 5, "the end of the report");
        let before = ReportPage { is_backward: true, ..last };
        assert_eq!(names(&db, &with("abc"), &before).await.last().map(String::as_str), Some("u1011994"));
        assert!(names(&db, &with(&format!("abc {}", "x".repeat(2_000))), &page("Username", 10)).await.is_empty());
    }
}

/// A page costs as much with many accounts as with few, because an index has its order.
#[actix_web::test]
async fn each_order_is_read_from_an_index() {
    let (_folder, db) = fresh().await;
    for order in ORDERS {
        let column = order.column;
        let sql = format!(
            "EXPLAIN QUERY PLAN {SELECT} WHERE b.userid IS NULL AND ({column}, u.id) > ('x', 'y') ORDER BY {column}, u.id LIMIT 10"
        );
        let rows = db.read(statement(sql, Vec::new())).await.unwrap();
        let plan: Vec<String> = rows
            .into_iter()
            .map(|mut row| {
                for _ in 0..3 {
                    row.int().unwrap();
                }
                row.text().unwrap()
            })
            .collect();
        assert!(plan.iter().any(|step| step.starts_with("SEARCH u USING INDEX")), "{column}: {plan:?}");
        let is_sorted_afterwards = plan.iter().any(|step| step == "USE TEMP B-TREE FOR ORDER BY");
        assert!(!is_sorted_afterwards, "{column}: {plan:?}");
    }
}
