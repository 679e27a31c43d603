//! Whether somebody is there.

use serde::{Deserialize, Serialize};

const MINUTE_S: i64 = 60;

const ONLINE: &str = "online";
const OFFLINE: &str = "offline";
const DO_NOT_DISTURB: &str = "dnd";

/// What a user may set; `ooo` comes with automatic replies, which this server has not.
const SETTABLE: [&str; 4] = [ONLINE, OFFLINE, "away", DO_NOT_DISTURB];

/// Somebody's status. `last_activity_at` is in Unix milliseconds, `dnd_end_time` in Unix seconds.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Status {
    pub(crate) user_id: String,
    #[serde(rename = "status")]
    pub(crate) presence: String,
    pub(crate) manual: bool,
    pub(crate) last_activity_at: i64,
    pub(crate) dnd_end_time: i64,
    /// What follows once nobody must be disturbed no longer holds.
    #[serde(skip)]
    pub(crate) previous: String,
}

/// What a client wants to be seen as.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Wish {
    pub(crate) user_id: String,
    pub(crate) status: String,
    pub(crate) dnd_end_time: i64,
}

impl Wish {
    /// Whether it is a status that can be set.
    pub(crate) fn is_settable(&self) -> bool {
        SETTABLE.contains(&self.status.as_str())
    }
}

impl Status {
    /// The status of somebody who never had one.
    pub(crate) fn unknown(user_id: &str) -> Self {
        Self {
            user_id: user_id.to_owned(),
            presence: OFFLINE.to_owned(),
            manual: false,
            last_activity_at: 0,
            dnd_end_time: 0,
            previous: String::new(),
        }
    }

    /// The status as it is at `now`, in milliseconds: "do not disturb" ends by itself.
    pub(crate) fn at(self, now: i64) -> Self {
        let is_over =
            self.presence == DO_NOT_DISTURB && self.dnd_end_time > 0 && self.dnd_end_time.saturating_mul(1000) <= now;
        if !is_over {
            return self;
        }
        let presence = if self.previous.is_empty() { ONLINE.to_owned() } else { self.previous };
        Self { presence, manual: false, dnd_end_time: 0, previous: DO_NOT_DISTURB.to_owned(), ..self }
    }

    /// The status after `wish` at `now`.
    pub(crate) fn changed(self, wish: &Wish, now: i64) -> Self {
        let is_dnd = wish.status == DO_NOT_DISTURB;
        let shows_activity = wish.status == ONLINE || wish.status == OFFLINE;
        let previous = if is_dnd && self.presence == DO_NOT_DISTURB { self.previous } else { self.presence };
        Self {
            presence: wish.status.clone(),
            // Being online is what activity brings about anyway, so nobody holds it by hand.
            manual: wish.status != ONLINE,
            last_activity_at: if shows_activity { now } else { self.last_activity_at },
            dnd_end_time: if is_dnd { wish.dnd_end_time - wish.dnd_end_time.rem_euclid(MINUTE_S) } else { 0 },
            previous,
            user_id: self.user_id,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wish(status: &str, dnd_end_time: i64) -> Wish {
        Wish { user_id: "anna".to_owned(), status: status.to_owned(), dnd_end_time }
    }

    #[test]
    fn do_not_disturb_ends_at_the_full_minute_and_brings_the_status_before_back() {
        let away = Status::unknown("anna").changed(&wish("away", 0), 5);
        let quiet = away.clone().changed(&wish("dnd", 125), 6);
        assert_eq!((quiet.dnd_end_time, quiet.manual), (120, true));
        assert_eq!(quiet.clone().at(119_999), quiet);
        let after = quiet.at(120_000);
        assert_eq!((after.presence.as_str(), after.manual, after.dnd_end_time), ("away", false, 0));
    }

    #[test]
    fn do_not_disturb_that_is_prolonged_still_brings_the_status_before_back() {
        let quiet = Status::unknown("anna").changed(&wish("dnd", 60), 5).changed(&wish("dnd", 120), 6);
        assert_eq!(quiet.at(120_000).presence, "offline");
    }

    #[test]
    fn do_not_disturb_without_an_end_stays() {
        let quiet = Status::unknown("anna").changed(&wish("dnd", 0), 5);
        assert_eq!(quiet.clone().at(i64::MAX), quiet);
    }

    #[test]
    fn online_is_never_manual_and_counts_as_activity() {
        let online = Status::unknown("anna").changed(&wish("online", 0), 5);
        assert_eq!((online.manual, online.last_activity_at), (false, 5));
        let away = online.changed(&wish("away", 0), 6);
        assert_eq!((away.manual, away.last_activity_at), (true, 5));
    }
}
