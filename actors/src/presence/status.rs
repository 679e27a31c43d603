//! A user's status and its transitions, as pure functions of the previous status, the event and the time.

use serde::{Deserialize, Serialize};
use utoipa::openapi::{RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

use crate::schema::one_of;

const MINUTE_S: i64 = 60;

const ONLINE: &str = "online";
const AWAY: &str = "away";
const OFFLINE: &str = "offline";
const DO_NOT_DISTURB: &str = "dnd";
const OUT_OF_OFFICE: &str = "ooo";

/// The statuses that a user may set. `ooo` belongs to automatic replies, which this server does not have.
const SETTABLE: [&str; 4] = [ONLINE, OFFLINE, AWAY, DO_NOT_DISTURB];

/// The status of a user.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct Status {
    /// The user's id.
    pub user_id: String,
    /// The status; `ooo` only if Mattermost stored it.
    #[serde(rename = "status")]
    #[schema(value_type = Presence)]
    pub presence: String,
    /// True if the user set it by hand. Activity does not change it then.
    pub manual: bool,
    /// The time of the last activity, in Unix milliseconds.
    pub last_activity_at: i64,
    /// The end of "do not disturb", in Unix seconds; 0 means never.
    pub dnd_end_time: i64,
    /// The status after the end of "do not disturb".
    #[serde(skip)]
    pub previous: String,
}

/// The schema of a status that a user can have.
pub enum Presence {}

impl PartialSchema for Presence {
    fn schema() -> RefOr<Schema> {
        one_of("The status of a user.", SETTABLE.into_iter().chain([OUT_OF_OFFICE]))
    }
}

impl ToSchema for Presence {}

/// The schema of a status that a user may set.
pub enum SettablePresence {}

impl PartialSchema for SettablePresence {
    fn schema() -> RefOr<Schema> {
        one_of("A status that a user may set.", SETTABLE)
    }
}

impl ToSchema for SettablePresence {}

/// A request to set a status.
#[derive(Debug, Clone, Default, Deserialize, ToSchema)]
#[schema(as = StatusWish)]
pub struct StatusRequest {
    /// The user's id, as in the path.
    #[serde(default)]
    #[schema(required = true, pattern = "^[a-z0-9]{26}$")]
    pub user_id: String,
    /// The status to set.
    #[serde(default)]
    #[schema(required = true, value_type = SettablePresence)]
    pub status: String,
    /// The end of "do not disturb", in Unix seconds; 0 means never.
    #[serde(default)]
    pub dnd_end_time: i64,
}

impl StatusRequest {
    /// Returns true if a user may set this status.
    pub fn is_settable(&self) -> bool {
        SETTABLE.contains(&self.status.as_str())
    }

    /// Makes a request without an end.
    pub(super) fn of(user_id: &str, status: &str) -> Self {
        Self { user_id: user_id.to_owned(), status: status.to_owned(), dnd_end_time: 0 }
    }
}

/// An event that may change a user's status.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Event {
    /// The user was active.
    Active {
        /// The time of the activity, in Unix milliseconds.
        at: i64,
    },
    /// The connection is alive, whether or not its user is active.
    Pong,
    /// The client reports that its user is idle.
    Idle,
    /// A connection is gone, and the remaining ones saw the last activity at this time.
    LastActive {
        /// The time of the activity, in Unix milliseconds.
        at: i64,
    },
    /// The last connection is gone.
    Left,
    /// A server that has ended left the status as online or away.
    LeftBehind {
        /// The start of the next server, in Unix milliseconds.
        before: i64,
    },
}

impl Status {
    /// Returns the status of a user who never had one: offline.
    pub fn unknown(user_id: &str) -> Self {
        Self {
            user_id: user_id.to_owned(),
            presence: OFFLINE.to_owned(),
            manual: false,
            last_activity_at: 0,
            dnd_end_time: 0,
            previous: String::new(),
        }
    }

    /// Returns the status that others see at `now`, in Unix milliseconds.
    pub fn presence_at(&self, now: i64) -> &str {
        if !self.is_over(now) {
            &self.presence
        } else if self.previous.is_empty() {
            ONLINE
        } else {
            &self.previous
        }
    }

    /// Returns true if the status is that of a user who left: offline, or offline after "do not disturb".
    pub fn is_departure(&self) -> bool {
        let is_offline = self.presence == OFFLINE && !self.manual;
        is_offline || (self.presence == DO_NOT_DISTURB && self.previous == OFFLINE)
    }

