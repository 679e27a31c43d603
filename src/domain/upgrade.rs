//! Replaces this program with a newer release: finds it, verifies it, downloads it, runs it once, and moves it in
//! place.
//!
//! Until the last step, everything happens in a separate file, which is deleted after a failure.

mod candidate;
mod looks;
mod manifest;
mod program;
mod source;
mod trial_run;

use std::fmt::Display;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use quarterdeck_actors::audit::{AuditHandle, AuditRecord, Status};
use quarterdeck_actors::config::ConfigHandle;
use quarterdeck_actors::config::view::ServiceSettings;
use quarterdeck_actors::error::AppError;
use quarterdeck_actors::upgrade::{Outcome, Progress, Release, Replacement, Scope};
use semver::Version;
use serde_json::json;
use time::OffsetDateTime;
use tokio::task::spawn_blocking;
use tokio::time::timeout;

use crate::base::error_text::text_of;
use crate::outbound::client::{Call, CallFailure, Chosen, Outbound};
use crate::store::{Db, own_record};
use candidate::Candidate;
use looks::Looks;
use manifest::Manifest;
use program::Program;
pub(crate) use source::Source;

/// The time limit until the release is in place.
const INSTALL_TIMEOUT: Duration = Duration::from_mins(30);

/// The time limit for the proof that the file of the program is the newest release. Other servers wait for it.
const PROOF_TIMEOUT: Duration = Duration::from_secs(3);

/// The number of digits of a SHA-256 that an error shows.
const SHOWN_DIGITS: usize = 12;

const FAILED: &str = "api.upgrade_to_enterprise_status.app_error";
const UNPROVED: &str = "api.upgrade_to_enterprise_status.signature.app_error";
const NOT_HERE: &str = "api.upgrade_to_enterprise.generic_error.app_error";

/// Installs releases of the configured source in place of the running program.
#[derive(Clone)]
pub(crate) struct Upgrades(Arc<Parts>);

struct Parts {
    source: Option<Source>,
    /// The path of the running program, or the reason why it is unknown.
    program: Result<Arc<Program>, String>,
    looks: Looks,
    outbound: Arc<Outbound>,
    config: ConfigHandle,
    audit: AuditHandle,
    /// The database that stores which releases were offered.
    db: Db,
}

impl Upgrades {
    /// Returns the upgrader of the running program. Without a source, no upgrade is possible.
    pub(crate) fn new(
        source: Option<Source>,
        outbound: Arc<Outbound>,
        config: ConfigHandle,
        audit: AuditHandle,
        db: Db,
    ) -> Self {
        let program = Program::running().map(Arc::new).map_err(|cause| cause.to_string());
        Self(Arc::new(Parts { source, program, looks: Looks::default(), outbound, config, audit, db }))
    }
}

impl Replacement for Upgrades {
    fn check(&self) -> BoxFuture<'static, Result<(), AppError>> {
        let parts = self.0.clone();
        async move { parts.checked().await.map(drop) }.boxed()
    }

    fn is_replaced(&self) -> BoxFuture<'static, bool> {
        let parts = self.0.clone();
        async move { parts.is_replaced().await }.boxed()
    }

    fn is_in_place(&self) -> BoxFuture<'static, bool> {
        let parts = self.0.clone();
        async move {
            if parts.looks.is_hanging() {
                return false;
            }
            let proof = Box::pin(timeout(PROOF_TIMEOUT, parts.accept_replaced(&Scope::Among(None))));
            proof.await.is_ok_and(|proved| proved.is_ok())
        }
        .boxed()
    }

    fn replace(&self, scope: Scope, progress: Progress) -> BoxFuture<'static, Result<Outcome, AppError>> {
        let parts = self.0.clone();
        async move {
            let outcome = parts.replace(&scope, &progress).await;
            parts.audit.record(record(&outcome)).await;
            outcome
        }
        .boxed()
    }
}

impl Parts {
    /// Returns the program and the source of its releases, or the reason why it cannot be upgraded.
    async fn checked(&self) -> Result<(Arc<Program>, &Source), AppError> {
        let (program, source) = self.program_and_source()?;
        let looked_at = program.clone();
        let path = program.path().display();
        let found = self.looks.look(move || looked_at.check()).await;
        let found = found.map_err(|cause| not_here(&format!("the look at {path} failed: {cause}")))?;
        found.ok_or_else(|| not_here(&format!("the file system of {path} does not answer")))??;
        Ok((program, source))
    }

