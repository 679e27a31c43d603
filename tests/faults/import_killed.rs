//! `kill -9` during `quarterdeck import`: the target has all rows or those of before, and a repeated import completes it.

use crate::support::backdoor::texts_in;
use crate::support::backup::{Moment, QUIET, content, good, kill_at, kills, moments, on_sqlite};
use crate::support::database;
use crate::support::mattermost::MattermostDatabase;
use crate::support::process::Workplace;

/// The number of accounts that the killed imports would add.
const ACCOUNTS: usize = 4000;

#[actix_web::test]
async fn a_killed_import_leaves_the_target_as_it_was_or_complete() {
    let Some(base) = database::only_postgres("a Mattermost is on PostgreSQL") else { return };
    let source = MattermostDatabase::inhabited(&base).await;
    for is_embedded in [false, true] {
        let place = Workplace::new(QUIET).await;
        if is_embedded {
            on_sqlite(&place, "test.db");
        }
        let from = source.source();
        let import = ["import", "--from", &from];
        good(place.run(&import, "").await);
        let before = content(&place).await;
        source.populate(ACCOUNTS).await;
        let mut killed_before_the_end = 0;
        for moment in moments(kills(), 0).into_iter().filter(|moment| matches!(moment, Moment::Elapsed(_))) {
            kill_at(&place, &import, moment, |_| None).await;
            let accounts = texts_in(&place.path(""), "SELECT CAST(COUNT(*) AS varchar) FROM users").await;
            if accounts == ["4"] {
                killed_before_the_end += 1;
                assert_eq!(content(&place).await, before);
            } else {
                assert_eq!(accounts, [(ACCOUNTS + 4).to_string()]);
            }
        }
        println!("killed before the end: {killed_before_the_end}");
        let said = good(place.run(&import, "").await);
        let all = format!("{} accounts", ACCOUNTS + 4);
        assert!(said.contains(&all), "{said}");
        let again = good(place.run(&import, "").await);
        assert!(again.ends_with("0 new, 0 changed: nothing was changed\n"), "{again}");
        good(place.run(&["audit", "verify"], "").await);
        source.execute("DELETE FROM users WHERE username LIKE 'crew%'; DELETE FROM teammembers WHERE userid LIKE '000%'; DELETE FROM preferences WHERE userid LIKE '000%'").await;
    }
}
