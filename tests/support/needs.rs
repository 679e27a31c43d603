//! Peer programs that tests need. A missing one fails its tests, unless this run names it as unwanted.

use std::path::PathBuf;

/// The variable that names the unwanted peers, such as `nginx,postgres`. Their tests do not run, even if they are
/// installed.
const WITHOUT: &str = "QUARTERDECK_TEST_WITHOUT";

/// The variable with the folder of the peers. The default is `target/peers`.
const PEERS: &str = "QUARTERDECK_TEST_PEERS";

/// All names that may be unwanted. `tests/run` installs the programs; `root` and `mount` are permissions of this
/// process.
const NAMES: [&str; 18] = [
    "azure",
    "browser",
    "console",
    "faketime",
    "haproxy",
    "js",
    "mount",
    "newer",
    "nginx",
    "postgres",
    "prometheus",
    "pytest",
    "python",
    "redis",
    "root",
    "s3",
    "schemathesis",
    "smtp",
];

/// Returns the folder of a peer that `tests/run` installs, or `None` in a run without it.
pub fn peer(name: &str) -> Option<PathBuf> {
    let default = || [env!("CARGO_MANIFEST_DIR"), "target", "peers"].iter().collect();
    let folder = std::env::var_os(PEERS).map_or_else(default, PathBuf::from).join(name);
    present(name, || folder.join("installed").exists(), "tests/run installs it")?;
    Some(folder)
}

/// Returns `Some` when this process is root, or `None` in a run without `root`.
pub fn root() -> Option<()> {
    present("root", || rustix::process::geteuid().is_root(), "run the tests as root")
}

/// Returns `Some` if a peer exists, or `None` in a run without it. Fails with the text `cure` if it is missing.
pub fn present(name: &str, is_there: impl FnOnce() -> bool, cure: &str) -> Option<()> {
    present_in(&std::env::var(WITHOUT).unwrap_or_default(), name, is_there, cure)
}

fn present_in(unwanted: &str, name: &str, is_there: impl FnOnce() -> bool, cure: &str) -> Option<()> {
    if is_unwanted(unwanted, name) {
        println!("this run is without {name}");
        return None;
    }
    assert!(is_there(), "{name} is missing: {cure}; {WITHOUT}={name} leaves out the tests that need it");
    Some(())
}

fn is_unwanted(unwanted: &str, name: &str) -> bool {
    assert!(NAMES.contains(&name), "{name} is not in the list of peers");
    let unwanted: Vec<&str> = unwanted.split(',').map(str::trim).filter(|unwanted| !unwanted.is_empty()).collect();
    for unwanted in &unwanted {
        assert!(NAMES.contains(unwanted), "{WITHOUT} names {unwanted}; it takes {}", NAMES.join(", "));
    }
    unwanted.contains(&name)
}

#[test]
fn a_peer_is_left_out_only_by_its_own_name() {
    for (unwanted, is_left_out) in [("", false), ("postgres", false), ("nginx", true), ("postgres, nginx", true)] {
        assert_eq!(is_unwanted(unwanted, "nginx"), is_left_out, "{unwanted}");
    }
}

#[test]
#[should_panic(expected = "nginx is missing: install it; QUARTERDECK_TEST_WITHOUT=nginx leaves out")]
fn a_missing_peer_is_a_failure_that_names_the_cure() {
    present_in("", "nginx", || false, "install it");
}

#[test]
#[should_panic(expected = "QUARTERDECK_TEST_WITHOUT names ngnix; it takes azure, ")]
fn a_name_that_is_no_peer_is_a_failure() {
    is_unwanted("ngnix", "nginx");
}
