//! The database of a server's accounts, opened by a command without that server.

use quarterdeck_actors::config::Config;

use crate::cli::options::Common;
use crate::domain::accounts::OperatorAccounts;
use crate::domain::audit::key_file::ready_keys;
use crate::server::StartError;
use crate::server::database::refuse_beside_unnamed;
use crate::server::starting_config::{with_file, with_stored};
use crate::settings::{Settings, Sources};
use crate::store::{Db, described};

/// The migration that creates the table of accounts.
pub(super) const FIRST_MIGRATION: &str = "V1__accounts";

/// A database that a server uses, with the settings that name it.
pub(in crate::cli) struct Opened {
    pub(in crate::cli) db: Db,
    settings: Settings,
    sources: Sources,
}

impl Opened {
    /// Opens the database that the settings name. Refuses one without the tables of a server. Changes nothing.
    pub(in crate::cli) async fn open(common: &Common) -> Result<Self, String> {
        let (settings, sources) = common.settings().map_err(|refusal| refusal.to_string())?;
        Box::pin(Self::with(settings, sources)).await.map_err(|refusal| refusal.to_string())
    }

    async fn with(settings: Settings, sources: Sources) -> Result<Self, StartError> {
        let settings = with_file(settings, &sources).await?;
        let sql = &settings.config.view.sql;
        let db = Db::new(sql)?.beside(sources.is_beside());
        refuse_beside_unnamed(&sources, sql, async || db.accounts_found().await).await?;
        if db.pending_migrations().await?.iter().any(|pending| pending == FIRST_MIGRATION) {
            return Err(StartError::Configuration(format!(
                "{} has no tables of a server, so no server uses it: run this in the folder of the server with its \
                 --config and variables",
                described(&sql.data_source)
            )));
        }
        Ok(Self { db, settings, sources })
    }

    /// Returns the accounts, to be changed.
    pub(in crate::cli) async fn accounts(&self) -> Result<OperatorAccounts, String> {
        let opened = OperatorAccounts::open(self.db.clone(), ready_keys(&self.settings)).await;
        opened.map_err(|refusal| refusal.to_string())
    }

    /// Returns the configuration that a server would start with.
    pub(super) async fn config(&self) -> Result<Config, String> {
        with_stored(self.settings.clone(), &self.sources).await.map_err(|refusal| refusal.to_string())
    }
}
