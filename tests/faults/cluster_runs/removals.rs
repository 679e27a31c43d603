//! Rights that were removed: each server must have given them before, and must refuse them after the limit.

use std::time::Duration;

use futures_util::future::join_all;
use tokio::time::timeout;

use crate::support::Reply;
use crate::support::quiet::pass;
use crate::support::waiting::until_within;

/// The time after an acknowledged removal in which a server may still give the rights: 2 s, and a margin for a busy
/// machine.
pub(super) const REMOVED_WITHIN: Duration = Duration::from_millis(2_500);

/// The time limit for a use of rights before they are removed. A server with a fault does not delay the removal.
const USED_WITHIN: Duration = Duration::from_secs(2);

/// The time between two attempts at a server that did not answer, and the time after which it has to answer: at the end
/// of a run, all servers are ready.
const RETRY_DELAY: Duration = Duration::from_millis(250);
const ANSWERED_WITHIN: Duration = Duration::from_mins(3);

/// The statuses of requests that need rights, by server. A request without an answer has `None`.
pub(super) struct Removal {
    pub(super) subject: String,
    /// The status of a refusal.
    pub(super) refusal: u16,
    /// The statuses before the removal.
    pub(super) before: Vec<Option<u16>>,
    /// The statuses after the limit, in their order.
    pub(super) after: Vec<Vec<Option<u16>>>,
}

impl Removal {
    /// Returns the broken promises: each server has to refuse the rights, and none may give them.
    pub(super) fn violations(&self) -> Vec<String> {
        let mut violations = Vec::new();
        for (node, statuses) in self.after.iter().enumerate() {
            if statuses.iter().flatten().any(|status| is_given(*status)) {
                violations
                    .push(format!("server {node} accepted {} {REMOVED_WITHIN:?} after its removal", self.subject));
            } else if statuses.last() != Some(&Some(self.refusal)) {
                violations.push(format!("server {node} never refused {}: {statuses:?}", self.subject));
            }
        }
        violations
    }

    /// Returns the number of servers that gave the rights before the removal, and refused them afterwards.
    pub(super) fn proofs(&self) -> usize {
        let is_proof = |(before, after): &(&Option<u16>, &Vec<Option<u16>>)| {
            before.is_some_and(is_given) && after.last() == Some(&Some(self.refusal))
        };
        self.before.iter().zip(&self.after).filter(is_proof).count()
    }
}

fn is_given(status: u16) -> bool {
    (200..300).contains(&status)
}

/// Uses rights on all servers before their removal, and returns the statuses.
pub(super) async fn statuses(requests: impl Iterator<Item = impl Future<Output = Option<Reply>>>) -> Vec<Option<u16>> {
    let limited = requests.map(|request| async move { timeout(USED_WITHIN, request).await.ok().flatten() });
    join_all(limited).await.into_iter().map(|reply| reply.map(|reply| reply.status)).collect()
}

/// Sends a request to one server until that accepts or refuses it, and returns the statuses.
pub(super) async fn decided(refusal: u16, send: impl AsyncFn() -> Option<Reply>) -> Vec<Option<u16>> {
    let mut statuses = Vec::new();
    let is_decided = async || {
        if !statuses.is_empty() {
            pass(RETRY_DELAY).await;
        }
        let status = send().await.map(|reply| reply.status);
        statuses.push(status);
        status.is_some_and(|status| status == refusal || is_given(status))
    };
    until_within(ANSWERED_WITHIN, "a server accepts or refuses rights that were removed", is_decided).await;
    statuses
}

#[test]
fn rights_that_are_accepted_or_not_refused_after_the_limit_are_violations() {
    let count = |before: [Option<u16>; 2], after: [&[Option<u16>]; 2]| {
        let after = after.map(<[_]>::to_vec).to_vec();
        let removal = Removal { subject: "a token".to_owned(), refusal: 401, before: before.to_vec(), after };
        (removal.violations().len(), removal.proofs())
    };
    let refused: &[Option<u16>] = &[None, Some(503), Some(401)];
    let used = [Some(200); 2];
    assert_eq!(count(used, [refused, refused]), (0, 2));
    assert_eq!(count([Some(200), None], [refused, refused]), (0, 1), "a server never had the token");
    assert_eq!(count([Some(503), Some(200)], [refused, refused]), (0, 1), "a server never accepted the token");
    assert_eq!(count(used, [refused, &[Some(200)]]), (1, 1), "a server accepted it");
    assert_eq!(count(used, [refused, &[Some(200), Some(401)]]), (1, 2), "a server accepted it at first");
    for silent in [&[][..], &[None], &[None, Some(503)]] {
        assert_eq!(count(used, [refused, silent]), (1, 1), "a server never refused it: {silent:?}");
    }
}
