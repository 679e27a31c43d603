//! The command `quarterdeck storage test`.

use serde_json::Value;

use crate::support::process::Workplace;

const QUIET: &str = "[LogSettings]\nEnableConsole = false\nEnableFile = false\n";

#[actix_web::test]
async fn a_store_that_works_and_one_that_does_not_are_told_apart_by_text_and_exit_code() {
    let settings = format!("{QUIET}[FileSettings]\nDirectory = \"files\"\nExportDirectory = \"config.toml/exports\"\n");
    let place = Workplace::new(&settings).await;
    let works = place.run(&["storage", "test"], "").await;
    let text = String::from_utf8(works.stdout).unwrap();
    assert!(works.status.success(), "{text}");
    assert!(text.starts_with("driver: local\n") && text.contains("[+] write ("), "{text}");
    assert!(text.contains("[ ] tls skipped\n") && text.contains("\nthe storage works ("), "{text}");

    let broken = place.run(&["storage", "test", "--export"], "").await;
    let text = String::from_utf8(broken.stdout).unwrap();
    assert_eq!(broken.status.code(), Some(1), "{text}");
    assert!(text.contains("[-] bucket (") && text.contains("(ENOTDIR)\nremedy: "), "{text}");

    let broken = place.run(&["storage", "test", "--export", "--json"], "").await;
    let report: Value = serde_json::from_slice(&broken.stdout).unwrap();
    assert_eq!((broken.status.code(), &report["trouble"]["step"]), (Some(1), &"bucket".into()));
}

#[actix_web::test]
async fn settings_that_lack_something_are_named() {
    let place = Workplace::new(&format!("{QUIET}[FileSettings]\nDriverName = \"amazons3\"\n")).await;
    let refused = place.run(&["storage", "test"], "").await;
    let text = String::from_utf8(refused.stderr).unwrap();
    assert_eq!((refused.status.code(), text.as_str()), (Some(1), "quarterdeck: S3 needs the name of a bucket.\n"));
}
