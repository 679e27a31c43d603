//! A database of Mattermost in a schema of its own, made of the facts about its tables.

use super::database;
use super::one_time::SECRET;
use super::server::PASSWORD;

const TABLES: &str = include_str!("../faults/mattermost.sql");

/// The password of the account `bert`, and its hash as Mattermost 11 makes it.
pub const BERTS_PASSWORD: &str = "Passw0rd-1234";
const BERTS_HASH: &str =
    "$pbkdf2$f=SHA256,w=600000,l=32$nfRksZDtxpN9ZLD1U/yCYA$Fpx6cuLQGU+QnRRy0EkWExjCnqOyGqtDW7eauyZFh7I";

/// The token of a session of `anna`, and the access token of `carl`.
pub const ANNAS_SESSION: &str = "sessionofannaxxxxxxxxxxxxx";
pub const CARLS_TOKEN: &str = "accesstokenofcarlxxxxxxxxx";

/// The tables that only Mattermost has, and those that this program has under the same names and that the other list
/// lacks.
const MORE: &str = "
    CREATE TABLE db_migrations (version bigint PRIMARY KEY, name varchar NOT NULL);
    CREATE TABLE db_lock (id varchar(64) PRIMARY KEY, expireat bigint);
    CREATE TABLE tokens (token varchar(64) PRIMARY KEY, createat bigint, type varchar(64), extra varchar(2048));
    CREATE TABLE configurationfiles (name varchar(64) PRIMARY KEY, data text NOT NULL, createat bigint NOT NULL,
        updateat bigint NOT NULL);
    CREATE TABLE oauthapps (id varchar(26) PRIMARY KEY, name varchar(64));
    CREATE TABLE pluginkeyvaluestore (pluginid varchar(190), pkey varchar(150), pvalue bytea, expireat bigint,
        PRIMARY KEY (pluginid, pkey));
    INSERT INTO db_migrations VALUES (1, 'create_teams'), (166, 'create_views'), (167, 'create_views_index');";

/// Tables that a Mattermost needs for what it lists.
const STARTED: &str = "
    CREATE TABLE publicchannels (id varchar(26) PRIMARY KEY, deleteat bigint, teamid varchar(26),
        displayname varchar(64), name varchar(64), header varchar(1024), purpose varchar(250));
    CREATE TABLE channelmemberhistory (channelid varchar(26), userid varchar(26), jointime bigint, leavetime bigint,
        PRIMARY KEY (channelid, userid, jointime))";

/// Returns the numbers of a line of the report of a move: read, new, same, changed, left.
pub fn line(said: &str, table: &str) -> Vec<u64> {
    let found =
        said.lines().find(|line| line.split_whitespace().next() == Some(table)).unwrap_or_else(|| panic!("{said}"));
    found.split_whitespace().skip(1).map(|number| number.parse().unwrap()).collect()
}

/// A database of Mattermost, in a schema of its own.
pub struct MattermostDatabase {
    base: String,
    schema: String,
}

impl MattermostDatabase {
    /// Creates the tables of a Mattermost without rows.
    pub async fn empty(base: &str) -> Self {
        let schema = database::fresh_schema(base).await;
        let made = Self { base: base.to_owned(), schema };
        made.execute(&format!("{TABLES}; {MORE}")).await;
        made
    }

    /// Creates a Mattermost with four accounts, two teams, and rows in every table.
    pub async fn inhabited(base: &str) -> Self {
        let made = Self::empty(base).await;
        made.execute(&rows()).await;
        made
    }

    /// Creates the database that a Mattermost leaves after its first start: no accounts, roles with ids of its own, and a
    /// configuration that names this database. It is a database of its own, because its connections are looked at.
    pub async fn started(base: &str) -> Self {
        let name = format!("m_{}", database::unique());
        database::execute(base, &format!("CREATE DATABASE {name}")).await;
        let (server, _) = base.split('?').next().unwrap().rsplit_once('/').unwrap();
        let made = Self { base: format!("{server}/{name}"), schema: "public".to_owned() };
        let [one, other, version] = ['x', 'y', 'z'].map(|letter| letter.to_string().repeat(26));
        let config = r#"{"SqlSettings": {"DriverName": "postgres", "DataSource": "postgres://its-own"}}"#;
        let rows = format!(
            "INSERT INTO systems VALUES ('DiagnosticId', 'fresh'), ('OnlyThere', 'true');
             INSERT INTO roles (id, name, permissions) VALUES ('{one}', 'system_user', ' create_team'), ('{other}', 'only_there', '');
             INSERT INTO configurations VALUES ('{version}', '{config}', 1, TRUE, '');"
        );
        made.execute(&format!("{TABLES}; {MORE}; {STARTED}; {rows}")).await;
        made
    }

