use quarterdeck_actors::config::table::{Kind, settings};

use super::reading::Reading;
use super::*;

fn read(text: &str, variables: &[(&str, &str)]) -> Result<Settings, SettingsError> {
    let mut reading = Reading::default();
    reading.file("config.toml", text);
    reading.environment(variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
    settled(reading)
}

fn settled(reading: Reading) -> Result<Settings, SettingsError> {
    match reading.settings()? {
        (settings, None) => Ok(settings),
        (_, Some(refusal)) => Err(refusal),
    }
}

#[test]
fn a_pinned_setting_wins_over_the_default_and_the_environment_over_the_file() {
    let text = "[ServiceSettings]\nListenAddress = \"127.0.0.1:1\"\nReadTimeout = 7\n";
    let settings = read(text, &[("MM_SERVICESETTINGS_READTIMEOUT", "9")]).unwrap();
    assert_eq!(settings.config.view.service.listen_address, "127.0.0.1:1");
    assert_eq!(settings.config.view.service.read_timeout, 9);
    assert_eq!(settings.config.overrides["ServiceSettings.ListenAddress"].place, "config.toml:2");
    assert_eq!(
        settings.config.overrides["ServiceSettings.ReadTimeout"].place,
        "environment variable MM_SERVICESETTINGS_READTIMEOUT"
    );
}

#[test]
fn names_are_taken_in_any_letter_case_and_a_setting_given_twice_is_refused_with_both_lines() {
    let settings = read("[emailsettings]\nSmtpServer = \"mail.example\"\n", &[]).unwrap();
    assert_eq!(settings.config.view.email.smtp_server, "mail.example");
    assert_eq!(settings.unknown, [""; 0]);
    let states = [("MM_PLUGINSETTINGS_PLUGINSTATES", r#"{"Com.Example": {"enable": true}}"#)];
    let config = read("", &states).unwrap().config;
    let states = serde_json::json!({"Com.Example": {"Enable": true}});
    assert_eq!(config.overrides["PluginSettings.PluginStates"].value, states);
    assert_eq!(config.document["PluginSettings"]["PluginStates"], states, "no built-in plugin is added");
    let options = read("[quarterdeck]\nauditretentiondays = 5\n", &[]).unwrap().options;
    assert_eq!(options.audit_retention_days, Some(5));
    let twice = "[Quarterdeck]\nAuditRetentionDays = 5\nauditretentiondays = 7\n";
    let refused = read(twice, &[]).unwrap_err().to_string();
    assert!(refused.contains("config.toml:3: Quarterdeck.AuditRetentionDays is set already"), "{refused}");
    let twice = [("MM_TEAMSETTINGS_SITENAME", "one"), ("mm_teamsettings_sitename", "two")];
    let refused = read("", &twice).unwrap_err().to_string();
    assert!(refused.contains("MM_TEAMSETTINGS_SITENAME: it is set twice, in two letter cases"), "{refused}");
    let twice = "[EmailSettings]\nSMTPServer = \"one\"\nSmtpServer = \"two\"\n";
    let refused = read(twice, &[]).unwrap_err().to_string();
    let words = "config.toml:3: EmailSettings.SMTPServer is set already, in another letter case, by config.toml:2";
    assert_eq!(refused, words);
    let twice = "[LogSettings.AdvancedLoggingJSON.file]\nType = \"file\"\ntype = \"console\"\n";
    let refused = read(twice, &[]).unwrap_err().to_string();
    let words = "config.toml:1: LogSettings.AdvancedLoggingJSON has a member in two spellings: type and Type";
    assert_eq!(refused, words);
}

#[test]
fn a_blank_variable_of_a_setting_that_takes_no_text_has_no_effect_and_is_named() {
    let variables = [
        ("MM_EMAILSETTINGS_ENABLESMTPAUTH", ""),
        ("MM_RATELIMITSETTINGS_PERSEC", " "),
        ("MM_PLUGINSETTINGS_PLUGINS", ""),
        ("MM_EMAILSETTINGS_SMTPSERVER", ""),
        ("MM_QUARTERDECK_STOPSECONDS", ""),
        ("MM_QUARTERDECK_SUPPORTPACKETNEEDSLICENSE", " "),
    ];
    let settings = read("", &variables).unwrap();
    let pinned: Vec<&str> = settings.config.overrides.keys().map(String::as_str).collect();
    assert_eq!(pinned, ["EmailSettings.SMTPServer"], "an empty text is a value");
    let notice = "environment variable MM_EMAILSETTINGS_ENABLESMTPAUTH: it is blank and has no effect";
    assert_eq!((settings.unknown.len(), settings.unknown[0].as_str()), (5, notice));
    assert_eq!(settings.options.stop_timeout, Options::default().stop_timeout);
}

#[test]
fn an_unknown_name_is_reported_with_the_nearest_known_one() {
    let text = "[ServiceSettings]\nListenAdress = \":1\"\n";
    let settings = read(text, &[("MM_SQLSETTINGS_DATASORCE", "x"), ("MM_LICENSE", "x")]).unwrap();
    assert_eq!(
        settings.unknown,
        [
            "config.toml:2: ServiceSettings.ListenAdress is not a setting and has no effect; \
             the nearest known name is ServiceSettings.ListenAddress",
            "environment: MM_SQLSETTINGS_DATASORCE is not a setting and has no effect; \
             the nearest known name is MM_SQLSETTINGS_DATASOURCE",
        ]
    );
}

#[test]
fn a_syntax_error_names_file_line_and_key() {
    let refused = read("[ServiceSettings]\nListenAddress = \n", &[]).unwrap_err().to_string();
    assert!(refused.starts_with("config.toml:2:17: at ListenAddress: "), "{refused}");
    let refused = read("[Quarterdeck]\n  MetricsToken = \n", &[]).unwrap_err().to_string();
    assert!(refused.starts_with("config.toml:2:18: at MetricsToken: "), "{refused}");
}

#[test]
fn a_syntax_error_shows_no_text_of_the_file_because_it_may_be_a_secret() {
    for line in [
        "SMTPPassword = canary",
        "SMTPPassword = 'canary",
        "SMTPPassword = \"canary\\q\"",
        "SMTPPassword = \"a\" canary",
        "SMTPPassword = \"\"\"\ncanary = \"\"\" canary",
        "SMTPPassword canary",
        "SMTPPassword: canary",
        "canary",
        "canary = ",
        "\"canary",
        "canary = 1\ncanary = 2",
        "a.canary = 1\na.canary.b = 1",
        "a = { canary",
        "a = [ canary",
        "[canary",
        "[[canary]]\n[canary]",
    ] {
        let refused = read(&format!("[EmailSettings]\n{line}\n"), &[]).unwrap_err();
        assert!(matches!(refused, SettingsError::Syntax { .. }), "{line}: {refused}");
        let shown = format!("{refused} {refused:?}");
        assert!(shown.starts_with("config.toml:") && !shown.contains("canary"), "{line}: {shown}");
    }
}

#[test]
fn values_of_the_wrong_kind_are_named_all_at_once_with_place_and_value() {
    let text =
        "[SqlSettings]\nMaxOpenConns = \"many\"\n[TeamSettings]\nSiteName = 7\n[Quarterdeck]\nStopSeconds = -1\n";
    let variables = [("MM_SQLSETTINGS_TRACE", "perhaps"), ("MM_SQLSETTINGS_MAXIDLECONNS", "few")];
    let refused = read(text, &variables).unwrap_err().to_string();
    let lines: Vec<&str> = refused.lines().collect();
    assert_eq!(lines[0], "config.toml:2: SqlSettings.MaxOpenConns must be a whole number, found a string: \"many\"");
    assert_eq!(lines[1], "config.toml:4: TeamSettings.SiteName must be a string, found a number: 7");
    assert!(lines[2].starts_with("config.toml:6: Quarterdeck.StopSeconds must be a whole number from "), "{refused}");
    let variable = "environment variable MM_SQLSETTINGS";
    assert_eq!(
        lines[3],
        format!("{variable}_TRACE: SqlSettings.Trace must be true or false, found a string: \"perhaps\"")
    );
    assert_eq!(
        lines[4],
        format!("{variable}_MAXIDLECONNS: SqlSettings.MaxIdleConns must be a whole number, found a string: \"few\"")
    );
    assert_eq!(lines.len(), 5);
}

#[test]
fn a_value_that_may_be_a_secret_is_not_shown() {
    for (section, key) in [("EmailSettings", "SMTPPassword"), ("SqlSettings", "DataSourceReplicas")] {
        let refused = read(&format!("[{section}]\n{key} = 4711\n"), &[]).unwrap_err().to_string();
        assert!(refused.ends_with("found a number") && !refused.contains("4711"), "{refused}");
    }
    let map = read("", &[("MM_PLUGINSETTINGS_PLUGINS", "canary")]).unwrap_err().to_string();
    assert!(!map.contains("canary"), "{map}");
    let refused = read("ServiceSettings = 1\n", &[]).unwrap_err().to_string();
    assert_eq!(refused, "config.toml:1: ServiceSettings must be a section, found a number");
}

#[test]
fn lists_maps_and_nested_sections_are_read() {
    let text = "[ServiceSettings]\nTrustedProxyIPHeader = [\"X-Real-Ip\"]\n[PluginSettings.Plugins.one]\nkey = 1\n";
    let settings = read(text, &[("MM_SERVICESETTINGS_TLSOVERWRITECIPHERS", "a b")]).unwrap();
    assert_eq!(settings.config.view.service.trusted_proxy_ip_header, ["X-Real-Ip"]);
    assert_eq!(settings.config.document["PluginSettings"]["Plugins"]["one"]["key"], 1);
    assert_eq!(settings.config.document["ServiceSettings"]["TLSOverwriteCiphers"][1], "b");
}

#[test]
fn a_blank_variable_of_a_list_is_an_empty_list() {
    let lists = settings().values().filter(|setting| setting.kind == Kind::Strings);
    let variables = lists.filter_map(|list| Some((list.path.as_str(), list.env.as_deref()?)));
    for (path, variable) in variables {
        for (text, elements) in [("", &[][..]), ("  ", &[]), (" a  b\n", &["a", "b"])] {
            let settings = read("", &[(variable, text)]).unwrap();
            let value = settings.config.overrides.get(path).map(|pinned| pinned.value.clone());
            // There must be at least one reason to flag a message.
            let has_effect = !(path.ends_with(".Reasons") && elements.is_empty());
            assert_eq!(value, has_effect.then(|| serde_json::json!(elements)), "{path} {text:?}");
            assert_eq!(settings.unknown.len(), usize::from(!has_effect), "{path} {text:?}");
        }
    }
}

#[test]
fn a_variable_that_is_set_but_empty_counts_as_set() {
    let settings =
        read("[ServiceSettings]\nAllowCorsFrom = \"pinned\"\n", &[("MM_SERVICESETTINGS_ALLOWCORSFROM", "")]).unwrap();
    assert_eq!(settings.config.view.service.allow_cors_from, "");
}

#[test]
fn a_byte_order_mark_is_skipped() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("config.toml");
    std::fs::write(&file, "\u{feff}[TeamSettings]\nSiteName = \"marked\"\n").unwrap();
    let settings = Sources::isolated(Some(file), Vec::new()).load().unwrap();
    assert_eq!(settings.config.view.team.site_name, "marked");
}

#[test]
fn a_variable_for_a_setting_of_a_plugin_is_no_unknown_name() {
    let settings = read("", &[("mm_pluginsettings_plugins_playbooks_Key", "x")]).unwrap();
    assert_eq!(settings.unknown, Vec::<String>::new());
    assert_eq!(settings.config.document["PluginSettings"]["Plugins"]["playbooks"]["key"], "x");
}

#[cfg(unix)]
#[test]
fn a_variable_that_is_not_utf8_is_refused_by_name() {
    use std::os::unix::ffi::OsStringExt;
    let broken = || OsString::from_vec(vec![0xff]);
    let mut reading = Reading::default();
    reading.refuse_broken_variables(
        [("MM_TEAMSETTINGS_SITENAME".into(), broken()), ("OTHER".into(), broken())].into_iter(),
    );
    let refused = settled(reading).unwrap_err().to_string();
    assert_eq!(refused, "environment variable MM_TEAMSETTINGS_SITENAME: the value is not UTF-8");
}
