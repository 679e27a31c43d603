//! The table `bots`, beside what `users` reads of it.

use super::{Db, StoreError, statement};

impl Db {
    /// Who owns the bot with that user id; `None` when it is no bot.
    pub(crate) async fn bot_owner(&self, user_id: &str) -> Result<Option<String>, StoreError> {
        let sql = "SELECT ownerid FROM bots WHERE userid = $1";
        let rows = self.read(statement(sql, vec![user_id.into()])).await?;
        rows.into_iter().next().map(|mut row| row.text()).transpose()
    }
}
