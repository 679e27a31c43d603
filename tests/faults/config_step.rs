//! A write of the configuration file that is killed or fails at each of its steps leaves the old or the new version.

use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use crate::support::Process;
use crate::support::config_place::{ConfigPlace, StoreKind};
use crate::support::peers;

/// The maximum number of steps of a write.
const MAX_STEPS: usize = 60;

#[actix_web::test]
async fn a_write_that_is_killed_at_any_step_leaves_the_old_version_or_the_new_one() {
    let shim = Shim::new();
    for act in ["kill", "half"] {
        let place = ConfigPlace::new(StoreKind::InFile).await;
        let mut before = ("Mattermost".to_owned(), "default".to_owned());
        // The first write creates the file in other steps. It is repeated until it succeeds.
        for part in ["first", "next"] {
            for at in 1..=MAX_STEPS {
                assert!(at < MAX_STEPS, "a write takes more steps than expected");
                let server = shim.start(&place, act, at).await;
                let name = format!("{part} {act} {at}");
                let reply = place.try_rename(&name).await;
                let acknowledged = reply.is_ok();
                if let Ok(reply) = reply {
                    reply.expect(200);
                }
                server.kill().await;
                let server = place.start().await;
                let found = place.in_force().await;
                server.kill().await;
                let is_new = found.0 == name;
                assert!(is_new || (found == before && !acknowledged), "{name}: {found:?} after {before:?}");
                assert!(found.1 != "default" || before.1 == "default", "{name}: on defaults");
                let was_first = before.1 == "default";
                before = found;
                if acknowledged {
                    println!("{part} write, {act}: {} steps", at - 1);
                    break;
                }
                // The first write is complete when it left a file. The place starts again until no write is killed.
                if was_first && before.1 != "default" {
                    begin_anew(&place);
                    before = ("Mattermost".to_owned(), "default".to_owned());
                }
            }
        }
    }
}

#[actix_web::test]
async fn a_write_that_fails_at_any_step_is_refused_and_the_next_one_succeeds() {
    let shim = Shim::new();
    let place = ConfigPlace::new(StoreKind::InFile).await;
    for at in 1..MAX_STEPS {
        let server = shim.start(&place, "fail", at).await;
        let before = place.in_force().await;
        let name = format!("fail {at}");
        let reply = place.try_rename(&name).await.unwrap();
        let is_through = reply.status == 200;
        if is_through {
            assert!(at > 8, "a write takes fewer steps than expected");
            return;
        }
        reply.expect_refusal(500, "app.save_config.app_error");
        assert_eq!(place.in_force().await, before, "{name}");
        let version = place.rename("after the failure").await;
        server.kill().await;
        let server = place.start().await;
        assert_eq!(place.in_force().await, ("after the failure".to_owned(), version), "{name}");
        place.rename("before the failure").await;
        server.kill().await;
    }
    panic!("a write takes more steps than expected");
}

fn begin_anew(place: &ConfigPlace) {
    std::fs::remove_dir_all(place.store()).unwrap();
    std::fs::create_dir(place.store()).unwrap();
}

/// A library between the server and the kernel.
struct Shim {
    _folder: TempDir,
    library: PathBuf,
}

impl Shim {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let library = folder.path().join("config_step.so");
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/faults/config_step.c");
        let made =
            Command::new(peers::tool("cc")).args(["-shared", "-fPIC", "-O1", "-o"]).arg(&library).arg(source).status();
        assert!(made.unwrap().success(), "the library cannot be built");
        Self { _folder: folder, library }
    }

    async fn start(&self, place: &ConfigPlace, act: &str, at: usize) -> Process {
        let (library, path) = (self.library.display().to_string(), place.store().display().to_string());
        let at = at.to_string();
        let variables =
            [("LD_PRELOAD", &*library), ("QD_STEP_PATH", &*path), ("QD_STEP_ACT", act), ("QD_STEP_AT", &*at)];
        let mut process = place.home.launch_with(&variables);
        process.listens().await;
        process
    }
}
