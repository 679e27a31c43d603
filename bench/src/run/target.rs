//! The server under test: one that this run starts and ends, or one that runs already.

use std::path::{Path, PathBuf};

use reqwest::Url;
use serde::Serialize;
use tokio_postgres::Client;

use crate::compare::Folder;
use crate::database::{Databases, connect};
use crate::process::Process;

use super::address::Address;
use super::interrupt::{ENDED_BY_USER, Interrupt};
use super::reached::{Reached, reach};
use super::usage;

type Failure = Box<dyn std::error::Error>;

/// The name of a server that the run starts.
pub(crate) const OWN: &str = "self";

/// The name of the engine that has processes of its own.
pub(crate) const POSTGRESQL: &str = "PostgreSQL";

/// A sentence of the report of a server that the program started as another process.
const WRAPPER_NOTE: &str =
    "The program started the server as another process, so processor time and memory of the server are not known.";

/// A sentence of the report of a cluster.
const CLUSTER_NOTE: &str =
    "Processor time, memory and descriptors are those of the server that requests go to, without the other servers.";

/// A server with its address and its folder.
type Node = (Address, Process, Folder);

pub(crate) struct Target {
    pub(crate) address: Address,
    /// The process, if it runs on this machine and its id is known.
    pub(crate) pid: Option<u32>,
    pub(crate) facts: Facts,
    own: Option<Own>,
}

struct Own {
    process: Process,
    _folder: Folder,
    /// The other nodes of a cluster.
    others: Vec<(Address, Process, Folder)>,
    databases: Option<(Databases, Url)>,
}

/// The facts about a server that a report names.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Facts {
    pub(crate) url: String,
    /// The program, if this run started it.
    pub(crate) program: Option<String>,
    /// `SQLite` or `PostgreSQL`, if this run started the server.
    pub(crate) engine: Option<&'static str>,
    /// The number of servers on the same database, if this run started several.
    pub(crate) nodes: Option<u64>,
    /// The version that the server names.
    pub(crate) version: Option<String>,
    /// The version of TLS and the cipher suite, if the server has TLS.
    pub(crate) tls: Option<String>,
    /// Sentences about figures that this run cannot have.
    pub(crate) unknown: Vec<String>,
}

impl Target {
    /// Starts a server with an empty database: SQLite, or a new database of the PostgreSQL server at `database`. With
    /// `nodes`, so many servers use the database.
    pub(crate) async fn start(
        program: &Path,
        database: Option<&Url>,
        nodes: Option<u64>,
        interrupt: &mut Interrupt,
    ) -> Result<Self, Failure> {
        let databases = match database {
            Some(given) => {
                let databases = Databases::at(given).await?;
                let created = databases.create().await?;
                Some((databases, created))
            }
            None => None,
        };
        let created = databases.as_ref().map(|(_, created)| created);
        // A server may take long to start, or never be ready.
        let started = tokio::select! {
            started = Self::start_nodes(program, created, nodes.unwrap_or(1)) => started,
            () = interrupt.requested() => Err(ENDED_BY_USER.into()),
        };
        let ((address, process, folder), others) = match started {
            Ok(started) => started,
            Err(cause) => {
                if let Some((databases, _)) = &databases {
                    databases.drop_all().await?;
                }
                return Err(cause);
            }
        };
        let engine = if databases.is_some() { POSTGRESQL } else { "SQLite" };
        let mut facts = Facts {
            url: address.url.to_string(),
            program: Some(program.display().to_string()),
            engine: Some(engine),
            nodes,
            version: reach(&address).await.ok().and_then(|reached| reached.version),
            tls: None,
            unknown: nodes.map(|_| CLUSTER_NOTE.to_owned()).into_iter().collect(),
        };
        let pid = (!process.has_others_in_group()).then(|| process.pid());
        if pid.is_none() {
            facts.unknown.push(WRAPPER_NOTE.to_owned());
        }
        Ok(Self { address, pid, facts, own: Some(Own { process, _folder: folder, others, databases }) })
    }

    /// Starts the servers of a database one after the other, and returns the first one and the others.
    async fn start_nodes(program: &Path, database: Option<&Url>, count: u64) -> Result<(Node, Vec<Node>), Failure> {
        let first = Self::start_on(program, database, None).await?;
        let mut others = Vec::new();
        for _ in 1..count {
            others.push(Self::start_on(program, database, Some(first.2.path())).await?);
        }
        Ok((first, others))
    }

