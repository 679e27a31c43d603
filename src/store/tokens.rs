//! The table `useraccesstokens`.

use super::{Db, Row, StoreError, statement};

/// A personal access token, without its text.
#[derive(Debug, Clone)]
pub(crate) struct AccessToken {
    pub(crate) id: String,
    pub(crate) user_id: String,
    pub(crate) description: String,
    pub(crate) is_active: bool,
}

const COLUMNS: &str = "id, userid, description, isactive";

impl Db {
    /// The active token with that text.
    pub(crate) async fn access_token_in_use(&self, token: &str) -> Result<Option<AccessToken>, StoreError> {
        let sql = format!("SELECT {COLUMNS} FROM useraccesstokens WHERE token = $1 AND isactive = TRUE");
        self.read(statement(sql, vec![token.into()])).await?.into_iter().next().map(access_token).transpose()
    }
}

fn access_token(mut row: Row) -> Result<AccessToken, StoreError> {
    Ok(AccessToken { id: row.text()?, user_id: row.text()?, description: row.text()?, is_active: row.bool()? })
}
