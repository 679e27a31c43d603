//! The manifest of a release: a few lines of JSON, signed as a whole.

use std::cmp::Ordering;
use std::env::consts::{ARCH, OS};

use data_encoding::HEXLOWER;
use quarterdeck_actors::upgrade::Release;
use semver::Version;
use serde::Deserialize;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::base::version::VERSION;

/// The largest accepted manifest, in bytes.
pub(super) const MAX_MANIFEST_BYTES: usize = 64 << 10;

/// The largest accepted program, in bytes.
const MAX_PROGRAM_BYTES: u64 = 1 << 30;

/// The C library that this program is linked with. A program for another one does not run here.
const LIBRARY: &str = if cfg!(target_env = "musl") { "musl" } else { "gnu" };

/// A release that may replace this program. Other members of the manifest are ignored.
#[derive(Debug, PartialEq, Deserialize)]
pub(super) struct Manifest {
    pub(super) version: Version,
    /// The target platform.
    target: String,
    /// The name of the program's file, which is beside the manifest.
    pub(super) file: String,
    /// The size of the program, in bytes.
    pub(super) size: u64,
    /// The SHA-256 of the program, in lower-case hexadecimal.
    pub(super) sha256: String,
    /// The time until which the manifest may count as the newest.
    expires: String,
}

impl Manifest {
    /// Reads a verified manifest. Refuses a release that is older than this program, is for another platform, or is invalid.
    ///
    /// A source cannot offer an old manifest as the newest: manifests expire, and a release older than `seen`, the
    /// newest offered so far, is refused.
    pub(super) fn read(text: &[u8], now: OffsetDateTime, seen: Option<&Version>) -> Result<Self, String> {
        let manifest: Self =
            serde_json::from_slice(text).map_err(|cause| format!("the manifest cannot be read: {cause}"))?;
        let running = Version::parse(VERSION).map_err(|cause| format!("this version, {VERSION}: {cause}"))?;
        if manifest.version.cmp_precedence(&running) == Ordering::Less {
            return Err(manifest.not_newer());
        }
        if let Some(seen) = seen.filter(|seen| manifest.version.cmp_precedence(seen) == Ordering::Less) {
            return Err(format!(
                "the release is {}, which is older than {seen}, which an upgrade has begun to install",
                manifest.version
            ));
        }
        let expires = OffsetDateTime::parse(&manifest.expires, &Rfc3339);
        let expires = expires.map_err(|_| "the manifest has no valid date and time in `expires`".to_owned())?;
        if expires <= now {
            return Err(format!("the manifest expired at {}: the source may withhold a newer one", manifest.expires));
        }
        if manifest.target != target() {
            return Err(format!("the release is for {}, and this machine is {}", manifest.target, target()));
        }
        let is_plain = |letter: char| letter.is_ascii_alphanumeric() || "-_.+".contains(letter);
        if !manifest.file.chars().all(is_plain) || manifest.file.chars().all(|letter| letter == '.') {
            return Err("the file name in the manifest is not a plain file name".to_owned());
        }
        if !(1..=MAX_PROGRAM_BYTES).contains(&manifest.size) {
            return Err(format!("the program has {} bytes; the limit is 1 GiB", manifest.size));
        }
        let is_digest = HEXLOWER.decode(manifest.sha256.as_bytes()).is_ok_and(|digest| digest.len() == 32);
        is_digest.then_some(manifest).ok_or_else(|| "the manifest has no SHA-256 in hexadecimal digits".to_owned())
    }

    /// Returns true if this program has the version of the release.
    pub(super) fn is_running(&self) -> bool {
        Version::parse(VERSION).is_ok_and(|running| self.version.cmp_precedence(&running) == Ordering::Equal)
    }

    /// Returns the reason why a release that is not newer is refused.
    pub(super) fn not_newer(&self) -> String {
        format!("the release is {}, which is not newer than {VERSION}", self.version)
    }

    pub(super) fn release(&self) -> Release {
        Release { version: self.version.to_string(), target: self.target.clone(), sha256: self.sha256.clone() }
    }
}

/// Returns the platform of this program.
pub(super) fn target() -> String {
    format!("{ARCH}-{OS}-{LIBRARY}")
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};
    use time::macros::datetime;

    use super::*;

    fn read(change: impl Fn(&mut Value)) -> Result<Manifest, String> {
        let mut manifest = json!({
            "version": "999.0.0", "target": target(), "file": "quarterdeck-999.0.0", "size": 5, "sha256": "0a".repeat(32),
            "expires": "2026-06-01T00:00:00Z", "notes": "for people",
        });
        change(&mut manifest);
        read_after(&manifest, Some(&Version::new(998, 0, 0)))
    }

    fn read_after(manifest: &Value, seen: Option<&Version>) -> Result<Manifest, String> {
        Manifest::read(manifest.to_string().as_bytes(), datetime!(2026-05-31 23:59:59 UTC), seen)
    }

    #[test]
    fn the_release_that_runs_is_told_from_a_newer_one() {
        for version in [VERSION.to_owned(), format!("{VERSION}+later")] {
            let manifest = json!({
                "version": version, "target": target(), "file": "quarterdeck", "size": 5, "sha256": "0a".repeat(32),
                "expires": "2026-06-01T00:00:00Z",
            });
            let running = read_after(&manifest, None).unwrap();
            assert!(running.is_running() && running.not_newer().contains("not newer"), "{version}");
            assert_eq!(running.release().version, version);
        }
    }

    #[test]
    fn a_newer_release_for_this_machine_is_taken_and_nothing_else() {
        assert_eq!(read(|_| ()).unwrap().version, Version::new(999, 0, 0));
        read(|manifest| manifest["version"] = json!("998.0.0")).unwrap();
        assert!(!read(|_| ()).unwrap().is_running());
        for (member, value, reason) in [
            ("version", json!(format!("{VERSION}-rc.1")), "not newer"),
            ("version", json!("0.0.1"), "not newer"),
            ("version", json!("next"), "cannot be read"),
            ("version", json!("997.9.9"), "998.0.0, which an upgrade has begun to install"),
            ("version", json!("998.0.0-rc.1"), "998.0.0, which an upgrade has begun to install"),
            ("expires", json!("2026-05-31T23:59:59Z"), "may withhold a newer one"),
            ("expires", json!("2026-06-01T01:00:00+02:00"), "may withhold a newer one"),
            ("expires", json!("2027-01-01"), "no valid date and time"),
            ("expires", Value::Null, "cannot be read"),
            ("target", json!("pdp11-linux-gnu"), "is for pdp11-linux-gnu"),
            ("file", json!("../quarterdeck"), "is not a plain file name"),
            ("file", json!(".."), "is not a plain file name"),
            ("file", json!(""), "is not a plain file name"),
            ("file", json!("http:quarterdeck"), "is not a plain file name"),
            ("size", json!(0), "0 bytes"),
            ("size", json!((1_u64 << 30) + 1), "the limit is 1 GiB"),
            ("size", json!(-1), "cannot be read"),
            ("sha256", json!("0A".repeat(32)), "no SHA-256"),
            ("sha256", json!("0a"), "no SHA-256"),
            ("sha256", Value::Null, "cannot be read"),
        ] {
            let refusal = read(|manifest| manifest[member] = value.clone()).unwrap_err();
            assert!(refusal.contains(reason), "{member} {value}: {refusal}");
        }
    }
}