    /// Starts a server, with its files in the folder of another one if there is one.
    async fn start_on(program: &Path, database: Option<&Url>, files: Option<&Path>) -> Result<Node, Failure> {
        let folder = Folder::new()?;
        let files = files.unwrap_or(folder.path()).join("data");
        let files = files.to_str().ok_or("the temporary folder has no valid name")?;
        let mut settings = vec![("MM_FILESETTINGS_DIRECTORY", files)];
        if let Some(database) = database {
            settings.push(("MM_SQLSETTINGS_DRIVERNAME", "postgres"));
            settings.push(("MM_SQLSETTINGS_DATASOURCE", database.as_str()));
        }
        let process = Process::server_apart(program, folder.path(), &settings)
            .await
            .map_err(|cause| format!("{} cannot be started: {cause}", program.display()))?;
        let address = Address::resolve(&format!("http://{}", process.address), None).await?;
        Ok((address, process, folder))
    }

    /// Starts the bare handler, which returns the given response at a path.
    pub(crate) async fn bare(path: &str, answer: &[u8]) -> Result<Self, Failure> {
        let folder = Folder::new()?;
        let file = folder.path().join("answer");
        std::fs::write(&file, answer)?;
        let process = Process::bare_apart(path, &file).await?;
        let address = Address::resolve(&format!("http://{}", process.address), None).await?;
        let facts = Facts {
            url: address.url.to_string(),
            program: Some("a bare actix-web handler that returns the same bytes".to_owned()),
            engine: None,
            nodes: None,
            version: None,
            tls: None,
            unknown: Vec::new(),
        };
        let pid = Some(process.pid());
        Ok(Self {
            address,
            pid,
            facts,
            own: Some(Own { process, _folder: folder, others: Vec::new(), databases: None }),
        })
    }

    /// Uses a server that runs already, if it answers. The file `ca` has the authorities of its operator.
    pub(crate) async fn running(
        url: &str,
        ca: Option<&Path>,
        pid: Option<u32>,
        operates: bool,
    ) -> Result<Self, Failure> {
        let address = Address::resolve(url, ca).await?;
        address.permit(operates)?;
        if let Some(pid) = pid {
            if !address.is_loopback() {
                return Err(format!("{} is not this machine, so --pid cannot name its process", address.host).into());
            }
            usage::check(pid)?;
        }
        let mut unknown = vec![
            "This run did not start the server, so its settings, its other clients and the size of its database are unknown.".to_owned(),
        ];
        if pid.is_none() {
            unknown.push(
                "Without --pid, the processor time, the memory and the descriptors of the server are unknown."
                    .to_owned(),
            );
        }
        unknown.push("The processor time of its database is unknown.".to_owned());
        let Reached { version, tls } = reach(&address).await?;
        let facts =
            Facts { url: address.url.to_string(), program: None, engine: None, nodes: None, version, tls, unknown };
        Ok(Self { address, pid, facts, own: None })
    }

    /// Returns the same server as one that runs already: it does not end with the returned value.
    pub(crate) fn shared(&self) -> Self {
        Self { address: self.address.clone(), pid: self.pid, facts: self.facts.clone(), own: None }
    }

    pub(crate) fn is_own(&self) -> bool {
        self.own.is_some()
    }

    /// Returns the addresses of the other nodes of a cluster.
    pub(crate) fn others(&self) -> Vec<Address> {
        self.own.iter().flat_map(|own| &own.others).map(|(address, ..)| address.clone()).collect()
    }

    /// Returns a connection to the PostgreSQL server of an own server, with the address of its database.
    pub(crate) async fn postgres(&self) -> Result<Option<(Client, &Url)>, Failure> {
        let Some(Own { databases: Some((_, created)), .. }) = &self.own else { return Ok(None) };
        Ok(Some((connect(created).await?, created)))
    }

    /// Ends an own server and drops its database.
    pub(crate) async fn end(self) -> Result<(), Failure> {
        if let Some(Own { process, others, databases, .. }) = self.own {
            drop((process, others));
            if let Some((databases, _)) = databases {
                databases.drop_all().await?;
            }
        }
        Ok(())
    }
}

/// Returns the server program beside this one, which `--binary` replaces.
pub(crate) fn program_beside() -> Result<PathBuf, Failure> {
    let program = std::env::current_exe()?.with_file_name("quarterdeck");
    if program.exists() {
        return Ok(program);
    }
    Err(format!("{} does not exist; build it, or name a server program with --binary", program.display()).into())
}
