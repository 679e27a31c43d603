//! The last step of every request: the body of its response is sent in pieces, within the caller's memory budget.

use std::sync::atomic::Ordering;
use std::time::Duration;

use actix_web::HttpResponse;
use actix_web::body::MessageBody;
use actix_web::http::{Method, StatusCode};
use quarterdeck_actors::error::AppError;

use crate::base::budget::Reservation;
use crate::domain::session::Session;
use crate::web::address::group_of;
use crate::web::answer::outgoing::{LARGE_BYTES, Live, Outgoing};
use crate::web::answer::read_rate::ReadRate;
use crate::web::pipeline::arrival::Arrival;
use crate::web::routes::route::Origin;
use crate::web::routes::router::Found;
use crate::web::state::AppState;

impl Arrival {
    /// Turns the body of a response into one that is sent in pieces.
    ///
    /// Refuses a large response with 503 if the caller has not yet read its earlier ones. The response to a change is
    /// always sent, because the caller must learn its outcome.
    pub(super) fn send(&self, answer: HttpResponse, app: &AppState, found: Option<&Found>) -> HttpResponse<Outgoing> {
        if answer.status() == StatusCode::SWITCHING_PROTOCOLS {
            return answer.map_body(|_, body| Outgoing::socket(body));
        }
        let is_live = answer.extensions().contains::<Live>();
        let (answer, body) = answer.into_parts();
        let bytes = match body.try_into_bytes() {
            Ok(bytes) if bytes.len() <= LARGE_BYTES => return answer.set_body(Outgoing::bytes(bytes)),
            Ok(bytes) => bytes,
            Err(body) if is_live => return answer.set_body(Outgoing::chunks(body)),
            Err(body) => return answer.set_body(Outgoing::chunks(body).with_read_rate(self.read_rate())),
        };
        match self.room(bytes.len(), app, found) {
            Ok(room) => answer.set_body(Outgoing::with_permit(bytes, room).with_read_rate(self.read_rate())),
            Err(refusal) => {
                app.limits.sending.refused.fetch_add(1, Ordering::Relaxed);
                let mut refusal = self.refuse(&refusal, app);
                self.add_headers(&mut refusal, app);
                refusal.map_body(|_, body| Outgoing::chunks(body))
            }
        }
    }

    /// Takes memory from the caller's budget; `None` on the local socket, which has no budget.
    fn room(&self, bytes: usize, app: &AppState, found: Option<&Found>) -> Result<Option<Reservation>, AppError> {
        if self.origin == Origin::LocalSocket {
            return Ok(None);
        }
        let user = self.caller.get().map(Session::user_id).filter(|id| !id.is_empty());
        let caller = user.map_or_else(|| group_of(&self.http), str::to_owned);
        // A route that only reads may be marked as a change so that the audit trail records it. So the method is
        // checked as well.
        let is_change = self.http.method() != Method::GET && found.is_some_and(|found| found.route.audit.is_always());
        if is_change {
            return Ok(Some(app.limits.sending.budget.reserve_unconditionally(&caller, bytes)));
        }
        let room = app.limits.sending.budget.room(&caller, bytes);
        room.map(Some).ok_or_else(|| AppError::new("app.request.responses_unread.app_error"))
    }

    /// Returns the watch over the client's minimum read rate. The local socket has none, because its client is the
    /// operator.
    fn read_rate(&self) -> Option<ReadRate> {
        if self.origin == Origin::LocalSocket {
            return None;
        }
        ReadRate::watch(&self.http, Duration::from_secs(self.config.view.service.write_timeout))
    }
}
