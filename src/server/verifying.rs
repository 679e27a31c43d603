//! Verifies the audit trail as long as the server runs.

use std::time::Duration;

use actix_web::web::Data;

use crate::web::state::AppState;

/// The delay of the first verification, which goes through the whole trail, so that it does not slow the start down.
const FIRST_DELAY: Duration = Duration::from_mins(1);

/// The interval between two verifications of the rows that were added.
const INTERVAL: Duration = Duration::from_mins(10);

pub(super) async fn keep_verifying(app: Data<AppState>) {
    let verification = &app.trail.verification;
    verification.begin_again();
    verification.wait(FIRST_DELAY).await;
    let mut place = None;
    loop {
        place = Some(verification.verify(&app.db, place).await);
        verification.wait(INTERVAL).await;
    }
}