    /// Deletes a database of its own.
    pub async fn drop_database(self) {
        let (server, name) = self.base.rsplit_once('/').unwrap();
        database::execute(&format!("{server}/postgres"), &format!("DROP DATABASE {name} WITH (FORCE)")).await;
    }

    /// Returns the data source, as an operator writes it.
    pub fn source(&self) -> String {
        format!("{}?sslmode=disable&options=-c%20search_path%3D{}", self.base, self.schema)
    }

    pub async fn execute(&self, sql: &str) {
        database::execute(&self.base, &format!("SET search_path TO {}; {sql}", self.schema)).await;
    }

    /// Returns the first column of a query's result.
    pub async fn texts(&self, sql: &str) -> Vec<String> {
        database::texts(&self.source().replace("sslmode=disable&", ""), sql).await
    }

    /// Returns all columns and rows, with their places and the transactions that wrote them.
    pub async fn everything(&self) -> Vec<String> {
        let columns = "SELECT table_name || ' ' || column_name || ' ' || data_type FROM information_schema.columns \
                       WHERE table_schema = current_schema() ORDER BY 1";
        let mut all = self.texts(columns).await;
        let tables = "SELECT tablename FROM pg_tables WHERE schemaname = current_schema() ORDER BY 1";
        for table in self.texts(tables).await {
            all.extend(
                self.texts(&format!("SELECT ctid::text || xmin::text || t::text FROM {table} t ORDER BY 1")).await,
            );
        }
        all
    }

    /// Adds this many accounts, each with a membership and a preference.
    pub async fn populate(&self, accounts: usize) {
        self.execute(&format!(
            "INSERT INTO users (id, createat, updateat, deleteat, username, password, authservice, email, \
                 emailverified, nickname, firstname, lastname, roles, props, notifyprops, locale, mfaactive, timezone) \
             SELECT lpad(n::text, 26, '0'), n, n, 0, 'crew' || n, '', '', 'crew' || n || '@chat.example', true, '', '', \
                 '', 'system_user', '{{}}', '{{\"email\": \"true\"}}', 'en', false, '{{}}' \
                 FROM generate_series(1, {accounts}) n;
             INSERT INTO teammembers (teamid, userid, roles, deleteat, schemeuser, schemeadmin, schemeguest, createat) \
             SELECT repeat('t', 26), lpad(n::text, 26, '0'), '', 0, true, false, false, n FROM generate_series(1, {accounts}) n;
             INSERT INTO preferences SELECT lpad(n::text, 26, '0'), 'theme', '', '{{}}' FROM generate_series(1, {accounts}) n;"
        ))
        .await;
    }
}

/// Returns an account. The last parts are its password's hash, its login service, its roles and its one-time codes.
fn user(letter: char, name: &str, [hash, service, roles, codes]: [&str; 4]) -> String {
    let id = letter.to_string().repeat(26);
    let data = if service.is_empty() { "NULL".to_owned() } else { format!("'{name}'") };
    let (is_active, secret) = (!codes.is_empty(), codes);
    format!(
        "INSERT INTO users (id, createat, updateat, deleteat, username, password, authdata, authservice, email, \
             emailverified, nickname, firstname, lastname, roles, allowmarketing, props, notifyprops, \
             lastpasswordupdate, lastpictureupdate, failedattempts, locale, mfaactive, mfasecret, position, timezone, \
             mfausedtimestamps) \
         VALUES ('{id}', 1, 1, 0, '{name}', '{hash}', {data}, '{service}', '{name}@chat.example', true, 'Ännchen', '', \
             '', '{roles}', false, '{{}}', '{{\"email\": \"true\"}}', 1, 0, 0, 'en', {is_active}, '{secret}', '', \
             '{{\"useAutomaticTimezone\": \"true\"}}', '[1, 2]');"
    )
}

