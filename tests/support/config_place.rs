//! A folder for a configuration that is written through the local socket, by servers that start and stop.

use std::path::{Path, PathBuf};

use reqwest::Method;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::{Client, Home, Process, Reply};

/// The store of the configuration.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum StoreKind {
    /// In a file.
    InFile,
    /// In the database.
    InDatabase,
}

pub struct ConfigPlace {
    pub home: Home,
    folder: TempDir,
}

impl ConfigPlace {
    pub async fn new(kind: StoreKind) -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("store")).unwrap();
        let socket = folder.path().join("socket");
        let socket = socket.display();
        let settings = format!(
            "[ServiceSettings]\nEnableLocalMode = true\nLocalModeSocketLocation = \"{socket}\"\n\
             [LogSettings]\nEnableConsole = false\nEnableFile = false\n"
        );
        let place = Self { home: Home::new(&settings).await, folder };
        match kind {
            StoreKind::InDatabase => place,
            StoreKind::InFile => {
                let file = place.file().display().to_string();
                Self { home: place.home.with_variable("MM_CONFIG", &file), folder: place.folder }
            }
        }
    }

    /// Returns the folder that contains only the configuration.
    pub fn store(&self) -> PathBuf {
        self.folder.path().join("store")
    }

    pub fn file(&self) -> PathBuf {
        self.store().join("config.json")
    }

    /// Returns the folder of the versions, if it exists.
    pub fn versions(&self) -> Vec<PathBuf> {
        let entries = std::fs::read_dir(self.store().join("config.json.versions")).into_iter().flatten().flatten();
        let mut files: Vec<PathBuf> = entries.map(|entry| entry.path()).collect();
        files.sort();
        files
    }

    /// Returns a client for the local socket of a server that runs here.
    pub fn client(&self) -> Client {
        Client::on_socket(&self.folder.path().join("socket"))
    }

    /// Changes the name of the site. Fails if the server ends before it responds.
    pub async fn try_rename(&self, name: &str) -> reqwest::Result<Reply> {
        let body = json!({ "TeamSettings": { "SiteName": name } }).to_string();
        self.client().try_send(Method::PUT, "/config/patch", Some(body), &[]).await
    }

    /// Changes the name of the site. Returns the version.
    pub async fn rename(&self, name: &str) -> String {
        let reply = self.try_rename(name).await.unwrap();
        reply.expect(200);
        version_of(&reply)
    }

    /// Returns the name of the site and the version in force.
    pub async fn in_force(&self) -> (String, String) {
        let reply = self.client().get("/config").await;
        let config = reply.expect(200);
        (config["TeamSettings"]["SiteName"].as_str().unwrap().to_owned(), version_of(&reply))
    }

    /// Starts the server, which must refuse to start. Returns its error.
    pub async fn refusal(&self) -> String {
        let (status, errors) = self.home.launch().end().await;
        assert_eq!(status.code(), Some(1), "{errors}");
        errors
    }

    pub async fn start(&self) -> Process {
        self.home.start().await
    }
}

pub fn version_of(reply: &Reply) -> String {
    reply.header("etag").trim_matches('"').to_owned()
}

/// Reads a JSON file.
pub fn read_json(file: &Path) -> Value {
    serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap()
}
