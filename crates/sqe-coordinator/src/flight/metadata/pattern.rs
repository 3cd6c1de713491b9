//! Patterns of metadata commands: `%` stands for any characters, `_` for one, and a backslash
//! before either, or before another one, takes its meaning away.

/// Whether `name` fits `pattern`; no pattern fits everything.
pub(super) fn matches(pattern: Option<&str>, name: &str) -> bool {
    pattern.is_none_or(|pattern| like(pattern, name))
}

enum Symbol {
    Any,
    One,
    Exactly(char),
}

fn like(pattern: &str, name: &str) -> bool {
    let symbols = parse(pattern);
    let name: Vec<char> = name.chars().collect();
    let (mut s, mut n) = (0, 0);
    // Where to go on if the rest does not fit: the last `%`, and how much of the name it took.
    let mut retry: Option<(usize, usize)> = None;
    while n < name.len() {
        match symbols.get(s) {
            Some(Symbol::Any) => {
                retry = Some((s + 1, n));
                s += 1;
                continue;
            }
            Some(Symbol::One) => {}
            Some(Symbol::Exactly(c)) if *c == name[n] => {}
            _ => match retry {
                Some((after, taken)) => {
                    retry = Some((after, taken + 1));
                    (s, n) = (after, taken + 1);
                    continue;
                }
                None => return false,
            },
        }
        s += 1;
        n += 1;
    }
    symbols[s..].iter().all(|symbol| matches!(symbol, Symbol::Any))
}

fn parse(pattern: &str) -> Vec<Symbol> {
    let mut chars = pattern.chars().peekable();
    let mut symbols = Vec::new();
    while let Some(c) = chars.next() {
        symbols.push(match c {
            '%' => Symbol::Any,
            '_' => Symbol::One,
            '\\' => Symbol::Exactly(chars.next_if(|c| "%_\\".contains(*c)).unwrap_or(c)),
            c => Symbol::Exactly(c),
        });
    }
    symbols
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(pattern: &str, fits: &[&str], others: &[&str]) {
        for name in fits {
            assert!(like(pattern, name), "{pattern} fits {name}");
        }
        for name in others {
            assert!(!like(pattern, name), "{pattern} does not fit {name}");
        }
    }

    #[test]
    fn wildcards() {
        check("", &[""], &["a"]);
        check("%", &["", "a", "ab"], &[]);
        check("orders", &["orders"], &["Orders", "order", "orders2"]);
        check("o_d%", &["old", "ordinary"], &["od", "o", "sold"]);
        check("%a%b", &["ab", "xaxb", "aabab"], &["ba", "abc"]);
        check("_", &["é"], &["", "ab"]);
        check("a%%", &["a", "ab"], &["b"]);
    }

    #[test]
    fn escapes() {
        check(r"a\_b", &["a_b"], &["axb"]);
        check(r"100\%", &["100%"], &["1000"]);
        check(r"a\\b", &[r"a\b"], &["ab"]);
        check(r"a\b", &[r"a\b"], &["ab"]);
        check("a\\", &["a\\"], &["a"]);
    }

    #[test]
    fn many_wildcards_do_not_explode() {
        let name = "a".repeat(2000);
        assert!(!like(&format!("{}b", "%a".repeat(500)), &name));
    }

    #[test]
    fn no_pattern_fits_everything() {
        assert!(matches(None, "x") && matches(Some("x"), "x") && !matches(Some("y"), "x"));
    }
}
