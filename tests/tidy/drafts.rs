//! Each change has a record: every write passes the function that stores the draft of the record.

use super::bounds::shipped;

/// The number of statements, by file, that belong to no change in the trail.
const APART: [(&str, usize); 11] = [
    ("src/store/cluster/bus.rs", 2),
    ("src/store/cluster/nodes.rs", 5),
    ("src/store/cluster/questions.rs", 6),
    ("src/store/cluster/redis.rs", 1),
    ("src/store/cluster/restarts.rs", 2),
    ("src/store/cluster/sockets.rs", 2),
    ("src/store/sessions.rs", 2),
    ("src/store/systems.rs", 1),
    ("src/store/unknown_names.rs", 2),
    ("src/store/users/attempts.rs", 4),
    ("src/store/users/codes.rs", 1),
];

#[test]
fn only_one_file_hands_writes_to_the_engines() {
    const WRITES: [&str; 3] = [".run_all(", "sqlite.write(", "postgres.write("];
    for (path, text) in shipped() {
        let is_engine = path.starts_with("src/store/postgres") || path.starts_with("src/store/sqlite");
        let known = if path == "src/store/writing.rs" { 4 } else { 0 };
        let found: usize = WRITES.iter().map(|write| text.matches(write).count()).sum();
        assert!(is_engine || found == known, "{path}: writes go through Db::write or Db::transaction");
    }
}

#[test]
fn what_is_written_apart_from_the_trail_is_no_change() {
    for (path, text) in shipped() {
        let known = APART.iter().find(|(known, _)| *known == path).map_or(0, |(_, count)| *count);
        let found = text.matches("self.write_apart(").count() + text.matches("db.write_apart(").count();
        let is_own = path == "src/store/writing.rs";
        assert!(is_own || found == known, "{path}: a change is written with Db::write, which stores its draft");
    }
}
