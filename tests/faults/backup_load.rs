//! A backup during writes: it contains every change that was acknowledged before the time that it prints.

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::rc::Rc;

use serde_json::json;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::support::backdoor::texts_in;
use crate::support::backup::{QUIET, good, inhabited};
use crate::support::process::Workplace;
use crate::support::waiting::until;

const WRITERS: usize = 4;

/// The number of backups, one after the other.
const BACKUPS: usize = 3;

#[actix_web::test]
async fn no_acknowledged_write_is_lost_up_to_the_moment_that_the_command_names() {
    let (place, server, admin) = inhabited(QUIET).await;
    let me = admin.get("/users/me").await.expect(200)["id"].as_str().unwrap().to_owned();
    // The name of each stored preference, with the time of its acknowledgement.
    let acknowledged: Rc<RefCell<Vec<(String, OffsetDateTime)>>> = Rc::default();
    let is_over = Rc::new(Cell::new(false));
    let mut writers = Vec::new();
    for writer in 0..WRITERS {
        let (admin, me, acknowledged) = (admin.clone(), me.clone(), acknowledged.clone());
        let is_over = is_over.clone();
        writers.push(actix_web::rt::spawn(async move {
            for number in 0.. {
                if is_over.get() {
                    break;
                }
                let name = format!("w{writer}n{number}");
                let row = json!([{ "user_id": me, "category": "load", "name": name, "value": "x" }]);
                admin.put("/users/me/preferences", row).await.expect(200);
                acknowledged.borrow_mut().push((name, OffsetDateTime::now_utc()));
            }
        }));
    }
    let mut named = Vec::new();
    for number in 0..BACKUPS {
        let before = acknowledged.borrow().len();
        until("writes go on", async || acknowledged.borrow().len() >= before + 20).await;
        let said = good(place.run(&["backup", &format!("{number}.qdbackup")], "").await);
        let moment =
            said.lines().find_map(|line| line.strip_prefix("it contains every change that was acknowledged before "));
        named.push(OffsetDateTime::parse(moment.unwrap(), &Rfc3339).unwrap());
    }
    let before = acknowledged.borrow().len();
    until("writes go on after the backup", async || acknowledged.borrow().len() > before).await;
    is_over.set(true);
    for writer in writers {
        writer.await.unwrap();
    }
    assert!(server.stop().await.success());
    for (number, moment) in named.into_iter().enumerate() {
        let file = format!("{number}.qdbackup");
        good(place.run(&["backup", "verify", &file], "").await);
        let other = Workplace::new(QUIET).await;
        std::fs::copy(place.path(&file), other.path(&file)).unwrap();
        good(other.run(&["restore", &file], "").await);
        let sql = "SELECT name FROM preferences WHERE category = 'load'";
        let found: BTreeSet<String> = texts_in(&other.path(""), sql).await.into_iter().collect();
        let acknowledged = acknowledged.borrow();
        let due: Vec<&String> = acknowledged.iter().filter(|(_, at)| *at < moment).map(|(name, _)| name).collect();
        assert!(due.len() >= 20 * (number + 1), "{}", due.len());
        let lost: Vec<&&String> = due.iter().filter(|name| !found.contains(**name)).collect();
        assert_eq!(lost, Vec::<&&String>::new());
    }
}
