//! `sqlparser`'s parser with what statements of our own need: words that are no keywords, places,
//! and slices of the text.

use sqlparser::ast::{DataType, Ident, ObjectName, Query, Value};
use sqlparser::dialect::GenericDialect;
use sqlparser::parser::Parser;
use sqlparser::tokenizer::{Token, TokenWithSpan};

use super::syntax_error;
use crate::{Error, ErrorKind, Location, Result};

static DIALECT: GenericDialect = GenericDialect {};

/// A place in the tokens of a statement.
pub(crate) struct Cursor<'a> {
    sql: &'a str,
    parser: Parser<'static>,
    /// The second `>` of a `>>` is still to be taken, before anything else.
    pub(super) half_taken_shift: bool,
    /// Types that are open around the next token.
    pub(super) type_depth: usize,
}

impl<'a> Cursor<'a> {
    pub(super) fn new(sql: &'a str, tokens: Vec<TokenWithSpan>, recursion_limit: usize) -> Self {
        let parser = Parser::new(&DIALECT)
            .with_tokens_with_locations(tokens)
            .with_recursion_limit(recursion_limit);
        Self { sql, parser, half_taken_shift: false, type_depth: 0 }
    }

    /// Takes `words` if all of them come next, in any case and unquoted.
    pub(crate) fn words(&mut self, words: &[&str]) -> bool {
        let ahead = !self.half_taken_shift
            && (0..words.len()).all(|n| {
                matches!(&self.parser.peek_nth_token(n).token, Token::Word(word)
                if word.quote_style.is_none() && word.value.eq_ignore_ascii_case(words[n]))
            });
        if ahead {
            for _ in words {
                self.parser.next_token();
            }
        }
        ahead
    }

    /// Whether `word` comes next; nothing is taken.
    pub(crate) fn next_is(&self, word: &str) -> bool {
        matches!(&self.parser.peek_token().token, Token::Word(next)
            if next.quote_style.is_none() && next.value.eq_ignore_ascii_case(word))
    }

    /// Takes `word` or fails at the place of what is there instead.
    pub(crate) fn expect_word(&mut self, word: &str) -> Result<()> {
        match self.words(&[word]) {
            true => Ok(()),
            false => Err(self.expected(word)),
        }
    }

    /// The token `n` places ahead.
    pub(super) fn peek(&self, n: usize) -> Token {
        self.parser.peek_nth_token(n).token
    }

    /// Takes `token` if it comes next.
    pub(crate) fn token(&mut self, token: &Token) -> bool {
        if self.half_taken_shift {
            self.half_taken_shift = *token != Token::Gt;
            return !self.half_taken_shift;
        }
        self.parser.consume_token(token)
    }

    /// Takes `token` or fails at the place of what is there instead.
    pub(crate) fn expect_token(&mut self, token: &Token) -> Result<()> {
        if self.half_taken_shift {
            return match self.token(token) {
                true => Ok(()),
                false => Err(self.expected(&token.to_string())),
            };
        }
        match self.half_taken_shift {
            true => Err(self.expected(&token.to_string())),
            false => self.parser.expect_token(token).map(|_| ()).map_err(syntax_error),
        }
    }

    /// `(item, item)`, at least one.
    pub(crate) fn parenthesized<T>(
        &mut self,
        mut item: impl FnMut(&mut Self) -> Result<T>,
    ) -> Result<Vec<T>> {
        self.expect_token(&Token::LParen)?;
        let mut items = vec![item(self)?];
        while self.token(&Token::Comma) {
            items.push(item(self)?);
        }
        self.expect_token(&Token::RParen)?;
        Ok(items)
    }

    pub(crate) fn object_name(&mut self) -> Result<ObjectName> {
        self.parser.parse_object_name(false).map_err(syntax_error)
    }

    pub(crate) fn identifier(&mut self) -> Result<Ident> {
        self.parser.parse_identifier().map_err(syntax_error)
    }

    pub(crate) fn data_type(&mut self) -> Result<DataType> {
        self.parser.parse_data_type().map_err(syntax_error)
    }

    pub(crate) fn query(&mut self) -> Result<Query> {
        let mut query = *self.parser.parse_query().map_err(syntax_error)?;
        super::settle_ast(&mut query);
        Ok(query)
    }

