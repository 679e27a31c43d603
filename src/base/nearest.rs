//! The known name that a mistyped one is most like.

/// Names further apart than this are not offered as what was meant.
const LIKENESS: f64 = 0.7;

/// The name that was probably meant.
pub(crate) fn nearest<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let name = name.to_lowercase();
    let likest = known
        .map(|known| (strsim::jaro_winkler(&known.to_lowercase(), &name), known))
        .max_by(|(one, _), (other, _)| one.total_cmp(other));
    likest.filter(|(likeness, _)| *likeness >= LIKENESS).map(|(_, known)| known)
}
