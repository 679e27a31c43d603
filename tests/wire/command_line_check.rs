//! `quarterdeck check` beside `quarterdeck serve`: what one refuses, the other refuses in the same words.

use std::process::Output;

use serde_json::Value;

use crate::support::backdoor::execute_in;
use crate::support::configuration::rows;
use crate::support::process::{Workplace, read};

/// The reason on standard error, without the lines of the log.
fn reason(output: &Output) -> String {
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    let lines = text.lines().filter(|line| !line.starts_with("{\"timestamp\""));
    lines.collect::<Vec<&str>>().join("\n")
}

/// Runs both; each must end with 1 and the same reason, which is returned.
async fn refused_by_both(place: &Workplace, variables: &[(&str, &str)]) -> String {
    let check = place.run_with(variables, &["check"], "").await;
    let serve = place.run_with(variables, &["serve"], "").await;
    assert_eq!((check.status.code(), serve.status.code()), (Some(1), Some(1)), "{check:?} {serve:?}");
    assert_eq!(reason(&check), reason(&serve));
    reason(&check)
}

#[actix_web::test]
async fn a_check_refuses_what_a_start_refuses_with_the_same_words() {
    let cases = [
        ("[ServiceSettings]\nListenAddress = \"0.0.0:9917\"\n", "ServiceSettings.ListenAddress is \"0.0.0:9917\": "),
        (
            "[MetricsSettings]\nEnable = true\nListenAddress = \"123:8067\"\n",
            "MetricsSettings.ListenAddress \"123:8067\": ",
        ),
        (
            "[ServiceSettings]\nConnectionSecurity = \"TLS\"\nTLSCertFile = \"config.toml\"\nTLSKeyFile = \"config.toml\"\n",
            "ServiceSettings.TLSKeyFile",
        ),
        ("[ServiceSettings]\nEnableLocalMode = true\nLocalModeSocketLocation = \"config.toml\"\n", "is not a socket"),
        (
            "[ServiceSettings]\nListenAddress = \"127.0.0.1:18067\"\n\
             [MetricsSettings]\nEnable = true\nListenAddress = \"127.0.0.1:18067\"\n",
            "MetricsSettings.ListenAddress \"127.0.0.1:18067\": ServiceSettings.ListenAddress is \"127.0.0.1:18067\"",
        ),
        (
            "[ServiceSettings]\nEnableLocalMode = true\nLocalModeSocketLocation = \"/proc/local.socket\"\n",
            "no files can be created in /proc",
        ),
        ("[Quarterdeck]\nLicensePublicKeyFile = \"absent.pub\"\n", "absent.pub"),
        ("[Quarterdeck]\nReleaseURL = \"https://releases.example\"\n", "Quarterdeck.ReleaseURL needs"),
        ("[PasswordSettings]\nMinimumLength = 1\n", "PasswordSettings.MinimumLength is 1: "),
        ("[LogSettings]\nConsoleLevel = \"loud\"\n", "LogSettings.ConsoleLevel is \"loud\": "),
        ("[TeamSettings]\nSiteName = 7\n", "TeamSettings.SiteName must be a string, found a number: 7"),
    ];
    for (settings, words) in cases {
        let place = Workplace::new(settings).await;
        let said = refused_by_both(&place, &[]).await;
        assert!(said.contains(words), "{settings}: {said}");
    }
}

#[actix_web::test]
async fn a_default_that_does_not_follow_a_pinned_setting_is_a_warning() {
    let place = Workplace::new("").await;
    let days = [("MM_SERVICESETTINGS_SESSIONLENGTHWEBINDAYS", "7")];
    let check = place.run_with(&days, &["check"], "").await;
    let said = String::from_utf8(check.stdout).unwrap();
    let warning = "warning: ServiceSettings.SessionLengthWebInHours is 720 and does not follow \
                   ServiceSettings.SessionLengthWebInDays, since environment variable \
                   MM_SERVICESETTINGS_SESSIONLENGTHWEBINDAYS pins that one; for 168, pin ";
    assert!(check.status.success() && said.contains(warning), "{said}");
}

/// Helm charts set variables that are blank.
#[actix_web::test]
async fn blank_variables_of_lists_refuse_no_start() {
    let place = Workplace::new("").await;
    let lists: Vec<Value> =
        rows().into_iter().filter(|row| row["type"] == "string[]" && row["env"] != Value::Null).collect();
    let blank: Vec<(&str, &str)> = lists.iter().map(|row| (row["env"].as_str().unwrap(), "")).collect();
    let check = place.run_with(&blank, &["check"], "").await;
    assert!(check.status.success(), "{}", reason(&check));
    let said = String::from_utf8(check.stdout).unwrap();
    let ciphers = "pinned: ServiceSettings.TLSOverwriteCiphers = [], by environment variable ";
    assert!(blank.len() >= 15 && said.contains(ciphers), "{said}");
}

