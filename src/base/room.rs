//! Plain types and functions that several rooms need, without I/O.

pub(crate) mod any_case;
pub(crate) mod bot;
pub(crate) mod budget;
pub(crate) mod channel;
pub(crate) mod error_text;
pub(crate) mod flag;
pub(crate) mod job;
pub(crate) mod json_place;
pub(crate) mod keyed;
pub(crate) mod lenient;
pub(crate) mod network;
pub(crate) mod paging;
pub(crate) mod pause;
pub(crate) mod percent;
pub(crate) mod place;
pub(crate) mod post;
pub(crate) mod preference;
pub(crate) mod report_range;
pub(crate) mod scheme;
pub(crate) mod site_path;
pub(crate) mod team;
pub(crate) mod traffic;
pub(crate) mod trust;
pub(crate) mod user;
pub(crate) mod version;
