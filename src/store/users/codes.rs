//! The used one-time codes of an account: `users.mfausedtimestamps`, a list of 30-second time steps as strings.

use serde_json::{Value as Json, json};

use crate::store::{Db, StoreError, statement};

/// The number of used steps that are stored. Three are valid at a time; the others matter when a clock is set back.
const MAX_STORED_STEPS: usize = 10;

/// The maximum number of attempts when other logins change the list at the same time.
const MAX_TRIES: usize = 8;

impl Db {
    /// Marks the code of time step `step` as used. Returns false when it was used before.
    ///
    /// The update applies only if the list is still the one that was read. So of two logins with the same code, on one
    /// server or several, exactly one succeeds.
    pub(crate) async fn use_code(&self, id: &str, step: i64) -> Result<bool, StoreError> {
        for _ in 0..MAX_TRIES {
            // Read as text on both engines, because the update compares it with the stored text character by character.
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

/// Returns the list with one more step, or `None` when it has that step already. Treats anything but a list as an empty
/// list and skips members that are not numbers.
fn with_step(stored: &str, step: i64) -> Option<Json> {
    let stored: Json = serde_json::from_str(stored).unwrap_or_default();
    let steps = stored.as_array().into_iter().flatten();
    let mut steps: Vec<i64> = steps.filter_map(|step| step.as_i64().or_else(|| step.as_str()?.parse().ok())).collect();
    if steps.contains(&step) {
        return None;
    }
    steps.push(step);
    let surplus = steps.len().saturating_sub(MAX_STORED_STEPS);
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
        assert_eq!(stored.as_array().unwrap().len(), MAX_STORED_STEPS);
        assert!(with_step(&stored.to_string(), 9000).is_some());
    }
}
