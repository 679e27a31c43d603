//! Deletions for good on a database of Mattermost: rows of tables that only it makes go with the account or the team.

use serde_json::json;
use tokio_postgres::NoTls;

use crate::support::original::{Original, id_of};
use crate::support::process::{Workplace, lines};
use crate::support::socket::Socket;
use crate::support::waiting::until;

const DELETIONS: &str = "[ServiceSettings]\nListenAddress = \"127.0.0.1:0\"\nEnableAPITeamDeletion = true\n\
     EnableAPIUserDeletion = true\nEnableLocalMode = true\nLocalModeSocketLocation = \"qd.socket\"\n";

/// The tables with rows of accounts, teams and messages.
const TABLES: [&str; 20] = [
    "commands",
    "drafts",
    "fileinfo",
    "groupmembers",
    "incomingwebhooks",
    "oauthaccessdata",
    "oauthauthdata",
    "outgoingwebhooks",
    "persistentnotifications",
    "postacknowledgements",
    "postreminders",
    "postspriority",
    "reactions",
    "readreceipts",
    "scheduledposts",
    "sidebarcategories",
    "sidebarchannels",
    "temporaryposts",
    "threadmemberships",
    "threads",
];

/// Adds one row of a user to each table with rows of accounts, and a message with rows in each table of messages. All ids
/// begin with the name. The channel is in the team `crew`.
async fn fill(original: &Original, name: &str) {
    let id = id_of(name);
    original
        .execute(&format!(
            "INSERT INTO posts (id, createat, updateat, deleteat, userid, channelid, message, rootid, hasreactions)
                 VALUES ('{name}-post', 1, 1, 0, '{id}', 'square', 'm', '', false);
             INSERT INTO threads (postid, replycount, lastreplyat, participants) VALUES ('{name}-post', 0, 0, '[\"{id}\"]');
             INSERT INTO threadmemberships (postid, userid) VALUES ('{name}-post', '{id}');
             INSERT INTO postspriority (postid, channelid, priority) VALUES ('{name}-post', 'square', 'urgent');
             INSERT INTO persistentnotifications (postid) VALUES ('{name}-post');
             INSERT INTO postacknowledgements (postid, userid) VALUES ('{name}-post', 'reader');
             INSERT INTO postreminders (postid, userid) VALUES ('{name}-post', 'reader');
             INSERT INTO temporaryposts (postid, type, expireat) VALUES ('{name}-post', '', 1);
             INSERT INTO readreceipts (postid, userid, expireat) VALUES ('{name}-post', 'reader', 1);
             INSERT INTO oauthaccessdata (token, userid) VALUES ('{name}', '{id}');
             INSERT INTO oauthauthdata (code, userid) VALUES ('{name}', '{id}');
             INSERT INTO incomingwebhooks (id, userid, teamid) VALUES ('{name}', '{id}', '{crew}');
             INSERT INTO outgoingwebhooks (id, creatorid, teamid) VALUES ('{name}', '{id}', '{crew}');
             INSERT INTO commands (id, creatorid, teamid) VALUES ('{name}', '{id}', '{crew}');
             INSERT INTO groupmembers (groupid, userid) VALUES ('{name}', '{id}');
             INSERT INTO scheduledposts (id, userid, channelid, scheduledat) VALUES ('{name}', '{id}', 'square', 1);
             INSERT INTO drafts (userid, channelid) VALUES ('{id}', 'square');
             INSERT INTO fileinfo (id, creatorid, path) VALUES ('{name}', '{id}', 'data/users/{id}/file');
             INSERT INTO sidebarcategories (id, userid) VALUES ('{name}', '{id}');
             INSERT INTO sidebarchannels (channelid, userid, categoryid) VALUES ('square', '{id}', '{name}');
             INSERT INTO reactions (userid, postid, emojiname, deleteat) VALUES ('{id}', '{name}-post', 'smile', 0)",
            crew = id_of("crew")
        ))
        .await;
}

/// Adds messages of a user with the mark of reactions.
async fn add_posts(original: &Original, name: &str, number: usize) {
    original
        .execute(&format!(
            "INSERT INTO posts (id, createat, updateat, deleteat, userid, channelid, message, rootid, hasreactions)
                 SELECT '{name}-' || i, 1, 1, 0, '{id}', 'square', 'm', '', true FROM generate_series(1, {number}) AS i",
            id = id_of(name)
        ))
        .await;
}

async fn rows(original: &Original, table: &str) -> Vec<String> {
    original.texts(&format!("SELECT t::text FROM {table} t ORDER BY 1")).await
}

async fn place(original: &Original, role: &str) -> Workplace {
    Workplace::new(&format!("{DELETIONS}{}", original.settings_of(role))).await
}