    /// Returns the program, whatever is in its place, and the source of its releases.
    fn program_and_source(&self) -> Result<(Arc<Program>, &Source), AppError> {
        if !cfg!(target_os = "linux") {
            return Err(AppError::new("api.upgrade_to_enterprise.system_not_supported.app_error"));
        }
        let source = self.source.as_ref().ok_or_else(|| {
            not_here("no release source is configured: set ReleaseURL and ReleasePublicKeyFile in [Quarterdeck]")
        })?;
        let program = self.program.clone().map_err(|cause| not_here(&cause))?;
        Ok((program, source))
    }

    async fn is_replaced(&self) -> bool {
        let Ok(program) = self.program.clone() else { return false };
        self.looks.look(move || program.is_replaced()).await.ok().flatten().unwrap_or_default()
    }

    async fn replace(&self, scope: &Scope, progress: &Progress) -> Result<Outcome, AppError> {
        if self.is_replaced().await {
            let accepting = Box::pin(timeout(INSTALL_TIMEOUT, self.accept_replaced(scope)));
            let accepted = accepting.await.map_err(|_| failed("the upgrade took longer than 30 minutes"))??;
            if let Outcome::InPlace(release) = &accepted {
                self.note(&Version::parse(&release.version).map_err(failed)?).await?;
            }
            return Ok(accepted);
        }
        let (program, source) = match self.checked().await {
            Ok(checked) => checked,
            // A program that cannot be replaced, but is the release already, is no reason to end an upgrade of several.
            Err(refusal) if *scope != Scope::Alone => {
                let proof = Box::pin(timeout(PROOF_TIMEOUT, self.accept_replaced(scope)));
                return proof.await.ok().and_then(Result::ok).ok_or(refusal);
            }
            Err(refusal) => return Err(refusal),
        };
        let preparing = Box::pin(timeout(INSTALL_TIMEOUT, self.prepare(&program, source, scope, progress)));
        let prepared = preparing.await.map_err(|_| failed("the upgrade took longer than 30 minutes"))??;
        let (candidate, release) = match prepared {
            Prepared::Newer(candidate, release) => (candidate, release),
            Prepared::Running(release) => return Ok(Outcome::Running(release)),
        };
        // The move runs to its end even if the task that waits for it is dropped, so it never stops half-way.
        let moved = spawn_blocking(move || candidate.take_the_place_of(&program)).await;
        moved.map_err(failed)?.map_err(|cause| failed(format_args!("the program cannot be replaced: {cause}")))?;
        Ok(Outcome::InPlace(release))
    }

    /// Returns the newest release if it is in the place of the program already, because another server that runs the same
    /// file installed it. The signed manifest proves it.
    async fn accept_replaced(&self, scope: &Scope) -> Result<Outcome, AppError> {
        let (program, source) = self.program_and_source()?;
        let manifest = self.newest(source, scope).await?;
        let (path, size) = (program.path().to_owned(), manifest.size);
        let hashed = spawn_blocking(move || candidate::digest_of(&path, size)).await.map_err(failed)?;
        let is_release = hashed.map_err(failed)? == manifest.sha256;
        if !is_release {
            return Err(failed(format_args!(
                "{} is neither the running program any more nor the newest release; restart the server first",
                program.path().display()
            )));
        }
        let release = manifest.release();
        Ok(if manifest.is_running() { Outcome::Running(release) } else { Outcome::InPlace(release) })
    }

    /// Returns the manifest of the newest release, whose signature is valid. Refuses one that may not be installed in this
    /// upgrade.
    async fn newest(&self, source: &Source, scope: &Scope) -> Result<Manifest, AppError> {
        let config = self.config.current();
        let service = &config.view.service;
        let signed = self.fetch(source.manifest(), manifest::MAX_MANIFEST_BYTES, service).await.map_err(failed)?;
        let signature = self.fetch(source.signature(), source::MAX_SIGNATURE_BYTES, service).await.map_err(failed)?;
        source.verify(&signed, &signature).map_err(|cause| AppError::new(UNPROVED).because(cause))?;
        let seen = self.db.newest_release().await.map_err(failed)?;
        let manifest = Manifest::read(&signed, OffsetDateTime::now_utc(), seen.as_ref()).map_err(failed)?;
        match scope {
            Scope::Alone if manifest.is_running() => Err(failed(manifest.not_newer())),
            Scope::Among(Some(wanted)) if !wanted.is_same(&manifest.release()) => Err(another(&manifest, wanted)),
            Scope::Alone | Scope::Among(_) => Ok(manifest),
        }
    }

    /// Notes a release that is about to be installed, or was found in place: an older one is refused from now on. One that
    /// is only offered counts for nothing, because other servers may be about to install an older one.
    async fn note(&self, version: &Version) -> Result<(), AppError> {
        self.db.note_release(version).await.map_err(failed)
    }

