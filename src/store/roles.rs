//! The table `roles`.

use quarterdeck_actors::roles::{Role, Roles};

use super::{Db, Row, StoreError, statement};

const COLUMNS: &str =
    "id, name, displayname, description, createat, updateat, deleteat, permissions, schememanaged, builtin";

impl Db {
    /// Every role, with the built-in ones added where they are missing.
    pub(crate) async fn ready_roles(&self) -> Result<Roles, StoreError> {
        let sql = format!("SELECT {COLUMNS} FROM roles");
        self.read(statement(sql, Vec::new())).await?.into_iter().map(role).collect()
    }
}

fn role(mut row: Row) -> Result<Role, StoreError> {
    Ok(Role {
        id: row.text()?,
        name: row.text()?,
        display_name: row.text()?,
        description: row.text()?,
        create_at: row.int()?,
        update_at: row.int()?,
        delete_at: row.int()?,
        permissions: row.text()?.split_whitespace().map(str::to_owned).collect(),
        scheme_managed: row.bool()?,
        built_in: row.bool()?,
    })
}
