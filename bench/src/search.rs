//! `quarterdeck-bench search`: the latency of searches inside the names of many accounts, on either engine.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use clap::Args;
use hdrhistogram::Histogram;
use reqwest::{Client, Url};
use serde_json::{Value, json};
use tokio::time::sleep;
use tokio_postgres::Client as Database;

use crate::account;
use crate::compare::Folder;
use crate::database::{Databases, connect};
use crate::process::Process;

const FIRST_NAMES: [&str; 20] = [
    "Anna", "Bert", "Chen", "Dora", "Emil", "Fatma", "Gero", "Hana", "Igor", "Julia", "Karim", "Lena", "Marco", "Nora",
    "Omar", "Paula", "Rosa", "Sven", "Tara", "Uwe",
];

const LAST_NAMES: [&str; 25] = [
    "Adler", "Berg", "Costa", "Dahl", "Ekström", "Fischer", "Garcia", "Hansen", "Ito", "Jansen", "Kowalski", "Lopez",
    "Müller", "Novak", "Okafor", "Petrov", "Rossi", "Schmidt", "Tanaka", "Ueda", "Vogel", "Weber", "Yilmaz", "Zhang",
    "Öztürk",
];

/// The searches: a title and the term. One account in ten thousand has the rare names.
const TERMS: [(&str, &str); 14] = [
    ("one letter, frequent", "a"),
    ("one letter, of one account in 10,000", "ß"),
    ("one letter, of no account", "ж"),
    ("two letters, frequent", "an"),
    ("two letters, of one account in 10,000", "ßq"),
    ("two letters, of no account", "qx"),
    ("three letters, of every account", "exa"),
    ("a first name of the first usernames", "anna"),
    ("a first name of the last usernames", "uwe"),
    ("a surname with a capital beyond ASCII", "ÖZTÜRK"),
    ("a domain", "@mail7.example"),
    ("a name and a surname", "paula rossi"),
    ("one account", "0077777"),
    ("no account", "nobody-has-this"),
];

/// The time in which the server compares all names again after many were inserted.
const RECOUNT: Duration = Duration::from_secs(30);

type Failure = Box<dyn std::error::Error>;

#[derive(Debug, Args)]
pub(crate) struct Options {
    /// The server to measure, built for release
    #[arg(long, default_value = "target/release/quarterdeck")]
    server: PathBuf,
    /// A PostgreSQL server in which the run creates a database, instead of an embedded one: postgres://user@host:port/database
    #[arg(long)]
    database: Option<Url>,
    /// Number of accounts
    #[arg(long, default_value_t = 100_000, value_parser = clap::value_parser!(i64).range(1_000..=1_000_000))]
    accounts: i64,
    /// Number of requests for each term, one after the other
    #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u64).range(10..=10_000))]
    requests: u64,
}

/// Creates a database for the run, measures, and drops it.
pub(crate) async fn run(options: &Options) -> Result<(), Failure> {
    let folder = Folder::new()?;
    let Some(database) = &options.database else {
        let server = Process::server(&options.server, folder.path())?;
        let file = folder.path().join("data/quarterdeck.db");
        return measure(options, &server, &Site::Embedded(file)).await;
    };
    let databases = Databases::at(database).await?;
    let measured = on_postgres(options, folder.path(), &databases.create().await?).await;
    databases.drop_all().await?;
    measured
}

async fn on_postgres(options: &Options, folder: &Path, database: &Url) -> Result<(), Failure> {
    let settings = [("MM_SQLSETTINGS_DRIVERNAME", "postgres"), ("MM_SQLSETTINGS_DATASOURCE", database.as_str())];
    let server = Process::server_with(&options.server, folder, &settings)?;
    measure(options, &server, &Site::Postgres(connect(database).await?)).await
}