#[actix_web::test]
async fn a_process_with_too_few_files_for_itself_is_refused_by_both() {
    let mut place = Workplace::new("").await;
    place.limit_files(40);
    let said = refused_by_both(&place, &[]).await;
    assert!(said.contains("the process may open 40 files (ulimit -Hn, LimitNOFILE)"), "{said}");
}

#[actix_web::test]
async fn a_check_warns_of_an_audit_key_that_cannot_be_used() {
    let place = Workplace::new("[Quarterdeck]\nAuditKeyFile = \"own.key\"\n").await;
    let check = async || String::from_utf8(place.run(&["check"], "").await.stdout).unwrap();
    assert!(check().await.contains("audit key: none yet, the first start creates it"));
    std::fs::create_dir(place.path("own.key")).unwrap();
    let said = check().await;
    let warning = "warning: own.key: ";
    assert!(said.contains(warning) && said.contains("audit rows are chained without a key"), "{said}");
    assert!(!said.contains("audit key: "), "{said}");
}

#[actix_web::test]
async fn all_problems_are_named_at_once_with_file_line_or_variable() {
    let settings = "[ServiceSettings]\nListenAddress = \"123:8065\"\n[PasswordSettings]\nMinimumLength = 1\n\
                    [Quarterdeck]\nReleaseURL = \"https://releases.example\"\n";
    let place = Workplace::new(settings).await;
    let said = refused_by_both(&place, &[("MM_TEAMSETTINGS_MAXUSERSPERTEAM", "0")]).await;
    let line = 1 + read(&place.path("config.toml")).lines().position(|line| line == "MinimumLength = 1").unwrap();
    for words in [
        format!("config.toml:{line}: PasswordSettings.MinimumLength is 1: "),
        "environment variable MM_TEAMSETTINGS_MAXUSERSPERTEAM: TeamSettings.MaxUsersPerTeam is 0: ".to_owned(),
        ": ServiceSettings.ListenAddress is \"123:8065\": ".to_owned(),
        "\nQuarterdeck.ReleaseURL needs a ReleasePublicKeyFile".to_owned(),
    ] {
        assert!(said.contains(&words), "{words}: {said}");
    }
}

#[actix_web::test]
async fn everything_that_is_wrong_in_every_place_is_named_at_once() {
    let settings = "[TeamSettings]\nSiteName = 7\n[ServiceSettings]\nListenAddress = \"123:8065\"\n\
                    [Quarterdeck]\nReleaseURL = \"https://releases.example\"\n";
    let place = Workplace::new(settings).await;
    let stored = "{\"TeamSettings\": {\n\"MaxUsersPerTeam\": \"many\"},\n\"PasswordSettings\": {\"MinimumLength\": 1},\n\
                  \"EmailSettings\": {\"SMTPPassword\": 987654321},\n\
                  \"PluginSettings\": {\"Plugins\": {\"com.a-b\": {}, \"com.a.b\": {}}}}";
    std::fs::write(place.path("own.json"), stored).unwrap();
    std::fs::write(place.path("custom.json"), "{\"TeamSettings\":\n{\"EnableOpenServer\": 7}}").unwrap();
    let file = [("MM_CONFIG", "own.json")];
    let variables = [
        ("MM_CUSTOM_DEFAULTS_PATH", "custom.json"),
        ("MM_PLUGINSETTINGS_PLUGINS_COM_A_B_KEY", "canary"),
        ("MM_TEAMSETTINGS_MAXCHANNELSPERTEAM", "0"),
    ];
    let of_settings = [
        ": TeamSettings.SiteName must be a string, found a number: 7\n",
        "MM_CUSTOM_DEFAULTS_PATH: custom.json:2: TeamSettings.EnableOpenServer must be true or false, found a whole \
         number: 7\n",
    ];
    let of_file = [
        "/own.json:2: TeamSettings.MaxUsersPerTeam must be a whole number, found a string: \"many\"\n",
        "/own.json:4: EmailSettings.SMTPPassword must be a string, found a whole number\n",
        "/own.json:3: PasswordSettings.MinimumLength is 1: ",
        "variable MM_PLUGINSETTINGS_PLUGINS_COM_A_B_KEY: the name is ambiguous, because it means both of the plugins ",
        "variable MM_TEAMSETTINGS_MAXCHANNELSPERTEAM: TeamSettings.MaxChannelsPerTeam is 0: ",
        ": ServiceSettings.ListenAddress is \"123:8065\": ",
        "\nQuarterdeck.ReleaseURL needs a ReleasePublicKeyFile",
    ];
    let said = refused_by_both(&place, &[&file[..], &variables].concat()).await;
    for words in of_settings.iter().chain(&of_file) {
        assert_eq!(said.matches(words).count(), 1, "{words}: {said}");
    }
    assert!(!said.contains("canary") && !said.contains("987654321"), "{said}");
    // The same without the errors of the settings themselves.
    place.configure(&settings.replace("SiteName = 7", "SiteName = \"7\""));
    let said = refused_by_both(&place, &[&file[..], &variables[1..]].concat()).await;
    for words in of_file {
        assert_eq!(said.matches(words).count(), 1, "{words}: {said}");
    }
}

