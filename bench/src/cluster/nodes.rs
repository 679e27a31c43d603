//! The servers of a cluster.

use std::path::Path;

use reqwest::Url;

use super::redis;
use crate::compare::Folder;
use crate::process::Process;

type Failure = Box<dyn std::error::Error>;

/// Running servers on one database. They are killed when this is dropped.
pub(super) struct Nodes {
    processes: Vec<Process>,
    /// `host:port` of each.
    pub(super) addresses: Vec<String>,
    /// `host:port` of the Redis that they use, if any.
    pub(super) redis: Option<String>,
    _folder: Folder,
}

impl Nodes {
    /// Starts `count` servers, one after the other, each in a folder of its own.
    pub(super) fn start(program: &Path, database: &Url, redis: Option<&str>, count: u64) -> Result<Self, Failure> {
        let folder = Folder::new()?;
        let files = folder.path().join("files");
        std::fs::create_dir(&files)?;
        let files = files.to_str().ok_or("the temporary folder has no valid name")?;
        let mut processes = Vec::new();
        for number in 1..=count {
            let own = folder.path().join(number.to_string());
            std::fs::create_dir(&own)?;
            let mut variables = settings(database).to_vec();
            variables.push(("MM_FILESETTINGS_DIRECTORY", files));
            variables.push(("MM_SERVICESETTINGS_ENABLEUSERACCESSTOKENS", "true"));
            variables.extend(redis.into_iter().flat_map(redis::settings));
            processes.push(Process::server_with(program, &own, &variables)?);
        }
        let addresses = processes.iter().map(|process| process.address.clone()).collect();
        Ok(Self { processes, addresses, redis: redis.map(str::to_owned), _folder: folder })
    }

    pub(super) fn pids(&self) -> Vec<u32> {
        self.processes.iter().map(Process::pid).collect()
    }
}

/// Returns the settings of a server on this database.
pub(super) fn settings(database: &Url) -> [(&'static str, &str); 2] {
    [("MM_SQLSETTINGS_DRIVERNAME", "postgres"), ("MM_SQLSETTINGS_DATASOURCE", database.as_str())]
}
