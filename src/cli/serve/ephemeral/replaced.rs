//! The settings that an ephemeral server replaces: everything that names data of another server, or another machine.

use serde_json::{Value, json};

use super::Folder;
use crate::settings::Replacements;

/// The origin of the replacing values, as the API and messages name it.
pub(super) const PLACE: &str = "serve --ephemeral";

/// A free port, which the network of the machine cannot reach.
const FREE_LOOPBACK: &str = "127.0.0.1:0";

/// A port that no server can have. An empty name of a mail server would mean the default one.
const NO_PORT: &str = "0";

/// Returns the values that keep all data in `folder` and call no other machine at the start.
pub(super) fn replacements(folder: &Folder) -> Replacements {
    let within = |name: &str| json!(folder.path().join(name));
    let off = || Value::from(false);
    let none = || json!("");
    let settings = vec![
        ("SqlSettings.DriverName", json!("sqlite")),
        ("SqlSettings.DataSource", within("quarterdeck.db")),
        ("FileSettings.DriverName", json!("local")),
        ("FileSettings.Directory", within("files")),
        ("LogSettings.EnableConsole", json!(true)),
        ("LogSettings.ConsoleLevel", json!("ERROR")),
        ("LogSettings.ConsoleJson", off()),
        ("LogSettings.FileLocation", within("logs")),
        ("ServiceSettings.ListenAddress", json!(FREE_LOOPBACK)),
        ("ServiceSettings.Forward80To443", off()),
        ("ServiceSettings.EnableLocalMode", json!(true)),
        ("ServiceSettings.LocalModeSocketLocation", json!(folder.socket())),
        ("MetricsSettings.ListenAddress", json!(FREE_LOOPBACK)),
        ("EmailSettings.SendEmailNotifications", off()),
        ("EmailSettings.SMTPServer", json!("127.0.0.1")),
        ("EmailSettings.SMTPPort", json!(NO_PORT)),
        ("EmailSettings.SMTPUsername", none()),
        ("EmailSettings.SMTPPassword", none()),
        ("EmailSettings.SendPushNotifications", off()),
        ("EmailSettings.PushNotificationServer", none()),
        ("AnnouncementSettings.AdminNoticesEnabled", off()),
        ("AnnouncementSettings.UserNoticesEnabled", off()),
    ];
    // Without a source, no upgrade replaces the program, which other runs use as well.
    let options = vec![("AuditKeyFile", within("audit.key")), ("ReleaseURL", none()), ("ReleasePublicKeyFile", none())];
    Replacements { place: PLACE, sections: &["SqlSettings", "FileSettings", "LogSettings"], settings, options }
}

#[cfg(test)]
mod tests {
    use quarterdeck_actors::config::table::{Kind, settings};

    use super::*;
    use crate::settings::Sources;

    #[test]
    fn every_replacement_is_a_setting_or_an_option_of_the_right_type() {
        let folder = Folder::create().unwrap();
        let replacements = replacements(&folder);
        for (path, value) in &replacements.settings {
            let setting = &settings()[*path];
            assert_eq!(value.is_boolean(), setting.kind == Kind::Bool, "{path}");
            assert_eq!(value.is_string(), setting.kind == Kind::String, "{path}");
        }
        let path = folder.path().to_owned();
        let settings = Sources::isolated(None, Vec::new()).with_replacements(replacements).load().unwrap();
        assert!(settings.replaced.is_empty());
        let view = &settings.config.view;
        assert_eq!(settings.options.audit_key_file, Some(path.join("audit.key")));
        assert_eq!((view.email.smtp_server.as_str(), view.email.smtp_port.as_str()), ("127.0.0.1", NO_PORT));
        assert!(view.email.push_notification_server.is_empty());
        for named in [&view.sql.data_source, &view.log.file_location, &view.service.local_mode_socket_location] {
            assert!(std::path::Path::new(named).starts_with(&path), "{named}");
        }
    }
}
