//! Finds the known name that is most similar to a mistyped one.

/// The minimum similarity (Jaro-Winkler, 0 to 1) of a name that is suggested.
const MIN_SIMILARITY: f64 = 0.7;

/// Returns the most similar known name, if any is similar enough.
pub(crate) fn nearest<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let name = name.to_lowercase();
    let likest = known
        .map(|known| (strsim::jaro_winkler(&known.to_lowercase(), &name), known))
        .max_by(|(one, _), (other, _)| one.total_cmp(other));
    likest.filter(|(likeness, _)| *likeness >= MIN_SIMILARITY).map(|(_, known)| known)
}
