//! The next string or binary after all that begin with a prefix: the upper bound of values that
//! were cut, in metrics and in partitions by `truncate`.

/// The least string above all that begin with `prefix` and that is not longer; `None` where every
/// character is the last one.
pub(crate) fn next_string(prefix: &str) -> Option<String> {
    let mut chars: Vec<char> = prefix.chars().collect();
    while let Some(last) = chars.pop() {
        // The range steps over the surrogates, which are no characters.
        if let Some(next) = (last..=char::MAX).nth(1) {
            chars.push(next);
            return Some(chars.into_iter().collect());
        }
    }
    None
}

/// The least bytes above all that begin with `prefix`; `None` where every byte is the last one.
pub(crate) fn next_bytes(prefix: &[u8]) -> Option<Vec<u8>> {
    let last = prefix.iter().rposition(|byte| *byte < u8::MAX)?;
    let mut next = prefix[..=last].to_vec();
    next[last] += 1;
    Some(next)
}
