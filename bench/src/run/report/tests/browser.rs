//! The page in a real browser.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

use super::*;

/// Returns the folder of the browser that `tests/run` installs, or `None` in a run without it, as all tests with peers do.
fn browser() -> Option<PathBuf> {
    let unwanted = std::env::var("QUARTERDECK_TEST_WITHOUT").unwrap_or_default();
    if unwanted.split(',').any(|name| name.trim() == "browser") {
        eprintln!("this run is without browser");
        return None;
    }
    let default = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/peers");
    let folder = std::env::var_os("QUARTERDECK_TEST_PEERS").map_or_else(default, PathBuf::from).join("browser");
    assert!(
        folder.join("installed").exists(),
        "browser is missing: tests/run installs it; QUARTERDECK_TEST_WITHOUT=browser leaves out this test"
    );
    Some(folder)
}

#[test]
fn the_page_can_be_read_in_both_themes_and_on_a_narrow_screen() {
    let Some(browser) = browser() else { return };
    check(&browser, &one(), 6);
    let both = ["target", "baseline"].map(|name| Side { name: name.to_owned(), outcome: outcome(5) });
    // No interval has enough requests for a p99.
    check(&browser, &report(both.to_vec()), 18);
}

/// Opens a report and asserts that all its charts can be read.
fn check(browser: &Path, report: &Report, charts: usize) {
    let folder = crate::compare::Folder::new().unwrap();
    report.write(folder.path()).unwrap();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/clients/browser/report.mjs");
    let mut node = Command::new("node");
    let output = node.arg(script).arg(folder.path().join("report.html")).current_dir(browser).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let lines = String::from_utf8(output.stdout).unwrap();
    let themes: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!((themes.len(), &themes[0]["theme"], &themes[1]["theme"]), (2, &json!("light"), &json!("dark")));
    assert_ne!(themes[0]["paper"], themes[1]["paper"]);
    for theme in &themes {
        assert_eq!(
            (&theme["charts"], &theme["requests"], &theme["complaints"]),
            (&json!(charts), &json!(1), &json!([]))
        );
        assert_eq!(theme["outside"], json!([]), "everything stands within its chart");
        assert_eq!((&theme["is_wider"], &theme["is_wider_when_narrow"]), (&json!(false), &json!(false)));
        let contrasts = ["contrast", "lines"].map(|name| theme[name].as_f64().unwrap());
        assert!(contrasts[0] >= 4.5 && contrasts[1] >= 3.0, "{theme}");
    }
}
