//! A PostgreSQL with the tables and rows of a Mattermost, alone in its database.

use super::cluster::Cluster;
use super::database;
use super::process::Workplace;
use super::server::PASSWORD;

const TABLES: &str = include_str!("../faults/mattermost.sql");
const OTHER_TABLES: &str = include_str!("original.sql");
const TABLES_OF_MESSAGES: &str = include_str!("original_messages.sql");

/// A database of Mattermost, in a PostgreSQL of its own. It ends with the test.
pub struct Original {
    pub cluster: Cluster,
}

impl Original {
    /// Makes the tables, and the administrator anna; `None` in a run on the embedded engine.
    pub async fn start() -> Option<Self> {
        let cluster = Cluster::start(&[])?;
        let original = Self { cluster };
        original.execute(TABLES).await;
        original.execute(OTHER_TABLES).await;
        original.execute(TABLES_OF_MESSAGES).await;
        original.add_person("anna", "system_admin system_user").await;
        Some(original)
    }

    pub async fn execute(&self, sql: &str) {
        database::execute(&self.cluster.address(), sql).await;
    }

    /// Returns the first column of the rows, as texts.
    pub async fn texts(&self, sql: &str) -> Vec<String> {
        database::texts(&self.cluster.address(), sql).await
    }

    /// Adds an account whose id is its name. Its password is that of all accounts of tests.
    pub async fn add_person(&self, name: &str, roles: &str) {
        let hash = bcrypt::hash(PASSWORD, 4).unwrap();
        self.execute(&format!(
            "INSERT INTO users (id, createat, updateat, deleteat, username, password, authdata, authservice, email, \
                 emailverified, nickname, firstname, lastname, roles, allowmarketing, props, notifyprops, \
                 lastpasswordupdate, lastpictureupdate, failedattempts, locale, mfaactive, mfasecret, position, timezone) \
             VALUES ('{id}', 1, 1, 0, '{name}', '{hash}', NULL, '', '{name}@chat.example', true, '', '', '', '{roles}', \
                 false, '{{}}', '{{\"email\": \"true\"}}', 1, 0, 0, 'en', false, '', '', \
                 '{{\"useAutomaticTimezone\": \"true\"}}')",
            id = id_of(name)
        ))
        .await;
    }

    /// Returns the section of the settings that names the database, for a role.
    pub fn settings_of(&self, role: &str) -> String {
        let address = self.cluster.address().replace("qd@", &format!("{role}@"));
        format!("[SqlSettings]\nDriverName = \"postgres\"\nDataSource = \"{address}?sslmode=disable\"\n")
    }

    /// Returns a folder with settings that name the database.
    pub async fn workplace(&self) -> Workplace {
        Workplace::new(&self.settings_of("qd")).await
    }

    /// Returns the schema as `pg_dump -s` writes it, without the lines that differ in each run.
    pub async fn schema(&self) -> String {
        self.dumped(&self.cluster.address(), &["-s"]).await
    }

    /// Returns the schema of another database of the same PostgreSQL.
    pub async fn schema_of(&self, address: &str) -> String {
        self.dumped(address, &["-s"]).await
    }

    /// Returns the schema and all rows as `pg_dump` writes them.
    pub async fn dump(&self) -> String {
        self.dumped(&self.cluster.address(), &[]).await
    }

    async fn dumped(&self, address: &str, arguments: &[&str]) -> String {
        let mut dump = tokio::process::Command::new(self.cluster.program("pg_dump"));
        let output = dump.args(arguments).args(["-d", address]).output().await.unwrap();
        assert!(output.status.success(), "{output:?}");
        let text = String::from_utf8(output.stdout).unwrap();
        let differs = |line: &&str| line.starts_with("\\restrict") || line.starts_with("\\unrestrict");
        text.lines().filter(|line| !differs(line)).collect::<Vec<&str>>().join("\n")
    }

    /// Returns the schema and the rows of `systems`, which a refused start must leave as they are.
    pub async fn state(&self) -> (String, Vec<String>) {
        (self.schema().await, self.texts("SELECT name || '=' || value FROM systems ORDER BY name").await)
    }
}

/// Returns the id of an account or a team with this name.
pub fn id_of(name: &str) -> String {
    format!("{name:y<26}")
}
