//! The one-time codes that an account has used: `users.mfausedtimestamps`, a list of 30-second steps as texts.

use serde_json::{Value as Json, json};

use crate::store::{Db, StoreError, statement};

/// The number of used steps that are kept. Three are valid at a time; the others are for a clock that is set back.
const KEPT: usize = 10;

/// How often a list that another login changes meanwhile is read again.
const MAX_TRIES: usize = 8;

impl Db {
    /// Notes that the code of `step` is used; `false` when it was used before.
    ///
    /// The list is replaced only while it is what was read, so of two logins with one code, on one server or several,
    /// exactly one gets in.
    pub(crate) async fn use_code(&self, id: &str, step: i64) -> Result<bool, StoreError> {
        for _ in 0..MAX_TRIES {
            // As text on both engines: what is compared later must be what was read, to the letter.
            let sql = "SELECT COALESCE(CAST(mfausedtimestamps AS text), '') FROM users WHERE id = $1";
            let Some(mut row) = self.read(statement(sql, vec![id.into()])).await?.into_iter().next() else {
                return Ok(false);
            };
            let read = row.text()?;
            let Some(used) = with_step(&read, step) else { return Ok(false) };
            let sql = "UPDATE users SET mfausedtimestamps = $3 \
                       WHERE id = $1 AND COALESCE(CAST(mfausedtimestamps AS text), '') = $2 RETURNING id";
            let changed = self.write_apart(statement(sql, vec![id.into(), read.into(), used.into()])).await?;
            if !changed.is_empty() {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

/// The list with one more step; `None` when that is in it. What is no list is an empty one, what is no step is left out.
fn with_step(stored: &str, step: i64) -> Option<Json> {
    let stored: Json = serde_json::from_str(stored).unwrap_or_default();
    let steps = stored.as_array().into_iter().flatten();
    let mut steps: Vec<i64> = steps.filter_map(|step| step.as_i64().or_else(|| step.as_str()?.parse().ok())).collect();
    if steps.contains(&step) {
        return None;
    }
    steps.push(step);
    let surplus = steps.len().saturating_sub(KEPT);
    Some(json!(steps.iter().skip(surplus).map(i64::to_string).collect::<Vec<String>>()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_is_added_once() {
        assert_eq!(with_step(r#"["7", "8"]"#, 9), Some(json!(["7", "8", "9"])));
        assert_eq!(with_step(r#"["7", "8"]"#, 8), None);
        assert_eq!(with_step("[7]", 7), None);
    }

    #[test]
    fn a_broken_list_is_an_empty_one() {
        for stored in ["", "null", "{}", "7", r#""7""#, "[", r#"["x", null, {}]"#] {
            assert_eq!(with_step(stored, 7), Some(json!(["7"])), "{stored}");
        }
    }

    #[test]
    fn old_steps_go_in_the_order_of_use_also_when_the_clock_was_ahead() {
        let mut stored = json!(["9000"]);
        for step in 1..10 {
            stored = with_step(&stored.to_string(), step).unwrap();
        }
        assert_eq!(with_step(&stored.to_string(), 9000), None);
        stored = with_step(&stored.to_string(), 10).unwrap();
        assert_eq!(stored.as_array().unwrap().len(), KEPT);
        assert!(with_step(&stored.to_string(), 9000).is_some());
    }
}
