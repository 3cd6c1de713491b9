//! The nearest known name, for "did you mean".

use crate::Error;

/// The name of `known` nearest to `name`, if one is near enough to be what was meant.
pub(crate) fn nearest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let name = name.to_lowercase();
    known
        .into_iter()
        .map(|candidate| (strsim::jaro_winkler(&name, &candidate.to_lowercase()), candidate))
        .filter(|(score, _)| *score > 0.8)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, candidate)| candidate)
}

/// `error` with the name of `known` nearest to `name` as its hint, if one is near enough.
pub(crate) fn hint_nearest<'a>(
    error: Error,
    name: &str,
    known: impl IntoIterator<Item = &'a str>,
) -> Error {
    match nearest(name, known) {
        Some(near) => error.with_hint(format!("did you mean {near:?}?")),
        None => error,
    }
}