#[actix_web::test]
async fn all_rows_of_a_deleted_account_go_and_threads_and_reactions_of_others_follow() {
    let Some(original) = Original::start().await else { return };
    original.add_person("bert", "system_user").await;
    for name in ["anna", "bert"] {
        fill(&original, name).await;
    }
    let [anna, bert] = ["anna", "bert"].map(id_of);
    original
        .execute(&format!(
            "INSERT INTO posts (id, createat, updateat, deleteat, userid, channelid, message, rootid, hasreactions) VALUES
                 ('his-answer', 9, 9, 0, '{bert}', 'square', 'm', 'anna-post', true),
                 ('her-answer', 5, 5, 0, '{anna}', 'square', 'm', 'anna-post', true),
                 ('to-his', 5, 5, 0, '{anna}', 'square', 'm', 'bert-post', true);
             UPDATE threads SET replycount = 2, lastreplyat = 9, participants = '[\"{bert}\", \"{anna}\"]'
                 WHERE postid = 'anna-post';
             INSERT INTO threadmemberships (postid, userid) VALUES ('bert-post', '{anna}'), ('anna-post', '{bert}');
             INSERT INTO reactions (userid, postid, emojiname) VALUES ('{bert}', 'anna-post', 'wave'),
                 ('{bert}', 'her-answer', 'wave'), ('{anna}', 'his-answer', 'wave'), ('{anna}', 'to-his', 'wave')"
        ))
        .await;
    let place = place(&original, "qd").await;
    let server = place.serve().await;
    let admin = server.client().log_in("anna").await;
    admin.delete(&format!("/users/{bert}?permanent=true")).await.expect_ok();
    for table in TABLES {
        let left = rows(&original, table).await;
        assert!(left.len() == 1 && !left[0].contains("bert"), "{table}: {left:?}");
    }
    let thread = "SELECT replycount || ' ' || lastreplyat || ' ' || participants::text FROM threads";
    assert_eq!(original.texts(thread).await, [format!("1 5 [\"{anna}\"]")]);
    let posts = "SELECT id || ' ' || hasreactions || ' ' || (updateat > 1000) FROM posts ORDER BY 1";
    assert_eq!(original.texts(posts).await, ["anna-post true true", "her-answer false true"]);
    assert!(server.stop().await.success());
}

#[actix_web::test]
async fn all_rows_of_accounts_and_messages_go_with_all_accounts() {
    let Some(original) = Original::start().await else { return };
    fill(&original, "anna").await;
    let place = place(&original, "qd").await;
    let server = place.serve().await;
    Socket::new(&place.path("qd.socket")).send("DELETE", "/users", "").await.expect_ok();
    for table in TABLES.into_iter().chain(["posts", "users"]) {
        assert!(rows(&original, table).await.is_empty(), "{table}");
    }
    assert!(server.stop().await.success());
}

#[actix_web::test]
async fn webhooks_commands_and_rows_of_messages_go_with_a_team() {
    let Some(original) = Original::start().await else { return };
    fill(&original, "anna").await;
    let crew = id_of("crew");
    original
        .execute(&format!(
            "INSERT INTO teams (id, createat, updateat, deleteat, name, displayname, type, email, companyname, alloweddomains, inviteid, description, allowopeninvite) VALUES ('{crew}', 1, 1, 0, 'crew', 'Crew', 'O', '', '', '', '', '', false);
             INSERT INTO channels (id, createat, updateat, deleteat, teamid, type, displayname, name, header, purpose) VALUES
                 ('square', 1, 1, 0, '{crew}', 'O', 'Square', 'square', '', '');
             INSERT INTO commands (id, creatorid, teamid) VALUES ('of-another', 'anna', 'rest')"
        ))
        .await;
    let place = place(&original, "qd").await;
    let server = place.serve().await;
    let admin = server.client().log_in("anna").await;
    admin.delete(&format!("/teams/{crew}?permanent=true")).await.expect_ok();
    let of_accounts = [
        "commands",
        "drafts",
        "fileinfo",
        "groupmembers",
        "oauthaccessdata",
        "oauthauthdata",
        "scheduledposts",
        "sidebarcategories",
        "sidebarchannels",
    ];
    for table in TABLES.into_iter().chain(["posts"]) {
        assert_eq!(rows(&original, table).await.len(), usize::from(of_accounts.contains(&table)), "{table}");
    }
    assert!(server.stop().await.success());
}

