//! Failed upgrades: the program stays unchanged, and no files are left beside it.

use std::os::unix::fs::{MetadataExt, chown};

use rustix::fs::{FlockOperation, flock};
use serde_json::{Value, json};

use crate::support::needs;
use crate::support::release::{Answer, NEWER, Rest, teller};
use crate::support::stand::Stand;
use crate::support::trail::newest_in;
use crate::support::waiting::until;
use crate::support::web_peer::WebPeer;

const UPGRADE: &str = "/upgrade_to_enterprise";
const ALLOWED: &str = "/upgrade_to_enterprise/allowed";
const PROGRAM: &str = "/latest/quarterdeck-next";
const MANIFEST: &str = "/latest/release.json";
const SIGNATURE: &str = "/latest/release.json.sig";
const GENERIC: &str = "api.upgrade_to_enterprise.generic_error.app_error";
const UNPROVED: &str = "the signature of the release does not match the configured key";

/// The id of an unprivileged user that exists on all systems.
const NOBODY: u32 = 65_534;

impl Stand {
    /// Runs an upgrade that must fail for this reason and change no file.
    async fn fails(&self, reason: &str) {
        let before = std::fs::metadata(&self.program).unwrap();
        self.begin().await;
        let status = self.ended().await;
        let error = status["error"].as_str().unwrap_or_default();
        assert!(error.contains(reason), "{reason}: {status}");
        assert_eq!(status["percentage"], 0);
        let after = std::fs::metadata(&self.program).unwrap();
        let state = |file: &std::fs::Metadata| (file.ino(), file.len(), file.mtime_nsec(), file.mode());
        assert_eq!(state(&before), state(&after), "{reason}");
        assert_eq!(self.files(), ["quarterdeck"], "{reason}");
    }
}

#[actix_web::test]
async fn a_release_that_is_not_proved_newer_and_for_this_machine_is_not_fetched() {
    let stand = Stand::start().await;
    let releases = &stand.releases;
    let bytes = |text: &str| Answer::Bytes(text.as_bytes().into());
    stand.fails("127.0.0.1 answered 404").await;
    releases.offer_with_other_keys(&teller(NEWER));
    stand.fails(UNPROVED).await;
    releases.offer(&teller(NEWER), &json!({}));
    releases.answer(MANIFEST, bytes("{}"));
    stand.fails(UNPROVED).await;
    releases.offer(&teller(NEWER), &json!({}));
    releases.answer(SIGNATURE, bytes(&"x".repeat(2_000)));
    stand.fails("larger than 1024 bytes").await;
    releases.answer(SIGNATURE, bytes("x"));
    stand.fails(UNPROVED).await;
    for (other, reason) in [
        (json!({ "version": env!("CARGO_PKG_VERSION") }), "not newer"),
        (json!({ "version": "0.0.1" }), "not newer"),
        (json!({ "expires": "2020-01-01T00:00:00Z" }), "may withhold a newer one"),
        (json!({ "expires": Value::Null }), "cannot be read"),
        (json!({ "target": "pdp11-linux-gnu" }), "is for pdp11-linux-gnu"),
        (json!({ "size": 1_u64 << 31 }), "the limit is 1 GiB"),
        (json!({ "file": "../quarterdeck-next" }), "is not a plain file name"),
        (json!({ "sha256": Value::Null }), "cannot be read"),
    ] {
        releases.offer(&teller(NEWER), &other);
        stand.fails(reason).await;
    }
    let log = std::fs::read_to_string(stand.place.path("stderr")).unwrap();
    assert!(log.contains("upgrade failed; nothing has changed"), "{log}");
    assert!(std::fs::read(&stand.program).unwrap() == std::fs::read(env!("CARGO_BIN_EXE_quarterdeck")).unwrap());
}

#[actix_web::test]
async fn after_an_upgrade_began_to_install_a_release_no_earlier_one_is_taken() {
    let stand = Stand::start().await;
    stand.releases.offer(&teller(NEWER), &json!({ "sha256": "0a".repeat(32) }));
    stand.fails("does not match the manifest").await;
    stand.releases.offer(&teller("998.0.0"), &json!({ "version": "998.0.0" }));
    stand
        .fails(&format!("the release is 998.0.0, which is older than {NEWER}, which an upgrade has begun to install"))
        .await;
    stand.releases.offer(&teller(NEWER), &json!({}));
    stand.begin().await;
    assert_eq!(stand.ended().await["percentage"], 100);
}

