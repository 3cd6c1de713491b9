//! Cuts a text into statements at `;`, the way the server's tokenizer reads it: a `;` within
//! quotes, comments or `$$` is none. It does not judge whether a statement is valid.

use sqlparser::dialect::GenericDialect;
use sqlparser::tokenizer::{Location, Token, TokenWithSpan, Tokenizer};

/// Tokens take many times the memory of their text, so only this much of it, in bytes, is tokenized
/// at once, and more only while a single statement is longer.
const WINDOW_BYTES: usize = 64 << 10;

/// A stretch of this many bytes without `;` is not tokenized if it can only be a single statement.
const LONG_STATEMENT_BYTES: usize = 1 << 20;

/// One statement of a text, without its `;`, what precedes its first token and space at its end.
#[derive(Debug, PartialEq)]
pub(crate) struct Statement<'a> {
    pub(crate) text: &'a str,
    /// Where `text` starts in the whole text.
    pub(crate) start: Place,
}

/// A position in a text: line and column count from 1, the column in characters.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Place {
    pub(crate) line: u64,
    pub(crate) column: u64,
}

impl Place {
    /// The place in the whole text of `self`, a place in a part of it that starts at `start`.
    pub(crate) fn within(self, start: Place) -> Place {
        Place {
            line: start.line + self.line - 1,
            column: if self.line == 1 { start.column + self.column - 1 } else { self.column },
        }
    }
}

/// The statements of a text.
#[derive(Debug, PartialEq)]
pub(crate) struct Split<'a> {
    pub(crate) statements: Vec<Statement<'a>>,
    /// Whether nothing but space and comments follows the last `;`.
    pub(crate) terminated: bool,
}

/// Splits `text`. What the tokenizer cannot read is part of the last statement, so that the server
/// reports it.
pub(crate) fn split(text: &str) -> Split<'_> {
    let mut statements = Vec::new();
    // Behind the last `;`, where the window starts.
    let mut origin = Cursor { byte: 0, place: Place { line: 1, column: 1 } };
    let mut window = WINDOW_BYTES;
    loop {
        let rest = &text[origin.byte..];
        let end = window_end(rest, window);
        let whole = is_long_statement(rest, window, end);
        let read = if whole { rest.floor_char_boundary(window) } else { end };
        let mut tokens = Vec::new();
        let complete = Tokenizer::new(&GenericDialect {}, &rest[..read])
            .tokenize_with_location_into_buf(&mut tokens)
            .is_ok();

        let (mut at, mut start, mut last) = (origin, None, None);
        for TokenWithSpan { token, span } in tokens {
            let mut advance = |to: Location| {
                let place = Place { line: to.line, column: to.column }.within(origin.place);
                at.advance(text, place);
                at
            };
            match token {
                Token::SemiColon => {
                    let end = advance(span.start).byte;
                    let from = start.take();
                    statements.extend(from.map(|from| Statement::new(text, from, end)));
                    last = Some(advance(span.end));
                }
                Token::Whitespace(_) => {
                    advance(span.end);
                }
                _ if start.is_none() => start = Some(advance(span.start)),
                _ => {}
            }
        }
        if let Some(last) = last {
            origin = last;
            window = WINDOW_BYTES;
        } else if end < rest.len() && !whole {
            window = end.saturating_mul(2);
        } else {
            let terminated = whole && rest[..end].ends_with(';');
            let end = if terminated { origin.byte + end - 1 } else { text.len() };
            let start = start.or((!complete).then_some(at));
            let terminated = terminated || start.is_none();
            statements.extend(start.map(|start| Statement::new(text, start, end)));
            return Split { statements, terminated };
        }
    }
}

/// The end of the part of `rest` to tokenize: just behind a `;`, so that no token is cut unless the
/// `;` is itself within one, and at least `window` bytes long unless `rest` is shorter.
fn window_end(rest: &str, window: usize) -> usize {
    let from = window.min(rest.len());
    let found = rest.as_bytes()[from..].iter().position(|byte| *byte == b';');
    found.map_or(rest.len(), |offset| from + offset + 1)
}

/// Whether `rest` is long and has no `;` but one at its end. Whether that one is within quotes makes
/// no difference: quotes that stay open are an error with and without it.
fn is_long_statement(rest: &str, window: usize, end: usize) -> bool {
    end > window.saturating_add(LONG_STATEMENT_BYTES)
        && rest[end..].trim().is_empty()
        && !rest.as_bytes()[..window].contains(&b';')
}

#[derive(Clone, Copy)]
struct Cursor {
    byte: usize,
    place: Place,
}

