//! Answers the questions of other nodes.

use std::sync::Arc;

use tokio::time::timeout;
use tracing::{info, warn};

use super::question::{Absence, parts};
use super::shared::Shared;
use super::{Bus, Receiver};
use crate::error::AppError;
use crate::task;

/// The maximum number of questions that a node answers at the same time. Further ones get no answer.
pub(super) const MAX_ANSWERS: usize = 16;

/// Answers a question beside the messages after it. A question that comes twice is answered once, because it can be taken
/// once.
pub(super) fn begin(shared: &Arc<Shared>, bus: &Arc<dyn Bus>, receiver: &Arc<dyn Receiver>, question_id: String) {
    let Ok(permit) = shared.answering.clone().try_acquire_owned() else {
        warn!("other servers put too many questions at once; one gets no answer");
        return;
    };
    let (shared, bus, receiver) = (shared.clone(), bus.clone(), receiver.clone());
    task::once("answer_server", async move {
        let _permit = permit;
        if let Err(cause) = answer(&shared, &*bus, &*receiver, question_id).await {
            warn!(%cause, "a question of another server could not be answered");
        }
    });
}

async fn answer(shared: &Shared, bus: &dyn Bus, receiver: &dyn Receiver, question_id: String) -> Result<(), AppError> {
    let own = &shared.own.id;
    let Some(taken) = bus.take(question_id.clone(), own.clone()).await? else { return Ok(()) };
    let (max_bytes, left) = (taken.content.max_bytes, taken.left);
    let replying = async {
        let reply = receiver.answer(taken).await;
        let reply = reply.and_then(|text| if text.len() > max_bytes { Err(Absence::Failed) } else { Ok(text) });
        for part in parts(&question_id, own, reply) {
            let is_open = bus.answer(part).await?;
            if !is_open {
                info!("the answer to a question of another server is not awaited any more");
                break;
            }
        }
        Ok(())
    };
    let mut is_leaving = shared.is_leaving.subscribe();
    tokio::select! {
        answered = timeout(left, replying) => answered.unwrap_or_else(|_| {
            info!("a question of another server could not be answered in its time");
            Ok(())
        }),
        // The task must not keep the parts of a server that stops.
        _ = is_leaving.wait_for(|is_leaving| *is_leaving) => Ok(()),
    }
}
