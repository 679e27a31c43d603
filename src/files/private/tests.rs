use std::os::unix::fs::symlink;

use super::*;
use crate::files::needs;

fn mode(path: &Path) -> u32 {
    std::fs::symlink_metadata(path).unwrap().mode() & 0o777
}

fn open_up(path: &Path, mode: u32) {
    std::fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

#[test]
fn what_is_made_is_for_its_owner_alone() {
    let place = tempfile::tempdir().unwrap();
    let inner = place.path().join("a/b");
    folder(&inner).unwrap();
    create(&inner.join("new")).unwrap();
    append(&inner.join("log")).unwrap();
    ensure(&inner.join("db")).unwrap();
    for path in ["a", "a/b"] {
        assert_eq!(mode(&place.path().join(path)), 0o700, "{path}");
    }
    for path in ["new", "log", "db"] {
        assert_eq!(mode(&inner.join(path)), 0o600, "{path}");
    }
    assert_eq!(create(&inner.join("new")).unwrap_err().kind(), ErrorKind::AlreadyExists);
}

#[test]
fn a_socket_is_its_owners_alone_from_the_first_moment() {
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("socket");
    let _listener = listen(&path).unwrap();
    assert_eq!(mode(&path), 0o600);
    std::os::unix::net::UnixStream::connect(&path).unwrap();
}

#[test]
fn what_root_makes_belongs_to_the_owner_of_the_folder_it_is_made_in() {
    const NOBODY: u32 = 65_534;
    let Some(()) = needs::root() else { return };
    let place = tempfile::tempdir().unwrap();
    let owned = place.path().join("owned");
    new_folder(&owned).unwrap();
    for (owner, inner) in [(0, "inner"), (NOBODY, "other/inner")] {
        std::os::unix::fs::chown(&owned, Some(owner), Some(owner)).unwrap();
        let inner = owned.join(inner);
        folder(&inner).unwrap();
        create(&inner.join("new")).unwrap();
        create_public(&inner.join("public")).unwrap();
        append(&inner.join("log")).unwrap();
        ensure(&inner.join("db")).unwrap();
        symlink("behind", inner.join("link")).unwrap();
        ensure(&inner.join("link")).unwrap();
        for path in ["", "new", "public", "log", "db", "behind", ".."] {
            let found = std::fs::metadata(inner.join(path)).unwrap();
            assert_eq!((found.uid(), found.gid()), (owner, owner), "{path}");
        }
        // An existing file keeps its owner.
        std::fs::write(inner.join("earlier"), "").unwrap();
        append(&inner.join("earlier")).unwrap();
        ensure(&inner.join("earlier")).unwrap();
        assert_eq!(std::fs::metadata(inner.join("earlier")).unwrap().uid(), 0);
    }
}

#[test]
fn a_folder_that_was_there_keeps_its_mode() {
    let place = tempfile::tempdir().unwrap();
    open_up(place.path(), 0o755);
    folder(&place.path().join("new")).unwrap();
    assert_eq!(mode(place.path()), 0o755);
}

#[test]
fn links_and_pipes_are_refused_in_words_and_nothing_is_written_through_them() {
    let place = tempfile::tempdir().unwrap();
    let (target, link, pipe) = (place.path().join("target"), place.path().join("link"), place.path().join("pipe"));
    std::fs::write(&target, "kept").unwrap();
    open_up(&target, 0o644);
    symlink(&target, &link).unwrap();
    rustix::fs::mknodat(rustix::fs::CWD, &pipe, rustix::fs::FileType::Fifo, 0o644.into(), 0).unwrap();
    assert!(append(&link).unwrap_err().to_string().contains("the path is a symbolic link"));
    assert_eq!(read(&link).unwrap_err().raw_os_error(), Some(rustix::io::Errno::LOOP.raw_os_error()));
    for open in [append, read] {
        assert!(open(&pipe).unwrap_err().to_string().contains("not a regular file"));
    }
    mend(std::slice::from_ref(&link), &[]);
    assert_eq!((mode(&target), std::fs::read_to_string(&target).unwrap()), (0o644, "kept".to_owned()));
}

#[test]
fn of_what_was_made_earlier_files_are_mended_by_name_and_folders_that_hold_nothing_else() {
    let place = tempfile::tempdir().unwrap();
    let path = |name: &str| place.path().join(name);
    for (folder, mode) in [("data", 0o755), ("data/logs", 0o755), ("shared", 0o755), ("group", 0o770)] {
        std::fs::create_dir(path(folder)).unwrap();
        open_up(&path(folder), mode);
    }
    let files = ["data/db", "data/logs/log", "shared/log", "shared/other", "group/log"].map(path);
    for file in &files {
        std::fs::write(file, "").unwrap();
        open_up(file, 0o644);
    }
    let own: Vec<PathBuf> = files.iter().filter(|file| !file.ends_with("other")).cloned().collect();
    mend(&own, &["data", "data/logs", "shared", "group"].map(path));
    for file in &own {
        assert_eq!(mode(file), 0o600, "{}", file.display());
    }
    assert_eq!(mode(&path("shared/other")), 0o644);
    let folders = ["data", "data/logs", "shared", "group"].map(|folder| mode(&path(folder)));
    assert_eq!(folders, [0o700, 0o700, 0o755, 0o770]);
}

#[test]
fn mending_a_database_that_is_in_use_leaves_its_locks_alone() {
    let place = tempfile::tempdir().unwrap();
    let database = place.path().join("test.db");
    let connection = rusqlite::Connection::open(&database).unwrap();
    connection.execute_batch("CREATE TABLE t (n); BEGIN EXCLUSIVE; INSERT INTO t VALUES (1)").unwrap();
    let is_locked = || {
        let locks = std::fs::read_to_string("/proc/locks").unwrap();
        let inode = format!(":{} ", std::fs::metadata(&database).unwrap().ino());
        locks.lines().any(|line| line.contains("POSIX") && line.contains(&inode))
    };
    assert!(is_locked(), "the engine takes its locks in another way: this test proves nothing");
    open_up(&database, 0o644);
    mend(std::slice::from_ref(&database), &[place.path().to_owned()]);
    assert_eq!(mode(&database), 0o600);
    assert!(is_locked(), "the locks are gone");
}

#[test]
fn a_file_that_replaces_another_takes_its_access_over() {
    let place = tempfile::tempdir().unwrap();
    let (before, after) = (place.path().join("before"), place.path().join("after"));
    std::fs::write(&before, "").unwrap();
    open_up(&before, 0o640);
    take_access(&create(&after).unwrap(), &std::fs::metadata(&before).unwrap()).unwrap();
    assert_eq!(mode(&after), 0o640);
}
