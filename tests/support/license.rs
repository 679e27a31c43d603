//! Licences that the command line creates, as an operator does.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeyPair;
use aws_lc_rs::signature::RSA_PKCS1_SHA512;
use data_encoding::BASE64;
use reqwest::Method;
use rustls::pki_types::PrivatePkcs8KeyDer;
use rustls::pki_types::pem::PemObject;
use tempfile::TempDir;
use tokio::process::Command;

use super::{Client, Reply, TestServer};

/// The content type of such a form.
pub const FORM: &str = "multipart/form-data; boundary=limit";

/// A folder with a key pair.
pub struct Seller {
    folder: TempDir,
}

impl Seller {
    /// Creates a seller with new keys.
    pub async fn new() -> Self {
        let seller = Self { folder: tempfile::tempdir().unwrap() };
        seller.run(&["keygen", "--private", "private.pem", "--public", "public.pem"]).await;
        seller
    }

    /// Starts a server that trusts this seller, with more settings as TOML.
    pub async fn server(&self, settings: &str) -> TestServer {
        TestServer::start_with(&self.settings(settings)).await
    }

    /// Returns the settings of a server that trusts this seller, and more, as TOML.
    pub fn settings(&self, more: &str) -> String {
        format!("[Quarterdeck]\nLicensePublicKeyFile = \"{}\"\n{more}", self.path("public.pem").display())
    }

    /// Returns the signed text of a licence with these options.
    pub async fn license(&self, options: &[&str]) -> String {
        self.run(&[&["sign", "--key", "private.pem"], options].concat()).await
    }

    /// Returns a licence with any document.
    pub async fn signed(&self, document: &str) -> String {
        std::fs::write(self.path("document.json"), document).unwrap();
        self.license(&["--payload", "document.json"]).await
    }

    /// Signs a document without the command line, for documents of any length and for many of them.
    pub fn sign(&self, document: &[u8]) -> String {
        let key = PrivatePkcs8KeyDer::from_pem_file(self.path("private.pem")).unwrap();
        let key = KeyPair::from_pkcs8(key.secret_pkcs8_der()).unwrap();
        let mut signature = vec![0; key.public_modulus_len()];
        key.sign(&RSA_PKCS1_SHA512, &SystemRandom::new(), document, &mut signature).unwrap();
        BASE64.encode(&[document, &signature].concat())
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Runs `quarterdeck license`, which must succeed. Returns its output.
    pub async fn run(&self, arguments: &[&str]) -> String {
        let output = command(self.folder.path(), arguments).output().await.unwrap();
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap().trim_end().to_owned()
    }

    /// Runs `quarterdeck license`, which must fail. Returns the reason.
    pub async fn fail(&self, arguments: &[&str]) -> String {
        let output = command(self.folder.path(), arguments).output().await.unwrap();
        assert_eq!(output.status.code(), Some(1), "{output:?}");
        String::from_utf8(output.stderr).unwrap()
    }
}

fn command(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_quarterdeck"));
    command.env_clear().current_dir(folder).arg("license").args(arguments);
    command.stdin(Stdio::null()).kill_on_drop(true);
    command
}

/// Uploads a licence as clients do: as a file in a form.
pub async fn upload(client: &Client, text: &str) -> Reply {
    upload_as(client, "license", "application/octet-stream", text).await
}

/// Uploads a file under a given name.
pub async fn upload_as(client: &Client, name: &str, kind: &str, text: &str) -> Reply {
    send(client, form(name, kind, text)).await
}

/// Returns a form with a file.
pub fn form(name: &str, kind: &str, text: &str) -> String {
    format!(
        "--limit\r\nContent-Disposition: form-data; name=\"{name}\"; filename=\"test-license.mattermost-license\"\r\n\
         Content-Type: {kind}\r\n\r\n{text}\r\n--limit--\r\n"
    )
}

/// Sends the body of a form.
pub async fn send(client: &Client, body: String) -> Reply {
    client.send(Method::POST, "/license", Some(body), &[("Content-Type", FORM)]).await
}