fn rows() -> String {
    let bcrypt = bcrypt::hash(PASSWORD, 4).unwrap();
    let users = [
        user('a', "anna", [&bcrypt, "", "system_admin system_user", ""]),
        user('b', "bert", [BERTS_HASH, "", "system_user", SECRET]),
        user('c', "carl", [&bcrypt, "", "system_user system_user_access_token", ""]),
        user('d', "dora", ["", "ldap", "system_user", ""]),
    ];
    let [anna, bert, carl, crew, docks] = ['a', 'b', 'c', 't', 'u'].map(|letter| letter.to_string().repeat(26));
    let config = r#"{"ServiceSettings": {"EnableUserAccessTokens": true, "EnableMultifactorAuthentication": true},
        "SqlSettings": {"DriverName": "postgres", "DataSource": "postgres://canary@elsewhere/mattermost"},
        "TeamSettings": {"SiteName": "Harbour"}, "PluginSettings": {"Plugins": {"com.example.one": {"a": 1}}}}"#;
    format!(
        "{}
        INSERT INTO systems VALUES ('DiagnosticId', 'diagnostic'), ('InstallationDate', '1795836083617'),
            ('QuarterdeckAuditHead', '1:x'), ('health_check_', '1');
        INSERT INTO bots (userid, description, ownerid, createat) VALUES ('{carl}', 'a bot', '{anna}', 1);
        DELETE FROM bots;
        INSERT INTO sessions VALUES ('{anna}', '{ANNAS_SESSION}', 1, 0, 1, '{anna}', '', 'system_admin system_user', false,
            '{{\"csrf\": \"x\", \"platform\": \"Linux\"}}', false);
        INSERT INTO useraccesstokens VALUES ('{carl}', '{CARLS_TOKEN}', '{carl}', 'of carl', true);
        INSERT INTO tokens VALUES ('{}', 1, 'password_recovery', '{{}}');
        INSERT INTO audits VALUES ('{anna}', 1, '{anna}', '/api/v4/users/login', 'success', '127.0.0.1', '{anna}');
        INSERT INTO licenses VALUES ('{anna}', 1, 'bytes');
        INSERT INTO teams (id, createat, updateat, deleteat, displayname, name, type, email, allowopeninvite, schemeid)
            VALUES ('{crew}', 1, 1, 0, 'Crew', 'crew', 'O', '', true, NULL), ('{docks}', 1, 1, 0, 'Docks', 'docks', 'I', '', false, '{anna}');
        INSERT INTO teammembers VALUES ('{crew}', '{anna}', '', 0, true, true, false, 1), ('{crew}', '{bert}', '', 0, true, false, false, 1),
            ('{docks}', '{anna}', '', 0, true, false, false, 1);
        INSERT INTO channels (id, createat, updateat, deleteat, teamid, type, displayname, name, bannerinfo)
            VALUES ('{anna}', 1, 1, 0, '{crew}', 'O', 'Town', 'town-square', '{{\"enabled\": false}}');
        INSERT INTO channelmembers (channelid, userid, notifyprops, schemeuser) VALUES ('{anna}', '{anna}', '{{}}', true);
        INSERT INTO preferences VALUES ('{anna}', 'theme', '', 'dark'), ('{bert}', 'theme', '', 'light');
        INSERT INTO status (userid, status, manual, lastactivityat) VALUES ('{anna}', 'away', true, 1);
        INSERT INTO productnoticeviewstate VALUES ('{anna}', 'notice', 2, 1);
        INSERT INTO roles (id, name, displayname, description, createat, updateat, deleteat, permissions, schememanaged, builtin)
            VALUES ('{anna}', 'system_user', '', '', 1, 2, 0, ' view_members list_public_teams', true, true);
        INSERT INTO configurations VALUES ('{anna}', '{{\"TeamSettings\": {{\"SiteName\": \"Older\"}}}}', 1, NULL, '{}'),
            ('{bert}', '{config}', 2, TRUE, '{}');
        INSERT INTO configurationfiles VALUES ('idp.crt', 'a certificate', 1, 1);
        INSERT INTO posts (id, createat, userid, channelid, message) VALUES ('{anna}', 1, '{anna}', '{anna}', 'theirs'), ('{bert}', 1, '{anna}', '{anna}', 'more');
        INSERT INTO oauthapps VALUES ('{anna}', 'app');
        INSERT INTO pluginkeyvaluestore VALUES ('com.example.one', 'key', 'value', 0);",
        users.concat(),
        "r".repeat(64),
        "0".repeat(64),
        "1".repeat(64),
    )
}