    pub(crate) fn string(&mut self) -> Result<String> {
        self.parser.parse_literal_string().map_err(syntax_error)
    }

    pub(crate) fn unsigned(&mut self) -> Result<u64> {
        self.parser.parse_literal_uint().map_err(syntax_error)
    }

    /// A constant as the text of a property: `'a'`, `5`, `true`.
    pub(crate) fn property_value(&mut self) -> Result<String> {
        let place = self.location();
        let value = self.parser.parse_value().map_err(syntax_error)?.value;
        Ok(match value {
            Value::SingleQuotedString(text) | Value::DoubleQuotedString(text) => text,
            Value::Number(digits, _) => digits,
            Value::Boolean(value) => value.to_string(),
            _ => return Err(invalid("expected a string, a number, true or false", place)),
        })
    }

    /// `('key' = value, key.part = value)`.
    pub(crate) fn properties(&mut self) -> Result<Vec<(String, String)>> {
        self.parenthesized(|cursor| {
            let key = match cursor.parser.peek_token().token {
                Token::SingleQuotedString(_) => cursor.string()?,
                _ => cursor.property_name()?,
            };
            cursor.expect_token(&Token::Eq)?;
            Ok((key, cursor.property_value()?))
        })
    }

    /// A bare property name: words joined by dots and hyphens.
    fn property_name(&mut self) -> Result<String> {
        let mut name = self.identifier()?.value;
        loop {
            let joint = match self.parser.peek_token().token {
                Token::Period => '.',
                Token::Minus => '-',
                _ => return Ok(name),
            };
            self.parser.next_token();
            name.push(joint);
            name.push_str(&self.identifier()?.value);
        }
    }

    /// Fails unless nothing is left.
    pub(super) fn end(&self) -> Result<()> {
        expect_end(&self.parser)
    }

    /// The place of the next token.
    pub(crate) fn location(&self) -> Location {
        location_of(&self.parser.peek_token())
    }

    /// The text from the next token to the end, without final semicolons.
    pub(crate) fn rest(&self) -> &'a str {
        let start = offset_of(self.sql, self.location());
        self.sql[start..].trim_end_matches(|c: char| c == ';' || c.is_whitespace())
    }

    pub(crate) fn expected(&self, what: &str) -> Error {
        let found = self.parser.peek_token();
        invalid(format!("syntax error: Expected: {what}, found: {found}"), location_of(&found))
    }

    pub(super) fn unsupported(&self, what: &str) -> Error {
        super::unsupported(what)
    }

    /// Names the next word too, as in `CREATE INDEX`.
    pub(super) fn unsupported_here(&self, what: &str) -> Error {
        let next = self.parser.peek_token();
        super::unsupported(format!("{what} {next}")).at(location_of(&next))
    }
}

/// Fails unless `parser` has read everything.
pub(super) fn expect_end(parser: &Parser<'_>) -> Result<()> {
    let next = parser.peek_token();
    match next.token {
        Token::EOF => Ok(()),
        Token::SemiColon => {
            let message = "only one statement can be executed at a time";
            Err(invalid(message, location_of(&next)))
        }
        _ => {
            let message = format!("syntax error: Expected: end of statement, found: {next}");
            Err(invalid(message, location_of(&next)))
        }
    }
}

fn invalid(message: impl Into<String>, place: Location) -> Error {
    let error = Error::new(ErrorKind::InvalidStatement, message);
    match place.line {
        0 => error,
        _ => error.at(place),
    }
}

fn location_of(token: &TokenWithSpan) -> Location {
    Location { line: token.span.start.line, column: token.span.start.column }
}

/// The place behind the last character of a text.
pub(super) fn end_of(sql: &str) -> Location {
    let sql = sql.trim_end();
    let last = sql.rsplit('\n').next().unwrap_or_default();
    let line = 1 + sql.matches('\n').count() as u64;
    Location { line, column: 1 + last.chars().count() as u64 }
}

/// The byte offset of a place; the end of the text for a place behind it.
fn offset_of(sql: &str, place: Location) -> usize {
    let mut at = Location { line: 1, column: 1 };
    for (offset, c) in sql.char_indices() {
        if (at.line, at.column) == (place.line, place.column) {
            return offset;
        }
        match c {
            '\n' => at = Location { line: at.line + 1, column: 1 },
            _ => at.column += 1,
        }
    }
    sql.len()
}
