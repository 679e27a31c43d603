//! Permits for work that waits for other servers: a pool for the server, one for operators, and one for users.
//!
//! Operators have a pool of their own, so users cannot block them.

use std::sync::Arc;

use quarterdeck_actors::shared_pool::{NoPermit, Permit, SharedPool};
use tokio::sync::Semaphore;

use super::{CallFailure, Chosen};

/// The three independent pools.
pub(super) struct Pools {
    server: Arc<Semaphore>,
    operators: Arc<Semaphore>,
    users: SharedPool,
}

impl Pools {
    /// Creates pools of these sizes for the server, operators and users. Each user gets at most `permits_per_user` permits.
    pub(super) fn new(server: usize, operators: usize, users: usize, permits_per_user: usize) -> Self {
        /// A page with links and images sends this many requests at once.
        const MAX_PER_USER: usize = 64;
        let users = SharedPool::new(users, permits_per_user, MAX_PER_USER);
        Self { server: Arc::new(Semaphore::new(server)), operators: Arc::new(Semaphore::new(operators)), users }
    }

    /// Returns a permit from the pool of the party that chose the host.
    pub(super) async fn permit(&self, chosen: Chosen<'_>) -> Result<Permit, CallFailure> {
        let pool = match chosen {
            Chosen::InConfiguration => &self.server,
            Chosen::ByOperator { .. } => &self.operators,
            Chosen::ByUser(user) => return self.users.permit(user).await.map_err(|NoPermit| CallFailure::Busy),
        };
        // The semaphore is never closed.
        let common = pool.clone().acquire_owned().await.ok();
        Ok(Permit::of_common(common))
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    #[actix_web::test]
    async fn neither_users_nor_the_server_keep_an_operator_waiting() {
        let pools = Pools::new(1, 1, 1, 1);
        let _server = pools.permit(Chosen::InConfiguration).await.unwrap();
        let _user = pools.permit(Chosen::ByUser("anna")).await.unwrap();
        let operator = pools.permit(Chosen::ByOperator { listening: &[], decides_site_url: false }).now_or_never();
        assert!(operator.unwrap().is_ok());
    }
}
