//! Refused changes: the error lists all mistakes, and no version is stored.

use super::{LOCAL, QUIET, as_json, config, refused, with_store_and_server};
use crate::support::process::Workplace;

#[actix_web::test]
async fn an_unknown_path_is_refused_with_the_nearest_one() {
    with_store_and_server(async |place| {
        for arguments in [&["get", "TeamSettings.SiteNam"][..], &["set", "TeamSettings.SiteNam", "x"]] {
            let complaint = refused(place, arguments).await;
            let expected = "quarterdeck: TeamSettings.SiteNam is not a setting; the nearest is TeamSettings.SiteName\n";
            assert_eq!(complaint, expected);
        }
        let section = refused(place, &["unset", "TeamSettings"]).await;
        assert_eq!(section, "quarterdeck: TeamSettings is not a single setting; name a setting in it\n");
        assert_eq!(config(place, &["history"]).await, "no version was ever stored\n");
    })
    .await;
}

#[actix_web::test]
async fn a_value_of_the_wrong_kind_is_refused() {
    with_store_and_server(async |place| {
        let complaint = refused(place, &["set", "TeamSettings.MaxUsersPerTeam", "many"]).await;
        assert_eq!(complaint, "quarterdeck: TeamSettings.MaxUsersPerTeam must be a whole number\n");
        let complaint = refused(place, &["set", "SqlSettings.ReplicaLagSettings", r#"[{"DataSorce": 1}]"#]).await;
        assert!(complaint.contains("SqlSettings.ReplicaLagSettings.0.DataSorce: not a setting"), "{complaint}");
        let file = r#"{"TeamSettings": {"SiteName": 1, "MaxUsersPerTeam": "many"}}"#;
        std::fs::write(place.path("config.json"), file).unwrap();
        let complaint = refused(place, &["import", "config.json"]).await;
        for words in ["TeamSettings.SiteName: must be a string", "TeamSettings.MaxUsersPerTeam: must be a whole number"]
        {
            assert!(complaint.contains(words), "{complaint}");
        }
        assert_eq!(config(place, &["history"]).await, "no version was ever stored\n");
    })
    .await;
}

#[actix_web::test]
async fn what_breaks_rules_is_refused_with_every_failure() {
    with_store_and_server(async |place| {
        let complaint = refused(place, &["set", "TeamSettings.MaxUsersPerTeam", "-1"]).await;
        assert!(complaint.starts_with("quarterdeck: TeamSettings.MaxUsersPerTeam: "), "{complaint}");
        let file = r#"{"ServiceSettings": {"SiteURL": "nowhere"}, "TeamSettings": {"MaxUsersPerTeam": 0}}"#;
        std::fs::write(place.path("config.json"), file).unwrap();
        for subcommand in ["import", "validate"] {
            let complaint = refused(place, &[subcommand, "config.json"]).await;
            for path in ["ServiceSettings.SiteURL: ", "TeamSettings.MaxUsersPerTeam: "] {
                assert!(complaint.contains(path), "{complaint}");
            }
        }
        assert_eq!(config(place, &["history"]).await, "no version was ever stored\n");
        assert_eq!(config(place, &["validate"]).await, "the configuration is valid\n");
    })
    .await;
}

#[actix_web::test]
async fn a_value_of_a_wrong_type_hides_no_broken_rule() {
    let place = Workplace::new(QUIET).await;
    let file =
        r#"{"TeamSettings": {"SiteName": 7, "MaxUsersPerTeam": 0}, "EmailSettings": {"SMTPPassword": 987654321}}"#;
    std::fs::write(place.path("config.json"), file).unwrap();
    let complaint = refused(&place, &["validate", "config.json"]).await;
    for words in [
        "TeamSettings.SiteName: must be a string, found a whole number: 7\n",
        "EmailSettings.SMTPPassword: must be a string, found a whole number\n",
        "TeamSettings.MaxUsersPerTeam: A team must be allowed at least 1 member",
    ] {
        assert!(complaint.contains(words), "{words}: {complaint}");
    }
    assert!(!complaint.contains("987654321"), "{complaint}");
}

#[actix_web::test]
async fn a_setting_that_is_pinned_is_not_changed_here() {
    for settings in [QUIET.to_owned(), format!("{QUIET}{LOCAL}")] {
        let place = Workplace::new(&format!("{settings}[TeamSettings]\nSiteName = \"Pinned\"\n")).await;
        let server = if settings == QUIET { None } else { Some(place.serve().await) };
        for arguments in [&["set", "TeamSettings.SiteName", "Bridge"][..], &["unset", "TeamSettings.SiteName"]] {
            let complaint = refused(&place, arguments).await;
            assert!(
                complaint.starts_with("quarterdeck: TeamSettings.SiteName is pinned by config.toml:"),
                "{complaint}"
            );
        }
        drop(server);
    }
}

#[actix_web::test]
async fn a_file_is_checked_and_its_unknown_keys_are_named() {
    let place = Workplace::new(QUIET).await;
    std::fs::write(place.path("config.json"), r#"{"TeamSettings": {"SiteNam": "x"}}"#).unwrap();
    let checked = place.run(&["config", "validate", "config.json"], "").await;
    assert!(checked.status.success(), "{checked:?}");
    let remark = "quarterdeck: TeamSettings.SiteNam: not a setting; the nearest is TeamSettings.SiteName\n";
    assert_eq!(String::from_utf8(checked.stderr).unwrap(), remark);
    std::fs::write(place.path("config.json"), r#"{"TeamSettings": canary"#).unwrap();
    let complaint = refused(&place, &["validate", "config.json"]).await;
    assert_eq!(complaint, "quarterdeck: config.json: line 1 column 18: the file is not a JSON object\n");
    std::fs::write(place.path("config.json"), "{}").unwrap();
    assert_eq!(as_json(&place, &["validate", "config.json", "--json"]).await["valid"], true);
    assert!(!place.path("test.db").exists());
}
