//! Files that commands and settings name: pipes, devices and endless files are refused at once, or read up to a limit.

use std::fs::File;
use std::process::{Command, Output};

use crate::support::process::Workplace;

const QUIET: &str = "[LogSettings]\nEnableConsole = false\nEnableFile = false\n";

/// Makes a pipe without a writer and a file that is larger than every limit, and returns them with a device and a folder.
fn unreadable(place: &Workplace) -> [&'static str; 4] {
    assert!(Command::new("mkfifo").arg(place.path("pipe")).status().unwrap().success());
    File::create(place.path("endless")).unwrap().set_len(1 << 36).unwrap();
    std::fs::create_dir(place.path("folder")).unwrap();
    ["pipe", "/dev/zero", "endless", "folder"]
}

fn refused(ended: &Output, what: &str) -> String {
    assert_eq!(ended.status.code(), Some(1), "{what}: {ended:?}");
    String::from_utf8(ended.stderr.clone()).unwrap()
}

#[actix_web::test]
async fn no_command_reads_without_an_end() {
    let place = Workplace::new(QUIET).await;
    let keys = place.run(&["license", "keygen", "--private", "own.key", "--public", "own.pub"], "").await;
    assert!(keys.status.success(), "{keys:?}");
    std::fs::write(place.path("sealed"), b"no backup").unwrap();
    for name in unreadable(&place) {
        for arguments in [
            &["config", "validate", name][..],
            &["config", "import", name],
            &["backup", "verify", name],
            &["backup", "verify", "sealed", "--key-file", name],
            &["restore", name],
            &["license", "verify", name, "--key", "own.pub"],
            &["license", "verify", "own.pub", "--key", name],
            &["license", "sign", "--key", name],
            &["--config", name, "check"],
        ] {
            let said = refused(&place.run(arguments, "").await, &format!("{arguments:?}"));
            // These commands name no file if they could read its beginning.
            let is_read = ["license", "backup", "restore"].contains(&arguments[0]);
            assert!(said.contains(name) || is_read, "{arguments:?}: {said}");
        }
    }
}

#[actix_web::test]
async fn no_setting_that_names_a_file_is_read_without_an_end() {
    let place = Workplace::new(QUIET).await;
    let keys = place.run(&["license", "keygen", "--private", "own.key", "--public", "own.pub"], "").await;
    assert!(keys.status.success(), "{keys:?}");
    place.configure(&format!("{QUIET}[Quarterdeck]\nLicensePublicKeyFile = \"own.pub\"\n"));
    assert!(place.serve().await.stop().await.success());
    for name in unreadable(&place) {
        for variable in ["MM_CUSTOM_DEFAULTS_PATH", "MM_CONFIG"] {
            let said = refused(&place.run_with(&[(variable, name)], &["check"], "").await, variable);
            assert!(said.contains(name), "{variable}: {said}");
        }
        let tls = [
            ("MM_SERVICESETTINGS_CONNECTIONSECURITY", "TLS"),
            ("MM_SERVICESETTINGS_TLSCERTFILE", name),
            ("MM_SERVICESETTINGS_TLSKEYFILE", name),
        ];
        let said = refused(&place.run_with(&tls, &["check"], "").await, name);
        // A licence that cannot be read does not stop a server, so it must not keep it waiting.
        let licence = [("MM_SERVICESETTINGS_LICENSEFILELOCATION", name)];
        let shown = place.run_with(&licence, &["license", "show"], "").await;
        assert!(shown.status.success(), "{name}: {shown:?}");
        assert!(said.contains("ServiceSettings.TLSCertFile") || said.contains("ServiceSettings.TLSKeyFile"), "{said}");
    }
    for name in ["pipe", "/dev/zero", "endless", "folder"] {
        place.configure(&format!("{QUIET}[Quarterdeck]\nLicensePublicKeyFile = \"{name}\"\n"));
        let said = refused(&place.run(&["check"], "").await, name);
        assert!(said.contains(name), "{said}");
    }
}

#[actix_web::test]
async fn a_pipe_with_a_writer_is_read_as_a_file_is() {
    let place = Workplace::new(QUIET).await;
    let text = r#"{"TeamSettings": {"SiteName": "piped"}}"#;
    for subcommand in ["validate", "import"] {
        let ended = place.run(&["config", subcommand, "/dev/stdin"], text).await;
        assert!(ended.status.success(), "{ended:?}");
    }
    let name = place.run(&["config", "get", "TeamSettings.SiteName"], "").await;
    assert_eq!(String::from_utf8_lossy(&name.stdout).trim(), "\"piped\"");
}

#[actix_web::test]
async fn an_import_with_nul_or_a_repeated_key_stores_nothing() {
    let place = Workplace::new(QUIET).await;
    for (text, words) in [
        (r#"{"TeamSettings": {"SiteName": "a\u0000b"}}"#, "own.json: it has the character NUL, which cannot be stored"),
        (r#"{"TeamSettings": {"SiteName": "a", "SiteName": "b"}}"#, "TeamSettings.SiteName: given twice\n"),
    ] {
        std::fs::write(place.path("own.json"), text).unwrap();
        let said = refused(&place.run(&["config", "import", "own.json"], "").await, text);
        assert!(said.contains(words), "{said}");
        let history = place.run(&["config", "history"], "").await;
        assert_eq!(String::from_utf8_lossy(&history.stdout), "no version was ever stored\n");
    }
    let validated = place.run(&["config", "validate", "own.json"], "").await;
    let said = String::from_utf8_lossy(&validated.stderr).into_owned();
    assert!(validated.status.success() && said.contains("TeamSettings.SiteName: given twice"), "{said}");
    // A stored file with such a key starts, and the last one counts, as before.
    let named = [("MM_CONFIG", "own.json")];
    let checked = place.run_with(&named, &["check"], "").await;
    let said = String::from_utf8_lossy(&checked.stdout).into_owned();
    let words = "the stored key \"SiteName\" at /TeamSettings/SiteName is given twice, and the last one counts";
    assert!(checked.status.success() && said.contains(words), "{said}");
}
