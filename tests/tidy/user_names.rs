//! A search reads copies of the names in `users`. So each statement that adds, renames or deletes an account stands beside
//! a call that keeps the copies.

use super::bounds::shipped;

/// The columns of `users` that a search reads.
const SEARCHED: [&str; 5] = ["username = ", "nickname = ", "firstname = ", "lastname = ", "email = "];

/// The calls that return the statements for the copies.
const KEEPERS: [&str; 4] = [".storing_names(", "::renaming(", ".removing_names(", ".removing_all_names("];

/// Returns the number of statements that change the names of accounts.
fn writers(text: &str) -> usize {
    let added_or_deleted = text.matches("INTO users ").count() + text.matches("DELETE FROM users ").count();
    let updates = text.split("UPDATE users SET ").skip(1).filter_map(|rest| rest.split("WHERE").next());
    added_or_deleted + updates.filter(|set| SEARCHED.iter().any(|column| set.contains(column))).count()
}

#[test]
fn every_writer_of_names_keeps_the_copies_that_are_searched() {
    let mut found = 0;
    for (path, text) in shipped().into_iter().filter(|(path, _)| !path.starts_with("src/store/user_names")) {
        let keepers: usize = KEEPERS.iter().map(|call| text.matches(call).count()).sum();
        // A file can also run the statements of another one.
        assert!(
            keepers >= writers(&text),
            "{path}: run a statement that adds, renames or deletes accounts in one transaction with the statements of \
             Db::storing_names, Db::renaming or Db::removing_names"
        );
        found += keepers;
    }
    assert!(found >= 4, "the calls have other names now: correct KEEPERS");
}

#[test]
fn a_writer_that_was_planted_is_found() {
    assert_eq!(writers("\"INSERT INTO users (id) VALUES ($1)\""), 1);
    assert_eq!(writers("\"DELETE FROM users WHERE id = $1\""), 1);
    assert_eq!(writers("\"UPDATE users SET updateat = $2, nickname = $3 WHERE id = $1\""), 1);
    assert_eq!(writers("\"UPDATE users SET failedattempts = 0 WHERE email = $1\""), 0);
}