#[actix_web::test]
async fn an_error_before_the_database_hides_no_broken_rule_and_makes_none_up() {
    // Batched mails need a SiteURL, which may be stored.
    let settings = "[TeamSettings]\nSiteName = 7\n[PasswordSettings]\nMinimumLength = 1\n\
                    [EmailSettings]\nEnableEmailBatching = true\n";
    let place = Workplace::new(settings).await;
    let said = refused_by_both(&place, &[]).await;
    for words in ["TeamSettings.SiteName must be a string, found a number: 7", "PasswordSettings.MinimumLength is 1: "]
    {
        assert_eq!(said.matches(words).count(), 1, "{words}: {said}");
    }
    assert!(!said.contains("EmailSettings"), "{said}");
}

#[actix_web::test]
async fn a_stored_configuration_that_breaks_rules_is_refused_by_both() {
    let place = Workplace::new("").await;
    for name in ["good one", "bad one"] {
        let set = place.run(&["config", "set", "TeamSettings.SiteName", name], "").await;
        assert!(set.status.success(), "{set:?}");
    }
    let broken = format!("UPDATE configurations SET value = replace(value, 'bad one', '{}')", "x".repeat(40));
    execute_in(&place.path(""), &broken).await;
    let said = refused_by_both(&place, &[]).await;
    assert!(said.contains("version ") && said.contains("TeamSettings.SiteName"), "{said}");
    // A value of a wrong type does not hide the broken rule.
    let wrong =
        "UPDATE configurations SET value = replace(value, '\"MaxUsersPerTeam\": 50', '\"MaxUsersPerTeam\": \"many\"')";
    execute_in(&place.path(""), &format!("{wrong} WHERE active = TRUE")).await;
    let said = refused_by_both(&place, &[]).await;
    for words in
        ["TeamSettings.MaxUsersPerTeam must be a whole number, found a string: \"many\"", "TeamSettings.SiteName is "]
    {
        assert!(said.contains(&format!(" of the stored configuration: {words}")), "{words}: {said}");
    }
    assert!(said.contains("quarterdeck config rollback "), "{said}");
}

#[actix_web::test]
async fn the_name_of_a_configuration_file_must_be_one_that_can_be() {
    let place = Workplace::new("").await;
    std::fs::create_dir(place.path("folder")).unwrap();
    let folder = place.path("folder").display().to_string();
    let below = place.path("config.toml/deep/config.json").display().to_string();
    for (name, words) in [
        (folder.as_str(), "it is a folder, and must be a file, such as"),
        ("new/", "it is a folder, and must be a file"),
        (below.as_str(), "there is no such file, and it cannot be created: "),
    ] {
        let said = refused_by_both(&place, &[("MM_CONFIG", name)]).await;
        assert!(said.contains(words) && said.contains(&place.path("").display().to_string()), "{name}: {said}");
    }
    assert!(!place.path("new").exists());
    // A file in a folder that is not there yet is made with its folder by the first change.
    let named = [("MM_CONFIG", "new/deep/config.json")];
    assert!(place.run_with(&named, &["check"], "").await.status.success());
    let set = place.run_with(&named, &["config", "set", "TeamSettings.SiteName", "Bridge"], "").await;
    assert!(set.status.success(), "{set:?}");
    assert!(read(&place.path("new/deep/config.json")).contains("Bridge"));
}

#[actix_web::test]
async fn an_empty_object_and_a_byte_order_mark_are_taken() {
    let place = Workplace::new("").await;
    let named = [("MM_CONFIG", "own.json")];
    for text in ["{}", "\u{feff}{}", "\u{feff}{\"TeamSettings\": {\"SiteName\": \"marked\"}}"] {
        std::fs::write(place.path("own.json"), text).unwrap();
        let check = place.run_with(&named, &["check"], "").await;
        assert!(check.status.success(), "{text}: {check:?}");
    }
    let valid = place.run_with(&named, &["config", "validate", "own.json"], "").await;
    assert!(valid.status.success(), "{valid:?}");
    let name = place.run_with(&named, &["config", "get", "TeamSettings.SiteName"], "").await;
    assert_eq!(String::from_utf8_lossy(&name.stdout).trim(), "\"marked\"");
    std::fs::write(place.path("own.json"), "{\n\"TeamSettings\": {\n\"SiteName\": 7}}").unwrap();
    let said = refused_by_both(&place, &named).await;
    let line = "/own.json:3: TeamSettings.SiteName must be a string, found a whole number: 7\n";
    assert!(said.contains(line), "{said}");
}

