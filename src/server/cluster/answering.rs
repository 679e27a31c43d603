//! Answers the questions of other nodes. A question carries no right: it reads or tests what this node's own configuration
//! names, or restarts or upgrades this node if the store says that it is its turn. The node that puts it has checked the permission of
//! its caller.

use quarterdeck_actors::cluster::{Absence, Reply, Taken};

use crate::web::routes::{
    LOG_LINES, RESTART_SERVER, SERVER_READY, STORE_TEST, UPGRADE_SERVER, answer_with_lines, answer_with_readiness,
    answer_with_restart, answer_with_test, answer_with_upgrade,
};
use crate::web::state::AppState;

/// Returns the answer to a question.
pub(super) async fn answer(app: &AppState, question: Taken) -> Reply {
    match question.content.kind.as_str() {
        LOG_LINES => answer_with_lines(app, question).await,
        STORE_TEST => answer_with_test(app, question).await,
        RESTART_SERVER => answer_with_restart(app, question).await,
        SERVER_READY => answer_with_readiness(app),
        UPGRADE_SERVER => answer_with_upgrade(app, question).await,
        _ => Err(Absence::Unknown),
    }
}