#[expect(clippy::print_stdout, reason = "the result is what the caller asked for")]
async fn measure(options: &Options, server: &Process, site: &Site) -> Result<(), Failure> {
    let http = Client::new();
    let token = account::first(&http, &server.address).await?;
    let begun = Instant::now();
    site.seed(options.accounts).await?;
    let seeded = begun.elapsed();
    while site.count().await? <= options.accounts {
        sleep(Duration::from_millis(100)).await;
    }
    println!(
        "{} accounts, inserted in {} ms; {} ms later all could be searched",
        options.accounts,
        seeded.as_millis(),
        begun.elapsed().saturating_sub(seeded).as_millis()
    );
    // The server then counts the pieces of all names.
    sleep(RECOUNT).await;
    site.analyze().await?;
    let address = account::url(&server.address, "/users/search");
    for (title, term) in TERMS {
        let mut latency = Histogram::<u64>::new(3)?;
        let mut found = 0;
        for _ in 0..options.requests {
            let body = json!({ "term": term });
            let sent = Instant::now();
            let answer = http.post(&address).bearer_auth(&token).json(&body).send().await?.error_for_status()?;
            let bytes = answer.bytes().await?;
            latency.record(u64::try_from(sent.elapsed().as_micros())?)?;
            found = serde_json::from_slice::<Vec<Value>>(&bytes)?.len();
        }
        println!(
            "{title:<38} found {found:>3}, min {:>6} µs, p50 {:>6} µs, p99 {:>6} µs",
            latency.min(),
            latency.value_at_quantile(0.5),
            latency.value_at_quantile(0.99)
        );
    }
    Ok(())
}

/// The database of the server, without the server.
enum Site {
    Embedded(PathBuf),
    Postgres(Database),
}

/// The columns of a row in `users`.
type Account = [String; 5];

fn account(number: i64) -> Result<Account, Failure> {
    let at = usize::try_from(number)?;
    let pick = |names: &[&'static str], at: usize| names.get(at % names.len()).copied().unwrap_or_default();
    let is_rare = number % 10_000 == 5_000;
    let first = if is_rare { "Rußqin" } else { pick(&FIRST_NAMES, at * 7) };
    let last = pick(&LAST_NAMES, at / 3);
    let username = format!("{}.{number:07}", pick(&FIRST_NAMES, at * 11).to_lowercase());
    let email = format!("{username}@mail{}.example", number % 25);
    Ok([format!("{number:026}"), username, email, first.to_owned(), last.to_owned()])
}

const COLUMNS: &str = "id, username, email, firstname, lastname, nickname, createat, updateat, deleteat, authservice, \
                       password, roles, locale, position, props, notifyprops, timezone";

impl Site {
    /// Inserts accounts as an import does, without the server.
    async fn seed(&self, accounts: i64) -> Result<(), Failure> {
        let accounts = (1..=accounts).map(account).collect::<Result<Vec<Account>, _>>()?;
        let rest = "'', 1, CAST(extract(epoch FROM now()) * 1000 AS bigint), 0, '', '', 'system_user', 'en', '', '{}', '{}', '{}'";
        match self {
            Self::Embedded(file) => {
                let mut site = rusqlite::Connection::open(file)?;
                site.busy_timeout(Duration::from_mins(1))?;
                let begun = site.transaction()?;
                let rest = rest.replace("CAST(extract(epoch FROM now()) * 1000 AS bigint)", "unixepoch() * 1000");
                let mut insertion =
                    begun.prepare(&format!("INSERT INTO users ({COLUMNS}) VALUES (?1, ?2, ?3, ?4, ?5, {rest})"))?;
                for account in &accounts {
                    insertion.execute(rusqlite::params_from_iter(account))?;
                }
                drop(insertion);
                begun.commit()?;
            }
            Self::Postgres(site) => {
                let sql = format!(
                    "INSERT INTO users ({COLUMNS}) SELECT a, b, c, d, e, {rest} \
                     FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[]) AS list(a, b, c, d, e)"
                );
                for portion in accounts.chunks(10_000) {
                    let column = |at: usize| -> Vec<&str> {
                        portion.iter().filter_map(|account| account.get(at).map(String::as_str)).collect()
                    };
                    let columns = [column(0), column(1), column(2), column(3), column(4)];
                    let [one, two, three, four, five] = &columns;
                    site.execute(&sql, &[one, two, three, four, five]).await?;
                }
            }
        }
        Ok(())
    }

    /// Returns the number of accounts that can be searched.
    async fn count(&self) -> Result<i64, Failure> {
        const SQL: &str = "SELECT COUNT(*) FROM qd_user_names";
        Ok(match self {
            Self::Embedded(file) => rusqlite::Connection::open(file)?.query_row(SQL, [], |row| row.get(0))?,
            Self::Postgres(site) => site.query_one(SQL, &[]).await?.get(0),
        })
    }

    /// Does the work of the autovacuum now, so that it does not run during the measurement.
    async fn analyze(&self) -> Result<(), Failure> {
        if let Self::Postgres(site) = self {
            for table in ["users", "qd_user_names"] {
                site.execute(&format!("VACUUM ANALYZE {table}"), &[]).await?;
            }
        }
        Ok(())
    }
}
