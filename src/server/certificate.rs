//! The certificate of the TLS listener, and how a renewed one comes into use.
//!
//! Certificates are renewed by other programs, which replace two files. The server looks at both files every
//! [`LOOK_INTERVAL`] and at SIGHUP, and follows symbolic links, because certbot and Kubernetes switch those. A pair that
//! cannot be used changes nothing: the two files may be half-written, or not replaced at the same moment. It is tried
//! again at each look, and logged once.

use std::fs::metadata;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, RwLock, Weak};
use std::time::Duration;

use quarterdeck_actors::config::view::ServiceSettings;
use quarterdeck_actors::task;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use tokio::task::spawn_blocking;
use tracing::{info, warn};

use crate::base::trust::provider;
use crate::settings::named_file::{MAX_KEY_BYTES, contents};

/// The interval between two looks at the files. A look costs two calls of the system if nothing has changed.
const LOOK_INTERVAL: Duration = Duration::from_secs(5);

/// The certificate and its key, as new connections use them.
pub(super) struct Certificate {
    files: Files,
    current: RwLock<Arc<CertifiedKey>>,
    seen: Mutex<Seen>,
}

#[derive(Debug, Clone)]
struct Files {
    chain: PathBuf,
    key: PathBuf,
}

/// The state of both files at the last look.
#[derive(Debug, Default)]
struct Seen {
    /// The state of the files whose pair is in use.
    used: Option<State>,
    /// The state of the files whose pair was refused, and the reason.
    refused: Option<(Option<State>, String)>,
}

/// A state of both files. A file that is written or replaced has another one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct State([FileState; 2]);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct FileState {
    device: u64,
    inode: u64,
    bytes: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl Certificate {
    /// Reads the pair for the start. The error names the setting.
    pub(super) fn open(service: &ServiceSettings) -> Result<Arc<Self>, String> {
        let files = Files { chain: PathBuf::from(&service.tls_cert_file), key: PathBuf::from(&service.tls_key_file) };
        let used = files.state();
        let current = RwLock::new(Arc::new(files.read()?));
        Ok(Arc::new(Self { files, current, seen: Mutex::new(Seen { used, refused: None }) }))
    }

    /// Looks at the files from now on, as long as a listener uses the certificate.
    pub(super) fn watch(self: &Arc<Self>) {
        let certificate = Arc::downgrade(self);
        task::keep("watch_certificate", move || keep_looking(certificate.clone()));
    }

    /// Uses the pair in the files from now on if they have changed. Connections that are open keep theirs.
    pub(super) async fn renew(self: &Arc<Self>) {
        let certificate = self.clone();
        // A file system that hangs must not block the thread that serves requests.
        if spawn_blocking(move || certificate.look()).await.is_err() {
            warn!("the TLS certificate could not be read again");
        }
    }

    fn look(&self) {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let state = self.files.state();
        if state.is_some() && state == seen.used {
            seen.refused = None;
            return;
        }
        // The state is taken before the files are read: if they change meanwhile, the next look finds another state.
        match self.files.read() {
            Ok(pair) => {
                *self.current.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(pair);
                *seen = Seen { used: state, refused: None };
                info!(tls.certificate = %self.files.chain.display(), "a renewed TLS certificate is in use");
            }
            Err(cause) => {
                let is_known = seen.refused.as_ref().is_some_and(|known| *known == (state, cause.clone()));
                if !is_known {
                    warn!(%cause, "the renewed TLS certificate cannot be used; the earlier one stays in use");
                }
                seen.refused = Some((state, cause));
            }
        }
    }
}

async fn keep_looking(certificate: Weak<Certificate>) {
    while let Some(certificate) = certificate.upgrade() {
        certificate.renew().await;
        drop(certificate);
        tokio::time::sleep(LOOK_INTERVAL).await;
    }
}

impl ResolvesServerCert for Certificate {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.current.read().unwrap_or_else(PoisonError::into_inner).clone())
    }
}

impl std::fmt::Debug for Certificate {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Certificate").field("files", &self.files).finish_non_exhaustive()
    }
}

impl Files {
    /// Returns the state of both files; `None` if one is missing.
    fn state(&self) -> Option<State> {
        Some(State([state_of(&self.chain)?, state_of(&self.key)?]))
    }

    fn read(&self) -> Result<CertifiedKey, String> {
        let (chain_file, key_file) = (self.chain.display(), self.key.display());
        let chain = self.read_chain().map_err(|cause| format!("ServiceSettings.TLSCertFile {chain_file}: {cause}"));
        let key = self.read_key().map_err(|cause| format!("ServiceSettings.TLSKeyFile {key_file}: {cause}"));
        let pair = CertifiedKey::from_der(chain?, key?, &provider());
        pair.map_err(|cause| format!("ServiceSettings.TLSCertFile {chain_file} and TLSKeyFile {key_file}: {cause}"))
    }

    fn read_chain(&self) -> Result<Vec<CertificateDer<'static>>, String> {
        let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&self::read(&self.chain)?).collect();
        chain.map_err(|cause| cause.to_string())
    }

    fn read_key(&self) -> Result<PrivateKeyDer<'static>, String> {
        PrivateKeyDer::from_pem_slice(&self::read(&self.key)?).map_err(|cause| cause.to_string())
    }
}

/// Returns the state of the file to which `path` leads.
fn state_of(path: &Path) -> Option<FileState> {
    let found = metadata(path).ok()?;
    Some(FileState {
        device: found.dev(),
        inode: found.ino(),
        bytes: found.size(),
        modified: (found.mtime(), found.mtime_nsec()),
        changed: (found.ctime(), found.ctime_nsec()),
    })
}

fn read(file: &Path) -> Result<Vec<u8>, String> {
    contents(file, MAX_KEY_BYTES).map_err(|cause| cause.to_string())
}
