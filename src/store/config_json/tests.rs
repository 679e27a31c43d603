use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;

use quarterdeck_actors::config::Author;
use quarterdeck_actors::config::confirmation::{Confirmation, Stage};
use quarterdeck_actors::id::new_id;
use serde_json::{Value, json};

use super::*;

#[test]
fn the_order_of_versions_survives_a_clock_that_goes_backwards() {
    let place = tempfile::tempdir().unwrap();
    let file = ConfigJson::new(&place.path().join("config.json"));
    for (at, name) in [(2000, "one"), (1000, "two"), (1000, "three")] {
        file.save(&next(&file, at, name)).unwrap();
    }
    let versions = file.versions();
    let names: Vec<&Value> = versions.iter().map(|saved| &saved.config["TeamSettings"]["SiteName"]).collect();
    assert_eq!(names, ["three", "two", "one"]);
    let active: Vec<bool> = versions.iter().map(|saved| saved.record.is_active).collect();
    assert_eq!(active, [true, false, false]);
    let times: Vec<i64> = versions.iter().map(|saved| saved.record.create_at).collect();
    assert_eq!(times, [2002, 2001, 2000]);
}

#[test]
fn a_link_stays_a_link() {
    let place = tempfile::tempdir().unwrap();
    let (link, real) = (place.path().join("config.json"), place.path().join("real.json"));
    std::fs::write(&real, r#"{"TeamSettings":{"SiteName":"before"}}"#).unwrap();
    std::os::unix::fs::symlink(&real, &link).unwrap();
    let file = ConfigJson::new(&link);
    file.save(&next(&file, 1, "after")).unwrap();
    assert!(std::fs::symlink_metadata(&link).unwrap().is_symlink());
    assert!(std::fs::read_to_string(&real).unwrap().contains("after"));
}

#[test]
fn the_file_keeps_the_access_that_its_operator_gave_it() {
    use std::os::unix::fs::PermissionsExt;
    let place = tempfile::tempdir().unwrap();
    let name = place.path().join("config.json");
    std::fs::write(&name, "{}").unwrap();
    std::fs::set_permissions(&name, PermissionsExt::from_mode(0o640)).unwrap();
    if rustix::process::geteuid().is_root() {
        std::os::unix::fs::chown(&name, Some(65_534), Some(65_534)).unwrap();
    }
    let before = std::fs::metadata(&name).unwrap();
    let file = ConfigJson::new(&name);
    file.save(&next(&file, 1, "one")).unwrap();
    let after = std::fs::metadata(&name).unwrap();
    let access = |found: &Metadata| (found.permissions().mode() & 0o777, found.uid(), found.gid());
    assert_eq!(access(&after), access(&before));
    let versions = std::fs::read_dir(place.path().join("config.json.versions")).unwrap();
    assert!(
        versions
            .map(|saved| saved.unwrap().metadata().unwrap())
            .all(|saved| saved.permissions().mode() & 0o777 == 0o600)
    );
}

#[test]
fn what_an_interrupted_write_left_is_swept_away() {
    let place = tempfile::tempdir().unwrap();
    let file = ConfigJson::new(&place.path().join("config.json"));
    let (left, other) = (place.path().join(".config.json.abc.tmp"), place.path().join(".other.tmp"));
    std::fs::write(&left, "half").unwrap();
    std::fs::write(&other, "somebody else's").unwrap();
    file.save(&next(&file, 1, "one")).unwrap();
    assert!(!left.exists() && other.exists());
}

#[test]
fn a_refusal_quotes_nothing_of_the_file() {
    let place = tempfile::tempdir().unwrap();
    let name = place.path().join("config.json");
    std::fs::write(&name, r#""a secret""#).unwrap();
    let refusal = ConfigJson::new(&name).active().unwrap_err().to_string();
    assert!(refusal.contains("the file is not a JSON object") && !refusal.contains("a secret"), "{refusal}");
}

#[test]
fn a_version_that_replaces_another_one_than_the_active_is_refused() {
    let place = tempfile::tempdir().unwrap();
    let file = ConfigJson::new(&place.path().join("config.json"));
    let first = next(&file, 1, "one");
    file.save(&first).unwrap();
    let late = next(&file, 2, "late");
    let second = next(&file, 2, "two");
    file.save(&second).unwrap();
    for refused in [&first, &late] {
        let Err(NotSaved::Conflict { current }) = file.save(refused) else { panic!("no conflict") };
        assert_eq!(current, second.stored.id);
    }
    assert_eq!(file.active().unwrap().unwrap().document, second.stored.document);
    assert_eq!(file.versions().len(), 2);
}

#[test]
fn an_edit_by_hand_is_a_conflict_and_its_content_a_version_of_its_own() {
    let place = tempfile::tempdir().unwrap();
    let name = place.path().join("config.json");
    let file = ConfigJson::new(&name);
    file.save(&next(&file, 1, "one")).unwrap();
    let late = next(&file, 2, "late");
    let edited = std::fs::read_to_string(&name).unwrap().replace("one", "edited");
    std::fs::write(&name, &edited).unwrap();
    assert!(matches!(file.save(&late), Err(NotSaved::Conflict { .. })));
    assert_eq!(std::fs::read_to_string(&name).unwrap(), edited);
    file.save(&next(&file, 3, "three")).unwrap();
    let versions = file.versions();
    let names: Vec<&Value> = versions.iter().map(|saved| &saved.config["TeamSettings"]["SiteName"]).collect();
    assert_eq!(names, ["three", "edited", "one"]);
}

#[test]
fn a_file_that_is_unreadable_or_gone_is_replaced_only_by_who_means_it() {
    let place = tempfile::tempdir().unwrap();
    let name = place.path().join("config.json");
    let file = ConfigJson::new(&name);
    file.save(&next(&file, 1, "one")).unwrap();
    let late = next(&file, 2, "late");
    std::fs::write(&name, "{ half").unwrap();
    assert!(matches!(file.save(&late), Err(NotSaved::Conflict { .. })));
    assert_eq!(std::fs::read_to_string(&name).unwrap(), "{ half");
    file.save(&next(&file, 3, "three")).unwrap();
    let [copy] = &file.files(".unreadable")[..] else { panic!("no copy") };
    assert_eq!(std::fs::read_to_string(copy).unwrap(), "{ half");
    std::fs::remove_file(&name).unwrap();
    assert!(matches!(file.save(&late), Err(NotSaved::Conflict { .. })));
    assert!(!name.exists());
    file.save(&next(&file, 4, "four")).unwrap();
    assert_eq!(file.versions()[0].config["TeamSettings"]["SiteName"], "four");
}

#[test]
fn an_edit_that_an_interrupted_write_put_aside_becomes_a_version() {
    let place = tempfile::tempdir().unwrap();
    let file = ConfigJson::new(&place.path().join("config.json"));
    file.save(&next(&file, 1, "one")).unwrap();
    let left = place.path().join(".config.json.abc.tmp");
    std::fs::write(&left, r#"{"TeamSettings":{"SiteName":"aside"}}"#).unwrap();
    file.save(&next(&file, 2, "two")).unwrap();
    let versions = file.versions();
    let names: Vec<&Value> = versions.iter().map(|saved| &saved.config["TeamSettings"]["SiteName"]).collect();
    assert_eq!(names, ["two", "aside", "one"]);
    assert!(!left.exists());
}

#[test]
fn writers_at_the_same_time_lose_no_version() {
    const WRITERS: usize = 4;
    const VERSIONS_EACH: usize = 4;
    let place = tempfile::tempdir().unwrap();
    let name = place.path().join("config.json");
    std::thread::scope(|scope| {
        for writer in 0..WRITERS {
            let file = ConfigJson::new(&name);
            scope.spawn(move || {
                for number in 0..VERSIONS_EACH {
                    let name = format!("{writer}.{number}");
                    while file.save(&next(&file, 1, &name)).is_err() {}
                }
            });
        }
    });
    let file = ConfigJson::new(&name);
    let versions = file.versions();
    let names: std::collections::BTreeSet<String> =
        versions.iter().map(|saved| saved.config["TeamSettings"]["SiteName"].to_string()).collect();
    assert_eq!(names.len(), WRITERS * VERSIONS_EACH);
}

#[test]
fn a_change_that_waits_for_its_confirmation_is_written_with_its_version_and_ends_with_what_takes_it_back() {
    let place = tempfile::tempdir().unwrap();
    let file = ConfigJson::new(&place.path().join("config.json"));
    file.save(&next(&file, 1, "one")).unwrap();
    let one = file.active_id().unwrap();
    let change = next(&file, 2, "two");
    let waiting = Confirmation {
        version: change.stored.id.clone(),
        replaced: one,
        user_id: "anna".to_owned(),
        within_s: 60,
        until: 60_000,
        stage: Stage::InForce,
        needs_start: false,
    };
    file.save(&Version { confirmation: Some(waiting.clone()), ..change }).unwrap();
    assert_eq!(file.confirmation().unwrap(), Some(waiting.clone()));
    let second = Version { confirmation: Some(waiting.clone()), ..next(&file, 3, "three") };
    assert!(matches!(file.save(&second).unwrap_err(), NotSaved::Unconfirmed));
    // Both versions outlive the pruning of others.
    for at in 10..50 {
        file.save(&next(&file, at, &format!("later {at}"))).unwrap();
    }
    let ids: Vec<String> = file.versions().into_iter().map(|saved| saved.record.id).collect();
    assert!(ids.contains(&waiting.version) && ids.contains(waiting.replaced.as_ref().unwrap()));
    // It was read in one state, and is in another one now.
    let started = Confirmation { stage: Stage::Started, ..waiting.clone() };
    assert!(file.set_confirmation(&waiting, Some(&started)).unwrap());
    let back = |state: &Confirmation| Version { takes_back: Some(state.clone()), ..next(&file, 60, "back") };
    let active = file.active_id().unwrap();
    assert!(matches!(file.save(&back(&waiting)).unwrap_err(), NotSaved::NotWaiting));
    assert_eq!((file.active_id().unwrap(), file.confirmation().unwrap()), (active, Some(started.clone())));
    file.save(&back(&started)).unwrap();
    assert_eq!(file.confirmation().unwrap(), None);
    assert!(matches!(file.save(&back(&started)).unwrap_err(), NotSaved::NotWaiting));
    assert!(!file.set_confirmation(&waiting, None).unwrap());
}

#[test]
fn a_confirmation_without_its_version_counts_as_absent() {
    let place = tempfile::tempdir().unwrap();
    let file = ConfigJson::new(&place.path().join("config.json"));
    file.save(&next(&file, 1, "one")).unwrap();
    let waiting = Confirmation {
        version: new_id(),
        replaced: None,
        user_id: String::new(),
        within_s: 60,
        until: 60_000,
        stage: Stage::InForce,
        needs_start: false,
    };
    // As a crash leaves it.
    file.place_confirmation(&waiting).unwrap();
    assert_eq!(file.confirmation().unwrap(), None);
    let change = next(&file, 2, "two");
    let waiting = Confirmation { version: change.stored.id.clone(), ..waiting };
    file.save(&Version { confirmation: Some(waiting.clone()), ..change }).unwrap();
    assert_eq!(file.confirmation().unwrap(), Some(waiting.clone()));
    // After a failure the version may be in force all the same, and is then not in force without its confirmation.
    file.delete_confirmation_without(&waiting.version);
    assert_eq!(file.confirmation().unwrap(), Some(waiting));
    file.delete_confirmation_without(&new_id());
    assert_eq!(file.confirmation().unwrap(), None);
}

#[test]
fn a_first_version_that_cannot_be_kept_leaves_nothing() {
    let place = tempfile::tempdir().unwrap();
    let file = ConfigJson::new(&place.path().join("config.json"));
    let change = next(&file, 1, "one");
    let waiting = Confirmation {
        version: change.stored.id.clone(),
        replaced: None,
        user_id: String::new(),
        within_s: 60,
        until: 60_000,
        stage: Stage::InForce,
        needs_start: false,
    };
    // The name of the version is too long for the file system, so it is not stored, and its confirmation was.
    let long = Stored::new("x".repeat(300), change.stored.document.clone());
    let failing = Version { confirmation: Some(waiting), stored: long, ..change };
    assert!(matches!(file.save(&failing).unwrap_err(), NotSaved::File(_)));
    assert_eq!(std::fs::read_dir(place.path()).unwrap().count(), 0);
    assert!(file.active().unwrap().is_none());
    file.save(&next(&file, 2, "two")).unwrap();
}

/// Makes a version that replaces what the file holds now.
fn next(file: &ConfigJson, at: i64, name: &str) -> Version {
    Version { replaces: file.active_id().unwrap(), ..version(at, name) }
}

fn version(at: i64, name: &str) -> Version {
    let Value::Object(document) = json!({ "TeamSettings": { "SiteName": name } }) else { unreachable!() };
    let author = Author {
        user_id: String::new(),
        session_id: String::new(),
        address: String::new(),
        source: "api",
        comment: String::new(),
    };
    Version {
        stored: Stored::new(new_id(), document),
        replaces: None,
        at,
        author,
        changes: Vec::new(),
        confirmation: None,
        takes_back: None,
    }
}
