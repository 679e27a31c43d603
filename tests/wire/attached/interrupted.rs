//! `quarterdeck detach` that is interrupted: nothing has changed, or the text says what is unknown, and a later run
//! completes it.

use std::time::Duration;

use tokio_postgres::NoTls;

use crate::support::Proxy;
use crate::support::backup::bad;
use crate::support::original::Original;
use crate::support::process::{Workplace, read};
use crate::support::waiting::until;

/// The delay of each message between the command and the database, so that its steps can be met.
const DELAY: Duration = Duration::from_millis(40);

/// Serves the database once, with a record in the trail.
async fn served(original: &Original) -> Workplace {
    let place = original.workplace().await;
    let server = place.serve().await;
    server.client().log_in("anna").await;
    assert!(server.stop().await.success());
    place
}

/// Serves the database once. The messages of later commands take the delay.
async fn slowly(original: &Original) -> (Workplace, Proxy) {
    let place = served(original).await;
    let upstream = format!("127.0.0.1:{}", original.cluster.port);
    let proxy = Proxy::start(&upstream);
    place.configure(&original.settings_of("qd").replace(&upstream, &proxy.address().to_string()));
    proxy.slow(DELAY);
    (place, proxy)
}

fn saved(file: &str) -> [&str; 4] {
    ["detach", "--yes", "--trail", file]
}

async fn completes(place: &Workplace, original: &Original, before: &str) {
    let output = place.run(&saved("again.jsonl"), "").await;
    assert!(output.status.success(), "{output:?}");
    assert_eq!(original.schema().await, before);
    assert!(!read(&place.path("again.jsonl")).is_empty());
}

#[actix_web::test]
async fn a_killed_command_has_changed_nothing_and_a_second_run_completes_it() {
    let Some(original) = Original::start().await else { return };
    let before = original.schema().await;
    let (place, proxy) = slowly(&original).await;
    let attached = original.state().await;
    let mut command = place.begin(&saved("first.jsonl"));
    until("the trail is written", async || place.path("first.jsonl").exists()).await;
    command.kill().await.unwrap();
    let own = "SELECT pid::text FROM pg_stat_activity WHERE application_name LIKE 'quarterdeck%'";
    until("the database ended its sessions", async || original.texts(own).await.is_empty()).await;
    assert_eq!(original.state().await, attached);
    drop(proxy);
    place.configure(&original.settings_of("qd"));
    completes(&place, &original, &before).await;
}

#[actix_web::test]
async fn a_session_that_appears_during_the_export_refuses_it() {
    let Some(original) = Original::start().await else { return };
    let before = original.schema().await;
    let (place, _proxy) = slowly(&original).await;
    let attached = original.state().await;
    let arguments = saved("first.jsonl");
    let command = place.run(&arguments, "");
    let appearing = async {
        until("the trail is written", async || place.path("first.jsonl").exists()).await;
        let (client, work) = tokio_postgres::connect(&original.cluster.address(), NoTls).await.unwrap();
        (client, tokio::spawn(work))
    };
    let (output, (client, work)) = tokio::join!(command, appearing);
    let why = bad(output);
    assert!(
        why.contains("other programs are connected to the database: ") && why.contains("nothing was changed"),
        "{why}"
    );
    assert!(!place.path("first.jsonl").exists(), "the file of a refused command stays");
    assert_eq!(original.state().await, attached);
    drop(client);
    work.await.unwrap().unwrap();
    completes(&place, &original, &before).await;
}

/// The connection ends while the database commits. Here it rolled back, which the command cannot know.
#[actix_web::test]
async fn a_lost_answer_to_the_end_of_the_transaction_is_told_and_the_trail_stays() {
    let Some(original) = Original::start().await else { return };
    let before = original.schema().await;
    let place = served(&original).await;
    let attached = original.schema().await;
    original
        .execute(
            "CREATE FUNCTION hang_up() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
                 PERFORM pg_terminate_backend(pg_backend_pid()); RETURN NULL; END $$;
             CREATE CONSTRAINT TRIGGER hangs_up AFTER DELETE ON systems DEFERRABLE INITIALLY DEFERRED
                 FOR EACH ROW EXECUTE FUNCTION hang_up()",
        )
        .await;
    let why = bad(place.run(&saved("first.jsonl"), "").await);
    for part in [
        "it is unknown if the objects are gone, because the end of the transaction has no answer",
        "look with `quarterdeck detach --dry-run`; the audit trail is in first.jsonl",
    ] {
        assert!(why.contains(part), "{part}: {why}");
    }
    assert!(!why.contains("nothing was changed"), "{why}");
    assert!(!read(&place.path("first.jsonl")).is_empty());
    original.execute("DROP TRIGGER hangs_up ON systems; DROP FUNCTION hang_up").await;
    assert_eq!(original.schema().await, attached);
    completes(&place, &original, &before).await;
}

#[actix_web::test]
async fn a_key_that_is_not_the_one_of_the_trail_is_refused() {
    let Some(original) = Original::start().await else { return };
    let place = served(&original).await;
    let attached = original.state().await;
    std::fs::rename(place.path("audit.key"), place.path("right.key")).unwrap();
    std::fs::write(place.path("wrong.key"), format!("{}\n", "5a".repeat(32))).unwrap();
    std::fs::write(place.path("broken.key"), "no key\n").unwrap();
    for (file, text) in [
        ("wrong.key", "the audit trail cannot be verified here: key "),
        ("broken.key", "broken.key: the file must contain one key of 64 hexadecimal digits per line"),
        ("absent.key", "absent.key: "),
    ] {
        let why = bad(place.run(&[&saved("trail.jsonl")[..], &["--key-file", file]].concat(), "").await);
        assert!(why.contains(text) && why.contains("nothing was changed"), "{file}: {why}");
        assert!(!place.path("trail.jsonl").exists());
    }
    assert_eq!(original.state().await, attached, "a refused command changed something");
    let right = [&saved("trail.jsonl")[..], &["--key-file", "right.key"]].concat();
    assert!(place.run(&right, "").await.status.success());
}
