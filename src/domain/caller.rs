//! The caller on whose behalf expensive work is done, and its connection.

use futures_util::future::{FutureExt, LocalBoxFuture, Shared, pending};
use quarterdeck_actors::error::AppError;

/// A caller: the lane that its work counts against, and a future that ends when its connection closes.
#[derive(Clone)]
pub(crate) struct Caller {
    lane: String,
    gone: Shared<LocalBoxFuture<'static, ()>>,
}

impl Caller {
    /// Returns a caller without a session. All such callers at one address, or in one IPv6 network, count as one.
    ///
    /// `gone` ends when the caller disconnects.
    pub(crate) fn at(group: String, gone: impl Future<Output = ()> + 'static) -> Self {
        Self { lane: group, gone: gone.boxed_local().shared() }
    }

    /// Returns a caller with a session. Each user counts alone, from any address.
    pub(crate) fn user(user_id: &str, gone: impl Future<Output = ()> + 'static) -> Self {
        Self { lane: format!("user {user_id}"), gone: gone.boxed_local().shared() }
    }

    /// Returns the operator at the command line, who never disconnects.
    pub(crate) fn operator() -> Self {
        Self::at(String::new(), pending())
    }

    /// Returns the lane that the work counts against: an address, a network or a user.
    pub(crate) fn lane(&self) -> &str {
        &self.lane
    }

    /// Runs `work` until it ends or the caller disconnects.
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
