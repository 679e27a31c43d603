//! The examples for authors of clients, run as their readers run them.

use std::path::{Path, PathBuf};

use tokio::process::Command;

use crate::support::waiting::within;
use crate::support::{needs, peers};

#[actix_web::test]
async fn the_example_for_pytest_passes() {
    let Some(folder) = needs::peer("pytest") else { return };
    let cache = tempfile::tempdir().unwrap();
    let mut pytest = Command::new(folder.join("bin/python"));
    pytest.args(["-m", "pytest", "-q", "-p", "no:cacheprovider"]).env("PYTHONPYCACHEPREFIX", cache.path());
    assert!(passes(pytest, "pytest").await.contains("3 passed"));
}

#[actix_web::test]
async fn the_example_for_node_passes() {
    let mut node = Command::new(peers::tool("node"));
    node.args(["--test", "--test-reporter=tap"]);
    assert!(passes(node, "node").await.contains("\n# pass 3\n"));
}

#[actix_web::test]
async fn the_example_for_cargo_passes() {
    let mut cargo = Command::new(peers::tool("cargo"));
    // The crates are those of this workspace, so nothing is fetched.
    cargo.args(["test", "--offline", "--locked", "--quiet"]).env("CARGO_TARGET_DIR", root().join("target/examples"));
    assert!(passes(cargo, "cargo").await.contains("3 passed"));
}

#[test]
fn the_example_for_cargo_uses_crates_of_this_workspace_only() {
    let of = |path: &str| std::fs::read_to_string(root().join(path)).unwrap();
    let workspace = of("Cargo.lock");
    let own = of("examples/cargo/Cargo.lock");
    let fetched = own.split("[[package]]\n").filter(|package| package.contains("\nchecksum = "));
    let heads: Vec<&str> = fetched.map(|package| package.split("\ndependencies = ").next().unwrap()).collect();
    assert!(!heads.is_empty());
    for head in heads {
        assert!(workspace.contains(head.trim_end()), "cargo update --offline --precise in examples/cargo: {head}");
    }
}

/// Runs the tests of an example. Returns what they print.
async fn passes(mut command: Command, example: &str) -> String {
    command.current_dir(root().join("examples").join(example)).env("QUARTERDECK", env!("CARGO_BIN_EXE_quarterdeck"));
    let output = within("the example runs", command.kill_on_drop(true).output()).await.unwrap();
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{printed}\n{}", String::from_utf8_lossy(&output.stderr));
    printed
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).to_owned()
}
