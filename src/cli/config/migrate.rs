//! `migrate`: copies the configuration from one store to another.

use clap::Args;

use super::backend::ConfigBackend;
use super::remark::Remark;
use crate::cli::output::say;

pub(super) const AFTER_HELP: &str = "\
A store is `sqlite`, a PostgreSQL URL, or the name of a config.json. Only the stored configuration is copied, not pinned
settings, with the certificates of SamlSettings and the keys of plugins that it names. The previous configuration of the
target stays there as an earlier version. If a server runs, it makes the copy, and uses it at once if the target is its
own store.

  quarterdeck config migrate /opt/mattermost/config/config.json sqlite
  quarterdeck config migrate sqlite postgres://user:password@127.0.0.1/quarterdeck";

#[derive(Debug, Args)]
pub(in crate::cli) struct Migrate {
    /// The store to read
    from: String,
    /// The store to write
    to: String,
    #[command(flatten)]
    remark: Remark,
}

pub(super) async fn run(backend: &ConfigBackend, migrate: &Migrate) -> Result<(), String> {
    backend.migrate(&migrate.from, &migrate.to, &migrate.remark.comment).await?;
    say(if migrate.remark.json { "{\"status\":\"OK\"}" } else { "migrated" });
    Ok(())
}
