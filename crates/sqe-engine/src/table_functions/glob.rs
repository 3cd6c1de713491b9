//! Patterns of file names: `*`, `?`, `[abc]`, `[a-z]`, `[!a]` in a segment, `**` for any number of
//! folders, `{a,b}` for either.
//!
//! There is no escape character: a name that holds one of these characters is found when it is
//! written out and exists, or by a class such as `[*]`. As in a shell, a wildcard at the start of a
//! segment does not match a name that starts with a dot.

use super::options::invalid;
use crate::Result;

/// What stands for any number of folders.
pub(super) const ANY_FOLDERS: &str = "**";

/// Whether a segment has to be matched, rather than looked up.
pub(super) fn is_pattern(segment: &str) -> bool {
    segment.contains(['*', '?', '['])
}

/// The patterns that `{a,b}` stands for, in the order of the alternatives.
pub(super) fn expand_braces(pattern: &str) -> Result<Vec<String>> {
    let unbalanced = || invalid(format!("braces of the pattern '{pattern}' do not match"));
    let Some(open) = pattern.find(['{', '}']) else { return Ok(vec![pattern.to_owned()]) };
    let (prefix, rest) = pattern.split_at(open);
    let mut depth = 0_usize;
    let mut alternatives = vec![String::new()];
    for (index, character) in rest.char_indices() {
        match character {
            '{' => depth += 1,
            '}' => depth = depth.checked_sub(1).ok_or_else(unbalanced)?,
            _ => {}
        }
        match (character, depth) {
            ('}', 0) => {
                let tails = expand_braces(&rest[index + 1..])?;
                let mut patterns = Vec::new();
                for alternative in alternatives {
                    for middle in expand_braces(&alternative)? {
                        patterns.extend(tails.iter().map(|tail| format!("{prefix}{middle}{tail}")));
                    }
                }
                return Ok(patterns);
            }
            ('{', 1) => {}
            (',', 1) => alternatives.push(String::new()),
            _ => {
                if let Some(alternative) = alternatives.last_mut() {
                    alternative.push(character);
                }
            }
        }
    }
    Err(unbalanced())
}

/// A pattern of one segment.
#[derive(Debug, Clone)]
pub(super) struct Segment(Vec<Token>);

#[derive(Debug, Clone)]
enum Token {
    Literal(char),
    /// `?`
    One,
    /// `*`
    Any,
    /// `[..]`: ranges of characters, both ends included.
    Class {
        negated: bool,
        ranges: Vec<(char, char)>,
    },
}

impl Segment {
    /// Errors: `InvalidStatement` for a class that is not closed.
    pub(super) fn parse(segment: &str) -> Result<Self> {
        let mut tokens = Vec::new();
        let mut rest = segment.chars();
        while let Some(character) = rest.next() {
            tokens.push(match character {
                '?' => Token::One,
                '*' => Token::Any,
                '[' => {
                    let text = rest.as_str();
                    // A bracket that comes first stands for itself.
                    let first = usize::from(text.starts_with('!')) + 1;
                    let end = text.char_indices().skip(first).find(|(_, other)| *other == ']');
                    let Some((end, _)) = end else {
                        return Err(invalid(format!(
                            "'[' is not closed in the pattern '{segment}'"
                        )));
                    };
                    rest = text[end + 1..].chars();
                    class(&text[..end])
                }
                literal => Token::Literal(literal),
            });
        }
        Ok(Self(tokens))
    }

    /// Whether all of `name` matches.
    pub(super) fn matches(&self, name: &str) -> bool {
        let hidden = name.starts_with('.');
        let names_dot = matches!(self.0.first(), Some(Token::Literal('.')));
        (names_dot || !hidden) && matches(&self.0, &name.chars().collect::<Vec<_>>())
    }
}

/// The class of the text between brackets.
fn class(text: &str) -> Token {
    let (negated, text) = match text.strip_prefix('!') {
        Some(text) => (true, text),
        None => (false, text),
    };
    let characters = text.chars().collect::<Vec<_>>();
    let mut ranges = Vec::new();
    let mut rest = characters.as_slice();
    while let [first, tail @ ..] = rest {
        (ranges, rest) = match tail {
            ['-', last, tail @ ..] => ([ranges, vec![(*first, *last)]].concat(), tail),
            tail => ([ranges, vec![(*first, *first)]].concat(), tail),
        };
    }
    Token::Class { negated, ranges }
}