#[actix_web::test]
async fn a_check_shows_folders_resolved_and_names_unknown_plugins() {
    let place = Workplace::new("[FileSettings]\nDirectory = \"./data/\"\n").await;
    let unknown = ("MM_PLUGINSETTINGS_PLUGINS_NEVER_SEEN", "x");
    let known = ("MM_PLUGINSETTINGS_PLUGINS_PLAYBOOKS_KEY", "canary");
    let check = place.run_with(&[unknown, known], &["check"], "").await;
    assert!(check.status.success(), "{check:?}");
    let said = String::from_utf8_lossy(&check.stdout).into_owned();
    let folder = std::fs::canonicalize(place.path("")).unwrap().join("data");
    assert!(said.contains(&format!("folder: FileSettings.Directory is {}\n", folder.display())), "{said}");
    let pinned = "pinned: PluginSettings.Plugins.playbooks.key = (not shown), by environment variable ";
    assert!(said.contains(pinned) && !said.contains("canary"), "{said}");
    assert!(said.contains("MM_PLUGINSETTINGS_PLUGINS_NEVER_SEEN: no known plugin has this name"), "{said}");
    assert!(!place.path("data").exists(), "a check writes nothing");
}

#[actix_web::test]
async fn a_check_shows_the_address_and_folders_of_the_stored_configuration() {
    let place = Workplace::new("").await;
    let set = place.run(&["config", "set", "FileSettings.Directory", "./other/"], "").await;
    assert!(set.status.success(), "{set:?}");
    let said = String::from_utf8(place.run(&["check"], "").await.stdout).unwrap();
    let folder = std::fs::canonicalize(place.path("")).unwrap().join("other");
    assert!(said.contains(&format!("folder: FileSettings.Directory is {}\n", folder.display())), "{said}");
}

#[actix_web::test]
async fn a_folder_with_the_configuration_is_no_web_application_for_check_and_start() {
    let place = Workplace::new("[Quarterdeck]\nWebClientDirectory = \"web\"\n").await;
    std::fs::create_dir(place.path("web")).unwrap();
    std::fs::write(place.path("web/root.html"), "<!doctype html><html><head></head><body></body></html>").unwrap();
    std::fs::write(place.path("web/own.conf"), "{}").unwrap();
    let named = [("MM_CONFIG", "web/own.conf")];
    let said = refused_by_both(&place, &named).await;
    assert!(said.contains("Quarterdeck.WebClientDirectory web: the server keeps data in it"), "{said}");
    let said = refused_by_both(&place, &[("MM_CUSTOM_DEFAULTS_PATH", "web/own.conf")]).await;
    assert!(said.contains("the server keeps data in it, at web/own.conf"), "{said}");
    let said = refused_by_both(&place, &[("MM_QUARTERDECK_WEBCLIENTDIRECTORY", "web")]).await;
    let words = "environment variable MM_QUARTERDECK_WEBCLIENTDIRECTORY: this option can only be set in config.toml";
    assert!(said.contains(words), "{said}");
}

#[actix_web::test]
async fn custom_defaults_that_are_missing_are_named_and_others_are_in_force() {
    let place = Workplace::new("").await;
    let named = [("MM_CUSTOM_DEFAULTS_PATH", "custom.json")];
    let said = refused_by_both(&place, &named).await;
    assert!(said.contains("MM_CUSTOM_DEFAULTS_PATH: custom.json: No such file"), "{said}");
    std::fs::write(place.path("custom.json"), "{\"TeamSettings\": {\"SiteName\": \"custom\"}}").unwrap();
    let server = place.serve_with(&named, &["serve"]).await;
    let seen = server.client().get("/config/client").await.expect(200);
    assert_eq!(seen["SiteName"], "custom");
    server.stop().await;
    std::fs::write(place.path("custom.json"), "{\"TeamSettings\":\n{\"MaxUsersPerTeam\": 0}}").unwrap();
    let said = refused_by_both(&place, &named).await;
    let words = "MM_CUSTOM_DEFAULTS_PATH: custom.json:2: TeamSettings.MaxUsersPerTeam is 0: ";
    assert!(said.contains(words), "{said}");
}