/// The first portion of the messages would be gone otherwise before the last transaction fails.
#[actix_web::test]
async fn a_role_that_may_not_delete_from_a_table_deletes_nothing_and_the_log_has_the_grant() {
    let Some(original) = Original::start().await else { return };
    original.add_person("bert", "system_user").await;
    fill(&original, "bert").await;
    add_posts(&original, "bert", 1_000).await;
    original
        .execute(
            "CREATE ROLE mmuser; CREATE ROLE clerk LOGIN; GRANT ALL ON SCHEMA public TO clerk;
             DO $$ DECLARE name text; BEGIN FOR name IN SELECT tablename FROM pg_tables WHERE schemaname = 'public'
                 AND tablename NOT IN ('commands', 'reactions') LOOP
                 EXECUTE format('ALTER TABLE %I OWNER TO clerk', name); END LOOP; END $$;
             GRANT SELECT ON commands, reactions TO clerk",
        )
        .await;
    let place = place(&original, "clerk").await;
    let server = place.serve().await;
    let admin = server.client().log_in("anna").await;
    let bert = id_of("bert");
    original.execute("REVOKE DELETE ON preferences FROM clerk").await;
    let refused = admin.delete(&format!("/users/{bert}?permanent=true")).await;
    refused.expect_refusal(500, "app.user.permanent_delete.app_error");
    let grant = "the role may not delete all rows that go with it; nothing was changed: GRANT SELECT, DELETE ON \
         public.preferences TO clerk; GRANT SELECT, UPDATE, DELETE ON public.commands, public.reactions TO clerk;";
    until("the grant is in the log", async || {
        lines(&place.path("stderr")).iter().any(|line| line.to_string().contains(grant))
    })
    .await;
    for table in TABLES {
        assert_eq!(rows(&original, table).await.len(), 1, "{table}");
    }
    assert_eq!(rows(&original, "posts").await.len(), 1_001);
    original.execute("GRANT SELECT, DELETE ON public.preferences TO clerk").await;
    admin.put(&format!("/users/{bert}/active"), json!({ "active": false })).await.expect_ok();
    original.execute("GRANT SELECT, UPDATE, DELETE ON public.commands, public.reactions TO clerk").await;
    admin.delete(&format!("/users/{bert}?permanent=true")).await.expect_ok();
    assert!(rows(&original, "commands").await.is_empty());
    assert!(server.stop().await.success());
}

#[actix_web::test]
async fn many_reactions_of_an_account_go_in_portions_before_it() {
    let Some(original) = Original::start().await else { return };
    original.add_person("bert", "system_user").await;
    add_posts(&original, "anna", 1_500).await;
    let bert = id_of("bert");
    original
        .execute(&format!(
            "INSERT INTO reactions (userid, postid, emojiname) SELECT '{bert}', id, 'wave' FROM posts;
             INSERT INTO reactions (userid, postid, emojiname) VALUES ('another', 'anna-7', 'wave')"
        ))
        .await;
    let place = place(&original, "qd").await;
    let server = place.serve().await;
    original
        .execute(
            "CREATE FUNCTION stops() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'stopped'; END $$;
             CREATE TRIGGER stops BEFORE DELETE ON users FOR EACH ROW EXECUTE FUNCTION stops()",
        )
        .await;
    let admin = server.client().log_in("anna").await;
    let deletion = format!("/users/{bert}?permanent=true");
    admin.delete(&deletion).await.expect_refusal(500, "app.user.permanent_delete.app_error");
    let left = "SELECT COUNT(*)::text FROM reactions";
    assert_eq!(original.texts(left).await, ["501"], "only the last transaction is undone");
    original.execute("DROP TRIGGER stops ON users; DROP FUNCTION stops()").await;
    admin.delete(&deletion).await.expect_ok();
    assert_eq!(original.texts(left).await, ["1"]);
    assert_eq!(original.texts("SELECT id FROM posts WHERE hasreactions").await, ["anna-7"]);
    assert!(server.stop().await.success());
}

/// The lock of all accounts would keep changes of other accounts waiting for each portion.
#[actix_web::test]
async fn a_portion_locks_only_the_account_that_is_deleted() {
    let Some(original) = Original::start().await else { return };
    original.add_person("bert", "system_user").await;
    add_posts(&original, "bert", 1_500).await;
    let place = place(&original, "qd").await;
    let server = place.serve().await;
    let admin = server.client().log_in("anna").await;
    let (other, work) = tokio_postgres::connect(&original.cluster.address(), NoTls).await.unwrap();
    let work = tokio::spawn(work);
    // The portion waits for these rows until its lock timeout.
    other.batch_execute("BEGIN; SELECT id FROM posts FOR UPDATE").await.unwrap();
    let deletion = format!("/users/{}?permanent=true", id_of("bert"));
    let (_, ()) = tokio::join!(
        admin.delete(&deletion),
        until("the portion waits with one lock", async || {
            let locks = "SELECT COUNT(*)::text FROM pg_locks l JOIN pg_stat_activity a USING (pid) \
                 WHERE l.locktype = 'advisory' AND l.granted AND a.wait_event_type = 'Lock' AND a.query LIKE '%posts%'";
            original.texts(locks).await == ["1"]
        })
    );
    other.batch_execute("ROLLBACK").await.unwrap();
    drop(other);
    work.await.unwrap().unwrap();
    admin.delete(&deletion).await.expect_ok();
    assert!(rows(&original, "posts").await.is_empty());
    assert!(server.stop().await.success());
}
