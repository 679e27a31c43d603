//! `quarterdeck serve --ephemeral`: a server for one run of a client's tests, which leaves nothing behind.

mod folder;
mod greeting;
mod replaced;

use std::io;

use quarterdeck_actors::secret::Secret;
use quarterdeck_actors::task;
use tracing::warn;

use crate::cli::output::remark;
use crate::domain::accounts::{Seed, Seeded, suitable_password};
use crate::server::Server;
use crate::settings::{Settings, Sources};
pub(crate) use folder::Folder;
use greeting::Greeting;

/// The accounts that an ephemeral server gets.
pub(super) struct Plan {
    users: usize,
    password: Secret,
}

impl Plan {
    /// Returns a plan with this number of users, and with a password that the settings allow.
    pub(super) fn new(users: usize, settings: &Settings) -> Self {
        Self { users, password: suitable_password(&settings.config.view.password) }
    }

    /// Creates the accounts, and prints everything that a test needs as one line on standard output.
    pub(super) async fn carry_out(self, server: &Server) -> Result<(), String> {
        let password = self.password.clone();
        let seed = Seed { users: self.users, password: self.password };
        let seeded: Seeded = server.seed(seed).await.map_err(|refusal| refusal.to_string())?;
        let printed = Greeting::of(server, &seeded, &password).and_then(|greeting| greeting.print());
        printed.map_err(|cause| format!("the line on standard output cannot be written: {cause}"))
    }
}

/// Makes a folder for the data of one run, and puts it in place of every other place that the settings name.
pub(super) fn prepare(sources: Sources) -> io::Result<(Folder, Sources)> {
    let folder = Folder::create()?;
    let replacements = replaced::replacements(&folder);
    Ok((folder, sources.with_replacements(replacements)))
}

/// Prints the given values that have no effect, on standard error.
pub(super) fn tell_replaced(settings: &Settings) {
    for replaced in &settings.replaced {
        remark(format_args!("{}: {replaced} has no effect", replaced::PLACE));
    }
}

/// Removes what servers left that could not remove their folders, in the background.
pub(super) fn remove_abandoned() {
    task::once("remove_abandoned_folders", async {
        let removed = actix_web::rt::task::spawn_blocking(folder::remove_abandoned).await;
        if let Ok(Err(cause)) = removed {
            warn!(%cause, "folders of earlier ephemeral servers could not be looked for");
        }
    });
}
