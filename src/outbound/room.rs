//! Calls to other servers: the HTTP client and its policy, mail, push notifications, images, links, releases.

pub(crate) mod client;
pub(crate) mod images;
pub(crate) mod links;
pub(crate) mod mail;
pub(crate) mod push;
pub(crate) mod releases;