/// Walks both once, and back to the last `*` where a guess of what it covers fails.
fn matches(tokens: &[Token], name: &[char]) -> bool {
    let (mut token, mut position) = (0, 0);
    let mut retry = None;
    loop {
        let advances = match tokens.get(token) {
            Some(Token::Any) => {
                retry = Some((token, position));
                token += 1;
                continue;
            }
            None if position == name.len() => return true,
            None => false,
            Some(one) => name.get(position).is_some_and(|character| one.accepts(*character)),
        };
        if advances {
            (token, position) = (token + 1, position + 1);
        } else {
            match retry {
                Some((any, covered)) if covered < name.len() => {
                    retry = Some((any, covered + 1));
                    (token, position) = (any + 1, covered + 1);
                }
                _ => return false,
            }
        }
    }
}

impl Token {
    fn accepts(&self, character: char) -> bool {
        match self {
            Self::Literal(literal) => *literal == character,
            Self::One | Self::Any => true,
            Self::Class { negated, ranges } => {
                let within = ranges.iter().any(|(from, to)| (from..=to).contains(&&character));
                within != *negated
            }
        }
    }
}

/// Whether the folders and the name of a file match `pattern`, of which any segment may be `**`.
pub(super) fn matches_path(pattern: &[PathSegment], path: &[&str]) -> bool {
    match pattern {
        [] => path.is_empty(),
        [PathSegment::AnyFolders] => {
            !path.is_empty() && path.iter().all(|segment| !segment.starts_with('.'))
        }
        [PathSegment::AnyFolders, rest @ ..] => (0..path.len())
            .take_while(|skip| *skip == 0 || !path[skip - 1].starts_with('.'))
            .any(|skip| matches_path(rest, &path[skip..])),
        [PathSegment::One(segment), rest @ ..] => match path {
            [first, path @ ..] => segment.matches(first) && matches_path(rest, path),
            [] => false,
        },
    }
}

/// A segment of a pattern of paths.
#[derive(Debug, Clone)]
pub(super) enum PathSegment {
    /// `**`
    AnyFolders,
    One(Segment),
}

impl PathSegment {
    /// Errors: `InvalidStatement` for a class that is not closed.
    pub(super) fn parse(segment: &str) -> Result<Self> {
        Ok(match segment {
            ANY_FOLDERS => Self::AnyFolders,
            segment => Self::One(Segment::parse(segment)?),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(pattern: &str, name: &str, expected: bool) {
        let matched = Segment::parse(pattern).unwrap().matches(name);
        assert_eq!(matched, expected, "{pattern} {name}");
    }

    #[test]
    fn segments() {
        check("*.csv", "a.csv", true);
        check("*.csv", "a.csv.gz", false);
        check("*.csv", ".csv", false);
        check(".*", ".csv", true);
        check("a*b*c", "aXbYbZc", true);
        check("a*b*c", "aXbYbZ", false);
        check("?.csv", "é.csv", true);
        check("?.csv", "ab.csv", false);
        check("[ab].csv", "b.csv", true);
        check("[!ab].csv", "b.csv", false);
        check("[a-c0]", "c", true);
        check("[a-c0]", "0", true);
        check("[a-c0]", "d", false);
        check("[]]", "]", true);
        check("[!]]", "]", false);
        check("[*]", "*", true);
        check("[a-]", "-", true);
        check("*", "", true);
        check("**x", "x", true);
    }

    #[test]
    fn a_class_must_end() {
        let error = Segment::parse("[ab.csv").unwrap_err();
        assert_eq!(error.message, "'[' is not closed in the pattern '[ab.csv'");
    }

    #[test]
    fn braces() {
        for (pattern, expected) in [
            ("a", vec!["a"]),
            ("{a,b}.csv", vec!["a.csv", "b.csv"]),
            ("x{1,{2,3}}y{,z}", vec!["x1y", "x1yz", "x2y", "x2yz", "x3y", "x3yz"]),
        ] {
            assert_eq!(expand_braces(pattern).unwrap(), expected, "{pattern}");
        }
        for pattern in ["{a", "a}", "{a,{b}"] {
            let error = expand_braces(pattern).unwrap_err();
            let message = format!("braces of the pattern '{pattern}' do not match");
            assert_eq!(error.message, message);
        }
    }

    #[test]
    fn paths() {
        let check = |pattern: &str, path: &str, expected| {
            let segments = pattern.split('/').map(PathSegment::parse);
            let segments = segments.collect::<Result<Vec<_>>>().unwrap();
            let path = path.split('/').collect::<Vec<_>>();
            assert_eq!(matches_path(&segments, &path), expected, "{pattern} {path:?}");
        };
        check("**/*.csv", "a.csv", true);
        check("**/*.csv", "x/y/a.csv", true);
        check("**/*.csv", "x/.y/a.csv", false);
        check("**/y/*.csv", "x/y/a.csv", true);
        check("**/y/*.csv", "y/x/a.csv", false);
        check("**", "x/y", true);
        check("*/**/z", "x/z", true);
        check("*/**/z", "z", false);
    }
}
