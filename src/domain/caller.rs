//! On whose behalf costly work is done, and for how long that caller waits for it.

use futures_util::future::{FutureExt, LocalBoxFuture, Shared, pending};
use quarterdeck_actors::error::AppError;

/// A caller: whom its work is counted against, and whether its connection is still open.
#[derive(Clone)]
pub(crate) struct Caller {
    lane: String,
    gone: Shared<LocalBoxFuture<'static, ()>>,
}

impl Caller {
    /// A caller without a session, who counts as one with everyone at its address or in its IPv6 network.
    ///
    /// `gone` ends when the caller hangs up.
    pub(crate) fn at(group: String, gone: impl Future<Output = ()> + 'static) -> Self {
        Self { lane: group, gone: gone.boxed_local().shared() }
    }

    /// A caller with a session: it counts for itself, wherever it calls from.
    pub(crate) fn user(user_id: &str, gone: impl Future<Output = ()> + 'static) -> Self {
        Self { lane: format!("user {user_id}"), gone: gone.boxed_local().shared() }
    }

    /// The operator at the command line, who does not hang up.
    pub(crate) fn operator() -> Self {
        Self::at(String::new(), pending())
    }

    /// Whom the work counts against: an address, a network, or a user.
    pub(crate) fn lane(&self) -> &str {
        &self.lane
    }

    /// Does `work`, but only for as long as the caller waits for it.
    pub(crate) async fn while_waiting<T>(
        &self,
        work: impl Future<Output = Result<T, AppError>>,
    ) -> Result<T, AppError> {
        tokio::select! {
            done = work => done,
            () = self.gone.clone() => Err(AppError::new("app.request.abandoned.app_error")),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::ready;

    use super::*;

    #[actix_rt::test]
    async fn work_ends_when_its_caller_hangs_up() {
        let here = Caller::at("192.0.2.7".to_owned(), pending());
        assert_eq!(here.while_waiting(ready(Ok(7))).await.unwrap(), 7);
        let gone = Caller::user("anna", ready(()));
        let dropped = gone.while_waiting(pending::<Result<(), AppError>>()).await.unwrap_err();
        assert_eq!(dropped.id, "app.request.abandoned.app_error");
    }
}
