//! The table `configurationfiles`: certificates and keys that belong to the configuration, such as those of a SAML
//! provider. They are carried from store to store; this server does not use them.

use super::{Db, StoreError, statement};

/// The maximum length of the name of a file in the database, in characters. It is that of Mattermost.
pub(crate) const MAX_NAME_CHARACTERS: usize = 64;

impl Db {
    /// Returns the content of the file with this name. Returns `None` if there is none, or no table of such files.
    pub(crate) async fn config_certificate(&self, name: &str) -> Result<Option<String>, StoreError> {
        if self.tables_among(&["configurationfiles"]).await?.is_empty() {
            return Ok(None);
        }
        let sql = "SELECT data FROM configurationfiles WHERE name = $1";
        let rows = self.read(statement(sql, vec![name.into()])).await?;
        rows.into_iter().next().map(|mut row| row.text()).transpose()
    }

    /// Stores a file, in place of an earlier one with this name.
    pub(crate) async fn store_config_certificate(&self, name: &str, data: &str, at_ms: i64) -> Result<(), StoreError> {
        let sql = "INSERT INTO configurationfiles (name, data, createat, updateat) VALUES ($1, $2, $3, $3) \
                   ON CONFLICT (name) DO UPDATE SET data = excluded.data, updateat = excluded.updateat";
        self.write(statement(sql, vec![name.into(), data.into(), at_ms.into()])).await.map(drop)
    }
}

#[cfg(test)]
mod tests {
    use crate::store::testing::{execute, fresh};

    #[actix_web::test]
    async fn the_last_content_of_a_name_counts() {
        let (_folder, db) = fresh().await;
        assert_eq!(db.config_certificate("idp.crt").await.unwrap(), None);
        db.store_config_certificate("idp.crt", "one", 1).await.unwrap();
        db.store_config_certificate("idp.crt", "two", 2).await.unwrap();
        db.store_config_certificate("sp.key", "other", 3).await.unwrap();
        assert_eq!(db.config_certificate("idp.crt").await.unwrap().as_deref(), Some("two"));
        execute(&db, "DROP TABLE configurationfiles").await;
        assert_eq!(db.config_certificate("idp.crt").await.unwrap(), None);
    }
}
