//! Accounts that a server gets before its address is announced.

use quarterdeck_actors::error::AppError;

use super::Server;
use crate::domain::accounts::{Seed, Seeded, seed};

impl Server {
    /// Creates the accounts of a server without any.
    pub(crate) async fn seed(&self, accounts: Seed) -> Result<Seeded, AppError> {
        let app = &self.app;
        let seeded = seed(&app.accounts, &app.trail.audit, &app.actors.config.current(), accounts).await?;
        app.prepared.note_account(&app.actors.config);
        Ok(seeded)
    }
}
