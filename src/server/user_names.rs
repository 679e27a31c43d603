//! Keeps the searchable names of accounts equal to the accounts, also when another program writes those.

use std::time::Duration;

use actix_web::web::Data;
use quarterdeck_actors::clock::{MINUTE_MS, wall_ms};
use tokio::time::{Instant, sleep};
use tracing::{info, warn};

use crate::store::StoreError;
use crate::web::state::AppState;

/// The interval between two comparisons of the accounts that changed lately, and the delay after a failed comparison.
const CHANGED_INTERVAL: Duration = Duration::from_secs(5);

/// The interval between two comparisons of all accounts.
const ALL_INTERVAL: Duration = Duration::from_hours(1);

/// The number of corrected accounts after which all are compared again.
const CORRECTED_BEFORE_ALL: usize = 1_000;

/// The time that is compared again each time, in ms.
const SHORT_OVERLAP_MS: i64 = MINUTE_MS / 3;

/// The time that is compared again once in a while, in ms. It allows for clock skew and for transactions that were
/// committed late.
const LONG_OVERLAP_MS: i64 = 5 * MINUTE_MS;

/// The number of comparisons with the short overlap for each one with the long overlap.
const SHORT_ONES: usize = 11;

/// Compares all accounts, and then those that changed lately, over and over.
pub(super) async fn keep_comparing(app: Data<AppState>) {
    loop {
        let begun = Instant::now();
        if report(&app.db.compare_names().await) {
            let overlaps = std::iter::repeat_n(SHORT_OVERLAP_MS, SHORT_ONES).chain([LONG_OVERLAP_MS]).cycle();
            let mut corrected = 0;
            for overlap_ms in overlaps {
                // After an import, the estimates of a search know little of the accounts.
                if begun.elapsed() >= ALL_INTERVAL || corrected >= CORRECTED_BEFORE_ALL {
                    break;
                }
                sleep(CHANGED_INTERVAL).await;
                let compared = app.db.compare_changed_names(wall_ms() - overlap_ms).await;
                report(&compared);
                corrected += compared.unwrap_or_default();
            }
        } else {
            sleep(CHANGED_INTERVAL).await;
        }
    }
}

fn report(compared: &Result<usize, StoreError>) -> bool {
    match compared {
        Ok(0) => {}
        Ok(count) => info!(user_names.corrected = count, "the searchable names of accounts were corrected"),
        Err(cause) => warn!(%cause, "the searchable names of accounts could not be compared; the server tries again"),
    }
    compared.is_ok()
}
