//! A change that ends sessions deletes them in its own transaction.

use super::bounds::shipped;

/// The calls of `sessions.close`, by file, that are the whole change. Other changes delete the sessions in the store and
/// call `drop_deleted`: a failure after the commit must not refuse what is stored.
const CLOSING: [(&str, usize); 6] = [
    ("src/domain/accounts/device.rs", 1),
    ("src/domain/accounts/ended.rs", 1),
    ("src/domain/accounts/login.rs", 1),
    ("src/domain/session.rs", 1),
    ("src/web/routes/login.rs", 1),
    ("src/web/routes/sessions.rs", 3),
];

#[test]
fn sessions_are_closed_on_their_own_only_where_nothing_else_changes() {
    for (path, text) in shipped() {
        let known = CLOSING.iter().find(|(known, _)| *known == path).map_or(0, |(_, count)| *count);
        assert_eq!(text.matches("sessions.close(").count(), known, "{path}");
    }
}
