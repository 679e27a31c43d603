//! A server in this process, on a free port, with its own folder and database.

use std::fmt::Write;
use std::path::Path;

use quarterdeck::server::Server;
use quarterdeck::settings::Sources;
use reqwest::Method;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::{Client, database};

/// A password that satisfies every policy of the tests.
pub const PASSWORD: &str = "correct-horse-1";

/// A running server. It ends with the test.
pub struct TestServer {
    pub server: Server,
    pub base: String,
    pub folder: TempDir,
}

impl TestServer {
    /// Starts a server with the default settings.
    pub async fn start() -> Self {
        Self::start_with("").await
    }

    /// Starts a server with more settings, as TOML.
    pub async fn start_with(settings: &str) -> Self {
        Self::start_in(settings, &|_| Vec::new()).await
    }

    /// Starts a server with an environment that depends on its folder.
    pub async fn start_in(settings: &str, environment: &dyn Fn(&Path) -> Vec<(String, String)>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let database = database::fresh(folder.path()).await;
        Self::start_at(folder, &database, settings, environment).await
    }

    /// Starts a server on an existing database, which is given as its section of the settings.
    pub async fn start_on(database: &str, environment: &dyn Fn(&Path) -> Vec<(String, String)>) -> Self {
        Self::start_at(tempfile::tempdir().unwrap(), database, "", environment).await
    }

    /// Starts a server on an existing database with more settings.
    pub async fn start_on_with(database: &str, settings: &str) -> Self {
        Self::start_at(tempfile::tempdir().unwrap(), database, settings, &|_| Vec::new()).await
    }

    /// Starts another server on the database of this one.
    pub async fn start_beside(&self, settings: &str) -> Self {
        let text = std::fs::read_to_string(self.folder().join("config.toml")).unwrap();
        let (_, database) = text.split_once("[SqlSettings]").unwrap();
        let database = format!("[SqlSettings]{}", database.split("\n[").next().unwrap());
        Self::start_at(tempfile::tempdir().unwrap(), &format!("{database}\n"), settings, &|_| Vec::new()).await
    }

    async fn start_at(
        folder: TempDir,
        database: &str,
        settings: &str,
        environment: &dyn Fn(&Path) -> Vec<(String, String)>,
    ) -> Self {
        let file = write_settings(folder.path(), database, settings);
        let sources = Sources::isolated(Some(file), environment(folder.path()));
        let server = Server::start(sources.load().unwrap(), sources).await.unwrap();
        let base = format!("{}://{}", server.scheme(), server.addresses()[0]);
        Self { server, base, folder }
    }

    /// Returns the folder with the files of the server.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Returns a client without a session.
    pub fn client(&self) -> Client {
        Client::new(&self.base)
    }

    /// Creates the first account, which is an administrator, and logs in.
    pub async fn admin(&self) -> Client {
        // With a `SiteURL`, the code is also required from this machine.
        let code = self.setup_code();
        let body = Some(account("admin").to_string());
        let created = self.client().send(Method::POST, "/users", body, &[("X-Quarterdeck-Setup-Code", &code)]).await;
        created.expect(201);
        self.login("admin").await
    }

    /// Returns the one-time code for the first account; an empty text if the server had accounts at its start.
    pub fn setup_code(&self) -> String {
        self.server.setup_code().map_or_else(String::new, |code| code.expose().to_owned())
    }

    /// Creates an ordinary account as `admin` and logs in.
    pub async fn user(&self, admin: &Client, name: &str) -> Client {
        admin.post("/users", account(name)).await.expect(201);
        self.login(name).await
    }

    /// Logs in with the password of all test accounts.
    pub async fn login(&self, name: &str) -> Client {
        self.client().log_in(name).await
    }
}

/// Returns the body that creates an account.
pub fn account(name: &str) -> Value {
    json!({ "email": format!("{name}@chat.example"), "username": name, "password": PASSWORD })
}

/// Writes the settings that every test needs, and those of the test.
pub fn write_settings(folder: &Path, database: &str, more: &str) -> std::path::PathBuf {
    let has = |section: &str| more.contains(&format!("[{section}]"));
    let mut text = String::new();
    if !has("ServiceSettings") {
        text.push_str("[ServiceSettings]\nListenAddress = \"127.0.0.1:0\"\n");
    }
    if !has("FileSettings") {
        let files = folder.join("files");
        writeln!(text, "[FileSettings]\nDirectory = \"{}\"", files.display()).unwrap();
    }
    if !has("AnnouncementSettings") {
        // Tests fetch no notices.
        text.push_str("[AnnouncementSettings]\nNoticesURL = \"\"\n");
    }
    text.push_str(database);
    // If the test has a section of the same name, the common settings are added to it.
    let more = more.replace("[ServiceSettings]", "[ServiceSettings]\nListenAddress = \"127.0.0.1:0\"");
    text.push_str(&more);
    let file = folder.join("config.toml");
    std::fs::write(&file, text).unwrap();
    file
}
