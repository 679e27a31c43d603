//! Flags in texts: queries, and environment variables.

/// Returns the truth that a text stands for, in the forms that Go's `strconv.ParseBool` reads; `None` for other texts.
pub(crate) fn flag(text: &str) -> Option<bool> {
    match text {
        "1" | "t" | "T" | "TRUE" | "true" | "True" => Some(true),
        "0" | "f" | "F" | "FALSE" | "false" | "False" => Some(false),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flag_has_six_forms_for_each_truth() {
        for (text, expected) in [("1", Some(true)), ("T", Some(true)), ("True", Some(true)), ("TRUE", Some(true))] {
            assert_eq!(flag(text), expected, "{text}");
        }
        for (text, expected) in [("0", Some(false)), ("f", Some(false)), ("False", Some(false)), ("FALSE", Some(false))]
        {
            assert_eq!(flag(text), expected, "{text}");
        }
        for text in ["", "yes", "on", "tRUE", " true", "2"] {
            assert_eq!(flag(text), None, "{text}");
        }
    }
}
