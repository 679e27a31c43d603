//! Certificates and keys that belong to the configuration, in the store beside its versions.

use quarterdeck_actors::clock::wall_ms;

use super::{VersionStore, in_background};
use crate::store::MAX_NAME_CHARACTERS;

impl VersionStore {
    /// Returns the content of a file that belongs to the configuration; `None` if there is none with this name.
    pub(crate) async fn certificate(&self, name: &str) -> Result<Option<Vec<u8>>, String> {
        match self {
            Self::Database(db) => {
                let found = db.config_certificate(name).await.map_err(|cause| cause.to_string())?;
                Ok(found.map(String::into_bytes))
            }
            Self::File(file) => {
                let name = name.to_owned();
                let found = in_background(file, move |file| file.certificate(&name)).await;
                found.map_err(|cause| cause.to_string())?.map_err(|cause| cause.to_string())
            }
        }
    }

    /// Stores a file that belongs to the configuration, in place of an earlier one with this name.
    pub(crate) async fn store_certificate(&self, name: &str, data: Vec<u8>) -> Result<(), String> {
        match self {
            Self::Database(db) => {
                if name.chars().count() > MAX_NAME_CHARACTERS {
                    return Err(format!("a database takes names of at most {MAX_NAME_CHARACTERS} characters"));
                }
                let text = String::from_utf8(data).map_err(|_| "a database takes texts only".to_owned())?;
                db.store_config_certificate(name, &text, wall_ms()).await.map_err(|cause| cause.to_string())
            }
            Self::File(file) => {
                let name = name.to_owned();
                let stored = in_background(file, move |file| file.store_certificate(&name, &data)).await;
                stored.map_err(|cause| cause.to_string())?.map_err(|cause| cause.to_string())
            }
        }
    }
}