    /// Returns true if the user is away.
    pub(super) fn is_away(&self) -> bool {
        self.presence == AWAY
    }

    /// Returns true if others see the user as offline at `now`.
    pub(super) fn is_offline_at(&self, now: i64) -> bool {
        self.presence_at(now) == OFFLINE
    }

    /// Returns true if "do not disturb" has ended at `now`, in Unix milliseconds.
    pub(super) fn is_over(&self, now: i64) -> bool {
        self.presence == DO_NOT_DISTURB && self.dnd_end_time > 0 && self.dnd_end_time.saturating_mul(1000) <= now
    }

    /// Returns the status at `now`, in Unix milliseconds: "do not disturb" ends by itself.
    #[must_use]
    pub fn at(self, now: i64) -> Self {
        if !self.is_over(now) {
            return self;
        }
        let presence = self.presence_at(now).to_owned();
        Self { presence, manual: false, dnd_end_time: 0, previous: DO_NOT_DISTURB.to_owned(), ..self }
    }

    /// Returns the status after the user sets `request` at `now`.
    pub(super) fn changed(self, request: &StatusRequest, now: i64) -> Self {
        let is_dnd = request.status == DO_NOT_DISTURB;
        let shows_activity = request.status == ONLINE || request.status == OFFLINE;
        let previous = if is_dnd && self.presence == DO_NOT_DISTURB { self.previous } else { self.presence };
        Self {
            presence: request.status.clone(),
            // Activity makes a user online anyway, so `online` is never set by hand.
            manual: request.status != ONLINE,
            last_activity_at: if shows_activity { now } else { self.last_activity_at },
            dnd_end_time: if is_dnd { request.dnd_end_time - request.dnd_end_time.rem_euclid(MINUTE_S) } else { 0 },
            previous,
            user_id: self.user_id,
        }
    }

    /// Returns the status after `event` at `now`. A user is idle after `away_after_ms` without activity.
    pub(super) fn after(self, event: Event, now: i64, away_after_ms: i64) -> Self {
        let status = self.at(now);
        if status.manual {
            return status.kept_by_hand(event);
        }
        let is_idle = |last_activity_at: i64| now - last_activity_at >= away_after_ms;
        match event {
            Event::Active { at } => {
                Self { presence: ONLINE.to_owned(), last_activity_at: at.max(status.last_activity_at), ..status }
            }
            // A user who answers is online, even if another server stored offline meanwhile.
            Event::Pong if status.is_offline_at(now) && !is_idle(status.last_activity_at) => {
                Self { presence: ONLINE.to_owned(), ..status }
            }
            Event::Pong | Event::Idle if is_idle(status.last_activity_at) => {
                Self { presence: AWAY.to_owned(), ..status }
            }
            Event::LastActive { at } if is_idle(at) => {
                Self { presence: AWAY.to_owned(), last_activity_at: at, ..status }
            }
            Event::Left => Self { presence: OFFLINE.to_owned(), last_activity_at: now, ..status },
            Event::LeftBehind { before } if status.last_activity_at < before => {
                Self { presence: OFFLINE.to_owned(), ..status }
            }
            Event::Pong | Event::Idle | Event::LastActive { .. } | Event::LeftBehind { .. } => status,
        }
    }