#[actix_web::test]
async fn a_download_that_is_not_what_was_signed_takes_nobodys_place() {
    let stand = Stand::prepared(1, |_| ()).await;
    let releases = &stand.releases;
    let program: Vec<u8> = teller(NEWER).repeat(1_000);
    let answers = |answer: Answer| {
        releases.offer(&program, &json!({}));
        releases.answer(PROGRAM, answer);
    };
    let mut other = program.clone();
    other[500] ^= 1;
    answers(Answer::Bytes(other.into()));
    stand.fails("does not match the manifest").await;
    answers(Answer::Bytes(program[..999].into()));
    stand.fails(&format!("the file ended after 999 of {} bytes", program.len())).await;
    answers(Answer::Bytes([program.as_slice(), b"\n"].concat().into()));
    stand.fails(&format!("longer than the {} bytes", program.len())).await;
    answers(Answer::Half(program.clone().into(), Rest::Closed));
    stand.fails("127.0.0.1 cannot be reached").await;
    answers(Answer::Half(program.clone().into(), Rest::Withheld));
    stand.fails("127.0.0.1 sent no data for 1 s").await;
    let inner = WebPeer::start().await;
    answers(Answer::Redirect(format!("{}/quarterdeck-next", inner.url())));
    stand.fails("127.0.0.1 is a loopback address").await;
    assert_eq!(inner.count(), 0);
    releases.answer(PROGRAM, None);
    stand.fails("127.0.0.1 answered 404").await;
    releases.answer(MANIFEST, Answer::Redirect(format!("{}/release.json", inner.url())));
    stand.fails("127.0.0.1 is a loopback address").await;
}

#[actix_web::test]
async fn a_program_that_does_not_run_here_or_is_another_one_takes_nobodys_place() {
    let stand = Stand::start().await;
    for (program, reason) in [
        (b"\x7fELF and so on".to_vec(), "the new program does not run here"),
        (b"#!/nowhere/at/all\n".to_vec(), "the new program does not run here"),
        (b"#!/bin/sh\nexit 3\n".to_vec(), "it ended with exit status: 3"),
        (teller("999.0.1"), "printed the version \"quarterdeck 999.0.1\""),
        (b"#!/bin/sh\necho ${CARGO_MANIFEST_DIR:-nothing}\n".to_vec(), "printed the version \"nothing\""),
        (b"#!/bin/sh\nexec yes\n".to_vec(), "does not run here"),
        (b"#!/bin/sh\nexec sleep 600\n".to_vec(), "did not print its version within 10s"),
    ] {
        stand.releases.offer(&program, &json!({}));
        stand.fails(reason).await;
    }
    // The last of the programs is not left running.
    let is_gone = async || !processes().iter().any(|line| line.ends_with("sleep\x00600\x00"));
    until("nobody sleeps", is_gone).await;
}

#[actix_web::test]
async fn two_servers_with_one_program_do_not_replace_it_at_once() {
    let stand = Stand::start().await;
    stand.releases.offer(&teller(NEWER), &json!({}));
    let other = std::fs::File::open(&stand.program).unwrap();
    flock(&other, FlockOperation::NonBlockingLockExclusive).unwrap();
    stand.fails("another process is upgrading this program").await;
    drop(other);
    stand.begin().await;
    assert_eq!(stand.ended().await["percentage"], 100);
    stand.admin.audits().await;
    let begun = newest_in(&stand.place.path(""), "upgradeToEnterprise").await;
    assert_eq!((&begun["status"], &begun["code"]), (&json!("success"), &json!(202)));
}

#[actix_web::test]
async fn who_may_not_replace_the_program_is_told_what_to_change() {
    let Some(()) = needs::root() else { return };
    let stand = Stand::prepared(60, |place| place.run_as(NOBODY)).await;
    stand.releases.offer(&teller(NEWER), &json!({}));
    let folder = stand.program.parent().unwrap();
    for (folder_of, program_of, id) in [
        (0, 0, "api.upgrade_to_enterprise.invalid-user-and-permission.app_error"),
        (0, NOBODY, "api.upgrade_to_enterprise.invalid-permission.app_error"),
        (NOBODY, 0, "api.upgrade_to_enterprise.invalid-user.app_error"),
    ] {
        chown(folder, Some(folder_of), None).unwrap();
        chown(&stand.program, Some(program_of), None).unwrap();
        for refused in [stand.admin.get(ALLOWED).await, stand.admin.post(UPGRADE, json!({})).await] {
            refused.expect_refusal(403, id);
            assert!(refused.text().contains("65534") && !refused.text().contains("{{"), "{}", refused.text());
        }
    }
    chown(&stand.program, Some(NOBODY), None).unwrap();
    stand.admin.get(ALLOWED).await.expect_ok();
    // The program was replaced by another process, so the file is not the running program and must not become the
    // previous one.
    std::fs::rename(&stand.program, folder.join("aside")).unwrap();
    stand.admin.get(ALLOWED).await.expect_refusal(403, GENERIC);
    std::fs::write(&stand.program, "another program").unwrap();
    let refused = stand.admin.post(UPGRADE, json!({})).await;
    refused.expect_refusal(403, GENERIC);
    assert!(refused.text().contains("restart the server first"), "{}", refused.text());
    assert_eq!(stand.status().await, json!({ "error": null, "percentage": 0 }));
}

/// Returns the command lines of all processes.
fn processes() -> Vec<String> {
    let entries = std::fs::read_dir("/proc").unwrap().flatten();
    entries.filter_map(|entry| std::fs::read_to_string(entry.path().join("cmdline")).ok()).collect()
}