    /// Downloads the newest release into a file beside the program, verifies it and runs it once.
    async fn prepare(
        &self,
        program: &Arc<Program>,
        source: &Source,
        scope: &Scope,
        progress: &Progress,
    ) -> Result<Prepared, AppError> {
        // The file is opened first: it locks out other upgrades, and deletes the rest of an earlier attempt.
        let mut candidate = opened(program.clone()).await.map_err(failed)?;
        let manifest = self.newest(source, scope).await?;
        if manifest.is_running() {
            return Ok(Prepared::Running(manifest.release()));
        }
        self.note(&manifest.version).await?;
        let config = self.config.current();
        self.download(source, &manifest, &mut candidate, &config.view.service, progress).await?;
        let candidate = candidate.finished(program.access()).await.map_err(|cause| unwritten(&cause))?;
        trial_run::run(candidate.path(), &manifest.version).await.map_err(failed)?;
        Ok(Prepared::Newer(Box::new(candidate), manifest.release()))
    }

    async fn fetch(&self, url: String, largest: usize, service: &ServiceSettings) -> Result<Vec<u8>, CallFailure> {
        let call = Call { largest_answer: largest, ..Call::get(url, Chosen::InConfiguration) };
        let received = self.outbound.call(call, service).await?.ok()?;
        Ok(received.body.into())
    }

    async fn download(
        &self,
        source: &Source,
        manifest: &Manifest,
        candidate: &mut Candidate,
        service: &ServiceSettings,
        progress: &Progress,
    ) -> Result<(), AppError> {
        let call = Call::get(source.beside(&manifest.file), Chosen::InConfiguration);
        let mut incoming = self.outbound.open(call, service).await.and_then(crate::outbound::client::Incoming::ok);
        let incoming = incoming.as_mut().map_err(|cause| failed(&*cause))?;
        while let Some(piece) = incoming.next(source.silence()).await.map_err(failed)? {
            let size = candidate.size().saturating_add(u64::try_from(piece.len()).unwrap_or(u64::MAX));
            if size > manifest.size {
                return Err(failed(format_args!(
                    "the file is longer than the {} bytes that the manifest gives",
                    manifest.size
                )));
            }
            candidate.write(&piece).await.map_err(|cause| unwritten(&cause))?;
            progress.tell(size, manifest.size);
        }
        if candidate.size() < manifest.size {
            let (size, all) = (candidate.size(), manifest.size);
            return Err(failed(format_args!("the file ended after {size} of {all} bytes")));
        }
        let is_it = candidate.digest() == manifest.sha256;
        is_it.then_some(()).ok_or_else(|| failed("the SHA-256 of the file does not match the manifest"))
    }
}

/// The newest release before its move to the place of the program.
enum Prepared {
    /// It is downloaded and verified.
    Newer(Box<Candidate>, Release),
    /// The program is this release already.
    Running(Release),
}

/// Creates an empty file beside the program, after deleting the rest of an earlier attempt.
async fn opened(program: Arc<Program>) -> Result<Candidate, String> {
    let opened = spawn_blocking(move || Candidate::open(&program)).await;
    opened.map_err(|cause| cause.to_string())?.map_err(|cause| {
        let is_locked = cause.kind() == io::ErrorKind::WouldBlock;
        if is_locked {
            return "another process is upgrading this program".to_owned();
        }
        format!("no file can be created beside the program: {cause}")
    })
}

/// Returns the audit record of a finished upgrade.
fn record(outcome: &Result<Outcome, AppError>) -> AuditRecord {
    let (status, parameters) = match outcome {
        Ok(Outcome::InPlace(release) | Outcome::Running(release)) => {
            (Status::Success, json!({ "version": release.version }))
        }
        Err(cause) => (Status::Fail, json!({ "reason": text_of(cause) })),
    };
    own_record("endUpgrade", status, parameters)
}

/// Returns the error of a source that offers another release than the one that other servers have.
fn another(manifest: &Manifest, wanted: &Release) -> AppError {
    let prefix = |sha256: &str| sha256.chars().take(SHOWN_DIGITS).collect::<String>();
    failed(format_args!(
        "ReleaseURL offers {} (SHA-256 {}…) here, and other servers have {} (SHA-256 {}…); restart those and begin again, or \
         let it offer the same release on every server",
        manifest.version,
        prefix(&manifest.sha256),
        wanted.version,
        prefix(&wanted.sha256)
    ))
}

fn not_here(reason: &str) -> AppError {
    AppError::new(NOT_HERE).with("Reason", reason)
}

fn unwritten(cause: &io::Error) -> AppError {
    failed(format_args!("the file cannot be written: {cause}"))
}

fn failed(reason: impl Display) -> AppError {
    AppError::new(FAILED).with("Reason", reason.to_string())
}
