//! The last step of every request: its response becomes a body that is sent in pieces, within the caller's budget.

use std::sync::atomic::Ordering;
use std::time::Duration;

use actix_web::HttpResponse;
use actix_web::body::MessageBody;
use actix_web::http::{Method, StatusCode};
use quarterdeck_actors::error::AppError;

use crate::base::budget::Room;
use crate::domain::session::Session;
use crate::web::address::group_of;
use crate::web::answer::outgoing::{LARGE_BYTES, Outgoing};
use crate::web::answer::pace::Pace;
use crate::web::pipeline::arrival::Arrival;
use crate::web::routes::route::Origin;
use crate::web::routes::router::Found;
use crate::web::state::AppState;

impl Arrival {
    /// Makes the body of a response one that is sent in pieces.
    ///
    /// A large response to a caller whose earlier ones are not read yet is refused with 503, unless the request was a
    /// change, whose outcome the caller must learn.
    pub(super) fn send(
        &self,
        answer: HttpResponse,
        app: &AppState,
        found: Option<&Found<'_>>,
    ) -> HttpResponse<Outgoing> {
        if answer.status() == StatusCode::SWITCHING_PROTOCOLS {
            return answer.map_body(|_, body| Outgoing::socket(body));
        }
        let (answer, body) = answer.into_parts();
        let bytes = match body.try_into_bytes() {
            Ok(bytes) if bytes.len() <= LARGE_BYTES => return answer.set_body(Outgoing::bytes(bytes)),
            Ok(bytes) => bytes,
            Err(body) => return answer.set_body(Outgoing::chunks(body).paced(self.pace())),
        };
        match self.room(bytes.len(), app, found) {
            Ok(room) => answer.set_body(Outgoing::with_permit(bytes, room).paced(self.pace())),
            Err(refusal) => {
                app.limits.sending.refused.fetch_add(1, Ordering::Relaxed);
                let mut refusal = self.refuse(&refusal);
                self.add_headers(&mut refusal, app);
                refusal.map_body(|_, body| Outgoing::chunks(body))
            }
        }
    }

    /// Room in the budget; `None` on the local socket, which has none.
    fn room(&self, bytes: usize, app: &AppState, found: Option<&Found<'_>>) -> Result<Option<Room>, AppError> {
        if self.origin == Origin::LocalSocket {
            return Ok(None);
        }
        let user = self.caller.get().map(Session::user_id).filter(|id| !id.is_empty());
        let caller = user.map_or_else(|| group_of(&self.http), str::to_owned);
        // A route that only reads may be marked as a change, so that the audit trail records it.
        let is_change = self.http.method() != Method::GET && found.is_some_and(|found| found.route.is_change);
        if is_change {
            return Ok(Some(app.limits.sending.budget.certain_room(&caller, bytes)));
        }
        let room = app.limits.sending.budget.room(&caller, bytes);
        room.map(Some).ok_or_else(|| AppError::new("app.request.responses_unread.app_error"))
    }

    /// The watch over a client's pace; the client of the local socket is the operator, and has none.
    fn pace(&self) -> Option<Pace> {
        if self.origin == Origin::LocalSocket {
            return None;
        }
        Pace::watch(&self.http, Duration::from_secs(self.config.view.service.write_timeout))
    }
}