impl Cursor {
    /// Moves forward to `target`, counting as the tokenizer does: only a line feed ends a line.
    fn advance(&mut self, text: &str, target: Place) {
        for c in text[self.byte..].chars() {
            let Place { line, column } = self.place;
            if line > target.line || (line == target.line && column >= target.column) {
                return;
            }
            self.byte += c.len_utf8();
            self.place = match c {
                '\n' => Place { line: line + 1, column: 1 },
                _ => Place { line, column: column + 1 },
            };
        }
    }
}

impl<'a> Statement<'a> {
    fn new(text: &'a str, start: Cursor, end: usize) -> Self {
        Self { text: text[start.byte..end].trim_end(), start: start.place }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[track_caller]
    fn check(text: &str, expected: &[(&str, u64, u64)], terminated: bool) {
        let split = split(text);
        let statements: Vec<_> =
            split.statements.iter().map(|s| (s.text, s.start.line, s.start.column)).collect();
        assert_eq!(statements, expected);
        assert_eq!(split.terminated, terminated);
    }

    #[test]
    fn cuts_at_semicolons() {
        check("", &[], true);
        check(" -- nothing; here\n", &[], true);
        check(";;\n;", &[], true);
        check("SELECT 1", &[("SELECT 1", 1, 1)], false);
        check("SELECT 1;", &[("SELECT 1", 1, 1)], true);
        check("a; -- b;\n  c;\n", &[("a", 1, 1), ("c", 2, 3)], true);
        check("a;\nß ü; b", &[("a", 1, 1), ("ß ü", 2, 1), ("b", 2, 6)], false);
        check("a\r\n;b;", &[("a", 1, 1), ("b", 2, 2)], true);
    }

    #[test]
    fn keeps_quotes_and_comments_whole() {
        check("SELECT 'a;''b'; c", &[("SELECT 'a;''b'", 1, 1), ("c", 1, 17)], false);
        check(r#"SELECT "a;b";"#, &[(r#"SELECT "a;b""#, 1, 1)], true);
        check("a /* ; /* ; */ ; */ b;", &[("a /* ; /* ; */ ; */ b", 1, 1)], true);
        check("SELECT $$a;b$$, $x$;$$;$x$;", &[("SELECT $$a;b$$, $x$;$$;$x$", 1, 1)], true);
        check(r"SELECT E'\';';", &[(r"SELECT E'\';'", 1, 1)], true);
    }

    #[test]
    fn leaves_what_it_cannot_read_to_the_server() {
        check("a; 'b; c", &[("a", 1, 1), ("'b; c", 1, 4)], false);
        check("a;\n/* b;", &[("a", 1, 1), ("/* b;", 2, 1)], false);
    }

    #[test]
    fn windows_do_not_change_the_result() {
        let long = format!("SELECT '{}'", "x;".repeat(WINDOW_BYTES));
        let text = format!("{long};\nb;{long}; c");
        let next = long.len() as u64 + 5;
        check(&text, &[(&long, 1, 1), ("b", 2, 1), (&long, 2, 3), ("c", 2, next)], false);
    }

    #[test]
    fn long_statements_are_whole() {
        let long = format!("SELECT x IN ({}1)", "1,".repeat(LONG_STATEMENT_BYTES));
        check(&long, &[(&long, 1, 1)], false);
        check(&format!("\n {long};\n"), &[(&long, 2, 2)], true);
        check(&format!("a;{long};"), &[("a", 1, 1), (&long, 1, 3)], true);
        check(&format!("{long};b"), &[(&long, 1, 1), ("b", 1, long.len() as u64 + 2)], false);
    }

    proptest! {
        #[test]
        fn statements_hold_all_tokens_in_order(text in "[aE;'\"$ \n/*ß-]{0,40}") {
            let tokens = |text| Tokenizer::new(&GenericDialect {}, text).tokenize();
            let significant = |tokens: Vec<Token>| -> Vec<Token> {
                let skipped = |token: &Token| {
                    *token == Token::SemiColon || matches!(token, Token::Whitespace(_))
                };
                tokens.into_iter().filter(|token| !skipped(token)).collect()
            };
            if let Ok(expected) = tokens(&text) {
                let mut found = Vec::new();
                for statement in split(&text).statements {
                    let line = statement.start.line as usize - 1;
                    let line = text.split('\n').nth(line).expect("a line");
                    let column = statement.start.column as usize - 1;
                    prop_assert_eq!(line.chars().nth(column), statement.text.chars().next());
                    let part = tokens(statement.text).expect("complete");
                    prop_assert!(!part.contains(&Token::SemiColon));
                    found.extend(significant(part));
                }
                prop_assert_eq!(found, significant(expected));
            }
        }
    }
}