    /// Keeps a status that was set by hand. Under "do not disturb", updates only the status that follows it.
    fn kept_by_hand(self, event: Event) -> Self {
        let is_dnd = self.presence == DO_NOT_DISTURB;
        let follows = match event {
            Event::Active { .. } if is_dnd && self.previous == OFFLINE => ONLINE,
            Event::Left if is_dnd => OFFLINE,
            Event::Active { .. }
            | Event::Pong
            | Event::Idle
            | Event::LastActive { .. }
            | Event::Left
            | Event::LeftBehind { .. } => return self,
        };
        Self { previous: follows.to_owned(), ..self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const AWAY_AFTER_MS: i64 = 300_000;

    fn request(status: &str, dnd_end_time: i64) -> StatusRequest {
        StatusRequest { dnd_end_time, ..StatusRequest::of("anna", status) }
    }

    fn online_since(at: i64) -> Status {
        Status::unknown("anna").after(Event::Active { at }, at, AWAY_AFTER_MS)
    }

    #[test]
    fn do_not_disturb_ends_at_the_full_minute_and_brings_the_status_before_back() {
        let away = Status::unknown("anna").changed(&request("away", 0), 5);
        let quiet = away.clone().changed(&request("dnd", 125), 6);
        assert_eq!((quiet.dnd_end_time, quiet.manual), (120, true));
        assert_eq!(quiet.clone().at(119_999), quiet);
        let after = quiet.at(120_000);
        assert_eq!((after.presence.as_str(), after.manual, after.dnd_end_time), ("away", false, 0));
    }

    #[test]
    fn do_not_disturb_that_is_prolonged_still_brings_the_status_before_back() {
        let quiet = Status::unknown("anna").changed(&request("dnd", 60), 5).changed(&request("dnd", 120), 6);
        assert_eq!(quiet.at(120_000).presence, "offline");
    }

    #[test]
    fn do_not_disturb_without_an_end_stays() {
        let quiet = Status::unknown("anna").changed(&request("dnd", 0), 5);
        assert_eq!(quiet.clone().at(i64::MAX), quiet);
    }

    #[test]
    fn online_is_never_manual_and_counts_as_activity() {
        let online = Status::unknown("anna").changed(&request("online", 0), 5);
        assert_eq!((online.manual, online.last_activity_at), (false, 5));
        let away = online.changed(&request("away", 0), 6);
        assert_eq!((away.manual, away.last_activity_at), (true, 5));
    }

    #[test]
    fn what_was_set_by_hand_outlasts_whatever_happens() {
        let events = [
            Event::Active { at: 9 },
            Event::Pong,
            Event::Idle,
            Event::LastActive { at: 1 },
            Event::Left,
            Event::LeftBehind { before: 900_000 },
        ];
        for status in ["away", "offline", "dnd"] {
            let set = Status::unknown("anna").changed(&request(status, 0), 5);
            for event in events {
                let after = set.clone().after(event, 900_000, AWAY_AFTER_MS);
                assert_eq!((after.presence.as_str(), after.manual), (status, true), "{event:?}");
                assert_eq!(after.last_activity_at, set.last_activity_at, "{event:?}");
            }
        }
    }

    #[test]
    fn who_is_idle_for_the_time_that_is_set_is_away_and_not_before() {
        for event in [Event::Pong, Event::Idle, Event::LastActive { at: 0 }] {
            assert_eq!(online_since(0).after(event, AWAY_AFTER_MS - 1, AWAY_AFTER_MS).presence, "online");
            let away = online_since(0).after(event, AWAY_AFTER_MS, AWAY_AFTER_MS);
            assert_eq!((away.presence.as_str(), away.manual, away.last_activity_at), ("away", false, 0));
        }
        let back = online_since(0).after(Event::Idle, AWAY_AFTER_MS, AWAY_AFTER_MS);
        assert_eq!(back.after(Event::Active { at: 400_000 }, 400_000, AWAY_AFTER_MS).presence, "online");
    }

    #[test]
    fn who_was_active_since_is_not_left_behind() {
        let online = online_since(5);
        assert_eq!(online.clone().after(Event::LeftBehind { before: 5 }, 10, AWAY_AFTER_MS), online);
    }

    #[test]
    fn whoever_answers_is_not_offline() {
        let left = online_since(0).after(Event::LeftBehind { before: 5 }, 10, AWAY_AFTER_MS);
        assert_eq!(left.presence, "offline");
        assert_eq!(left.clone().after(Event::Pong, 20, AWAY_AFTER_MS).presence, "online");
        assert_eq!(left.after(Event::Pong, AWAY_AFTER_MS, AWAY_AFTER_MS).presence, "away");
    }

    #[test]
    fn who_leaves_while_not_to_be_disturbed_is_offline_afterwards() {
        let quiet = online_since(0).changed(&request("dnd", 60), 5);
        let gone = quiet.clone().after(Event::Left, 10, AWAY_AFTER_MS);
        assert_eq!((gone.presence_at(59_999), gone.presence_at(60_000)), ("dnd", "offline"));
        let back = gone.after(Event::Active { at: 20 }, 20, AWAY_AFTER_MS);
        assert_eq!((back.presence_at(59_999), back.presence_at(60_000)), ("dnd", "online"));
        assert_eq!(quiet.after(Event::Pong, 60_000, AWAY_AFTER_MS).presence, "online");
    }
}
