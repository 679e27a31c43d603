use std::os::unix::fs::MetadataExt;

use quarterdeck_actors::config::Author;
use serde_json::Value;

use super::*;

#[test]
fn the_order_of_versions_survives_a_clock_that_goes_backwards() {
    let place = tempfile::tempdir().unwrap();
    let file = ConfigFile::new(&place.path().join("config.json"));
    for (at, name) in [(2000, "one"), (1000, "two"), (1000, "three")] {
        file.save(&version(at, name)).unwrap();
    }
    let versions = file.versions();
    let names: Vec<&Value> = versions.iter().map(|kept| &kept.config["TeamSettings"]["SiteName"]).collect();
    assert_eq!(names, ["three", "two", "one"]);
    let active: Vec<bool> = versions.iter().map(|kept| kept.record.is_active).collect();
    assert_eq!(active, [true, false, false]);
    let times: Vec<i64> = versions.iter().map(|kept| kept.record.create_at).collect();
    assert_eq!(times, [2002, 2001, 2000]);
}

#[test]
fn a_link_stays_a_link() {
    let place = tempfile::tempdir().unwrap();
    let (link, real) = (place.path().join("config.json"), place.path().join("real.json"));
    std::fs::write(&real, r#"{"TeamSettings":{"SiteName":"before"}}"#).unwrap();
    std::os::unix::fs::symlink(&real, &link).unwrap();
    ConfigFile::new(&link).save(&version(1, "after")).unwrap();
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
    ConfigFile::new(&name).save(&version(1, "one")).unwrap();
    let after = std::fs::metadata(&name).unwrap();
    let access = |found: &Metadata| (found.permissions().mode() & 0o777, found.uid(), found.gid());
    assert_eq!(access(&after), access(&before));
    let versions = std::fs::read_dir(place.path().join("config.json.versions")).unwrap();
    assert!(
        versions.map(|kept| kept.unwrap().metadata().unwrap()).all(|kept| kept.permissions().mode() & 0o777 == 0o600)
    );
}

#[test]
fn what_an_interrupted_write_left_is_swept_away() {
    let place = tempfile::tempdir().unwrap();
    let file = ConfigFile::new(&place.path().join("config.json"));
    let (left, other) = (place.path().join(".config.json.abc.tmp"), place.path().join(".other.tmp"));
    std::fs::write(&left, "half").unwrap();
    std::fs::write(&other, "somebody else's").unwrap();
    file.save(&version(1, "one")).unwrap();
    assert!(!left.exists() && other.exists());
}

#[test]
fn a_refusal_quotes_nothing_of_the_file() {
    let place = tempfile::tempdir().unwrap();
    let name = place.path().join("config.json");
    std::fs::write(&name, r#""a secret""#).unwrap();
    let refusal = ConfigFile::new(&name).active().unwrap_err().to_string();
    assert!(refusal.contains("this is no object") && !refusal.contains("a secret"), "{refusal}");
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
    Version { stored: Stored { id: new_id(), document }, replaces: None, at, author, changes: Vec::new() }
}
