//! Answers the questions of other nodes.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{sleep, timeout};
use tracing::{info, warn};

use super::question::{Absence, parts};
use super::shared::Shared;
use super::{Bus, Receiver};
use crate::error::AppError;
use crate::task;

/// The maximum number of questions that a node answers at the same time. Further ones are refused.
pub(super) const MAX_ANSWERS: usize = 16;

/// The maximum number of questions that a node refuses at the same time. Further ones get no answer.
pub(super) const MAX_REFUSALS: usize = 16;

/// The interval between two looks for the end of a question. Work for a caller who has hung up ends within it.
const OPEN_INTERVAL: Duration = Duration::from_secs(1);

/// The time limit for refusing a question.
const REFUSE_LIMIT: Duration = Duration::from_secs(2);

/// Answers a question beside the messages after it. A question that comes twice is answered once, because it can be taken
/// once.
pub(super) fn begin(shared: &Arc<Shared>, bus: &Arc<dyn Bus>, receiver: &Arc<dyn Receiver>, question_id: String) {
    let (shared, bus, receiver) = (shared.clone(), bus.clone(), receiver.clone());
    if let Ok(permit) = shared.answering.clone().try_acquire_owned() {
        task::once("answer_server", async move {
            let _permit = permit;
            if let Err(cause) = answer(&shared, &*bus, &*receiver, question_id).await {
                warn!(%cause, "a question of another server could not be answered");
            }
        });
    } else if let Ok(permit) = shared.refusing.clone().try_acquire_owned() {
        task::once("refuse_server", async move {
            let _permit = permit;
            warn!("other servers put too many questions at once; one is refused");
            if !matches!(timeout(REFUSE_LIMIT, refuse(&shared.own.id, &*bus, question_id)).await, Ok(Ok(()))) {
                warn!("a question of another server could not be refused; it gets no answer");
            }
        });
    } else {
        warn!("other servers put too many questions at once; one gets no answer");
    }
}

/// Refuses a question, because this node answers too many.
async fn refuse(own: &str, bus: &dyn Bus, question_id: String) -> Result<(), AppError> {
    if bus.take(question_id.clone(), own.to_owned()).await?.is_some() {
        for part in parts(&question_id, own, Err(Absence::Busy)) {
            bus.answer(part).await?;
        }
    }
    Ok(())
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
        () = closed(bus, &question_id) => {
            info!("a question of another server was closed while it was answered");
            Ok(())
        }
        // The task must not keep the parts of a server that stops.
        _ = is_leaving.wait_for(|is_leaving| *is_leaving) => Ok(()),
    }
}

/// Waits until a question is closed. A store that does not answer says nothing: the time of the question ends the work.
async fn closed(bus: &dyn Bus, question_id: &str) {
    let mut is_open = true;
    while is_open {
        sleep(OPEN_INTERVAL).await;
        is_open = bus.is_open(question_id.to_owned()).await.unwrap_or(true);
    }
}
