//! The content of a support packet.

use std::collections::BTreeMap;
use std::io::{Cursor, Read};

use aws_lc_rs::digest::{SHA256, digest};
use data_encoding::HEXLOWER;
use serde_json::Value;
use zip::ZipArchive;

use super::{Client, Reply};

pub const PATH: &str = "/system/support_packet";

/// The entries of a packet, by name.
pub struct Packet(pub BTreeMap<String, Vec<u8>>);

impl Packet {
    /// Downloads a packet, with a query.
    pub async fn of(client: &Client, query: &str) -> Self {
        let reply = client.get(&format!("{PATH}{query}")).await;
        Self::in_reply(&reply)
    }

    pub fn in_reply(reply: &Reply) -> Self {
        assert_eq!(reply.status, 200, "{}", String::from_utf8_lossy(&reply.body));
        Self::unpacked(reply.body.clone())
    }

    pub fn unpacked(bytes: Vec<u8>) -> Self {
        let mut archive = ZipArchive::new(Cursor::new(bytes)).unwrap();
        let mut entries = BTreeMap::new();
        for at in 0..archive.len() {
            let mut entry = archive.by_index(at).unwrap();
            let mut content = Vec::new();
            entry.read_to_end(&mut content).unwrap();
            let name = entry.name().unwrap().into_owned();
            assert!(entries.insert(name.clone(), content).is_none(), "{name} is there twice");
        }
        Self(entries)
    }

    pub fn names(&self) -> Vec<&str> {
        self.0.keys().map(String::as_str).collect()
    }

    pub fn text(&self, name: &str) -> String {
        let content = self.0.get(name).unwrap_or_else(|| panic!("no {name} in {:?}", self.names()));
        String::from_utf8(content.clone()).unwrap()
    }

    pub fn json(&self, name: &str) -> Value {
        serde_json::from_str(&self.text(name)).unwrap()
    }

    pub fn yaml(&self, name: &str) -> Value {
        yaml_serde::from_str(&self.text(name)).unwrap()
    }

    /// Returns the manifest. Fails unless it describes the entries exactly.
    #[track_caller]
    pub fn manifest(&self) -> Value {
        let manifest = self.json("manifest.json");
        let told = manifest["files"].as_array().unwrap();
        let told: BTreeMap<&str, (u64, &str)> = told
            .iter()
            .map(|file| {
                (file["name"].as_str().unwrap(), (file["bytes"].as_u64().unwrap(), file["sha256"].as_str().unwrap()))
            })
            .collect();
        let others = self.0.iter().filter(|(name, _)| *name != "manifest.json");
        for (name, content) in others.clone() {
            let sum = HEXLOWER.encode(digest(&SHA256, content).as_ref());
            assert_eq!(told.get(name.as_str()), Some(&(content.len() as u64, sum.as_str())), "{name}");
        }
        assert_eq!(told.len(), others.count());
        manifest
    }
}

/// Returns the reasons in a list of the manifest for the names that start with `name`.
pub fn reasons(list: &Value, name: &str) -> Vec<String> {
    let items = list.as_array().unwrap().iter();
    let items = items.filter(|item| item["name"].as_str().unwrap().starts_with(name));
    items.map(|item| item["why"].as_str().unwrap().to_owned()).collect()
}
