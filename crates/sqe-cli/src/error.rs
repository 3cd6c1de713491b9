//! What can go wrong, the exit code it means, and how it is shown: message, the line with a caret
//! under the place, hint.

use std::error::Error as StdError;
use std::fmt::Write as _;
use std::io;

use arrow::error::ArrowError;
use arrow_flight::error::FlightError;
use tonic::{Code, Status};
use tonic_types::StatusExt;
use unicode_width::UnicodeWidthStr;

use crate::format::escape;
use crate::split::{Place, Statement};

pub(crate) type Result<T, E = Error> = std::result::Result<T, E>;

/// Longest part of a line, in characters, that is shown around the place of an error.
const EXCERPT_CHARS: usize = 120;

/// Everything the client fails with.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error("failed to read {name}: {source}")]
    Read { name: String, source: io::Error },
    #[error("failed to write the result: {0}")]
    Write(#[source] io::Error),
    #[error("failed to format the result: {0}")]
    Format(#[source] ArrowError),
    #[error("failed to connect to {address}: {reason}")]
    Connect { address: String, reason: String },
    #[error("{0}")]
    Login(String),
    #[error("connection to the server failed: {0}")]
    Transport(String),
    #[error("{}", .0.message)]
    Sql(Box<SqlError>),
}

/// An error the server answered a statement with.
#[derive(Debug, Default)]
pub(crate) struct SqlError {
    message: String,
    /// Relative to the statement that was sent.
    place: Option<Place>,
    hint: Option<String>,
    /// Only of errors whose cause is in the server's log under this id.
    query_id: Option<String>,
    /// Name of the file the statement came from.
    file: Option<String>,
    /// The line of the error, and a second one with the caret.
    excerpt: Option<String>,
}

impl Error {
    pub(crate) fn exit_code(&self) -> u8 {
        match self {
            Self::Read { .. } | Self::Write(_) | Self::Format(_) => 1,
            Self::Connect { .. } | Self::Login(_) | Self::Transport(_) => 2,
            Self::Sql(_) => 3,
        }
    }

    /// Whether the reader of the output went away, which is no failure (`sqe-cli ... | head`).
    pub(crate) fn is_broken_pipe(&self) -> bool {
        matches!(self, Self::Write(error) if error.kind() == io::ErrorKind::BrokenPipe)
    }

    /// Adds the line of the error, if the server named a place in `statement` of `text`.
    pub(crate) fn locate(mut self, file: Option<&str>, text: &str, statement: &Statement) -> Self {
        if let Self::Sql(error) = &mut self {
            error.file = file.map(str::to_owned);
            error.excerpt =
                error.place.and_then(|place| excerpt(text, place.within(statement.start)));
        }
        self
    }

    /// The lines to show, without a final line feed.
    pub(crate) fn render(&self) -> String {
        let Self::Sql(error) = self else {
            return format!("ERROR: {self}");
        };
        let message: Vec<_> = error.message.lines().map(escape).collect();
        let file = error.file.as_ref().map(|file| format!("{file}: ")).unwrap_or_default();
        let mut text = format!("ERROR: {file}{}", message.join("\n"));
        for (label, part) in [
            ("", &error.excerpt),
            ("HINT: ", &error.hint.as_deref().map(|hint| escape(hint).into_owned())),
            ("QUERY ID: ", &error.query_id),
        ] {
            if let Some(part) = part {
                let _ = write!(text, "\n{label}{part}");
            }
        }
        text
    }
}

impl From<Status> for Error {
    fn from(status: Status) -> Self {
        // A status that has a source was made by this end of the connection.
        if let Some(source) = status.source() {
            return Self::Transport(root_cause(source));
        }
        if status.code() == Code::Unauthenticated {
            return Self::Login(status.message().to_owned());
        }
        let info = status.get_details_error_info();
        let value = |key| info.as_ref().and_then(|info| info.metadata.get(key)).cloned();
        let number = |key| value(key)?.parse().ok().filter(|number| *number > 0);
        // The message of the status tells the place and the hint too, which are shown apart.
        let message = value("message").unwrap_or_else(|| match status.message() {
            "" => status.code().description().to_owned(),
            message => message.to_owned(),
        });
        let place = number("line").zip(number("column"));
        Self::Sql(Box::new(SqlError {
            message,
            place: place.map(|(line, column)| Place { line, column }),
            hint: value("hint"),
            query_id: value("query_id").filter(|_| status.code() == Code::Internal),
            ..SqlError::default()
        }))
    }
}

impl From<FlightError> for Error {
    fn from(error: FlightError) -> Self {
        match error {
            FlightError::Tonic(status) => Self::from(*status),
            other => Self::Transport(other.to_string()),
        }
    }
}

/// The innermost cause, which is the one that tells a user something.
pub(crate) fn root_cause(mut error: &(dyn StdError + 'static)) -> String {
    while let Some(source) = error.source() {
        error = source;
    }
    explained(error.to_string())
}

/// Both ends see garbage if only one of them speaks TLS.
fn explained(cause: String) -> String {
    if cause.contains("InvalidContentType") {
        return "the server does not speak TLS: leave --tls out".to_owned();
    }
    match cause.contains("frame with invalid size") {
        true => format!("{cause}; if the server speaks TLS, --tls is missing"),
        false => cause,
    }
}

/// `LINE n: ...` of `text` and below it a caret under `place`; none if there is no such line.
fn excerpt(text: &str, place: Place) -> Option<String> {
    let index = usize::try_from(place.line).ok()?.checked_sub(1)?;
    let line = text.split('\n').nth(index)?.trim_end();
    let caret = usize::try_from(place.column).ok()?.saturating_sub(1);
    let skipped = if caret < EXCERPT_CHARS { 0 } else { caret - EXCERPT_CHARS / 2 };
    let printable = |c: char| if c.is_control() { ' ' } else { c };
    let mut rest = line.chars().skip(skipped).map(printable);
    let before: String = rest.by_ref().take(caret - skipped).collect();
    let after: String = rest.by_ref().take(EXCERPT_CHARS - before.chars().count()).collect();
    let head = format!("LINE {}: {}", place.line, if skipped > 0 { "..." } else { "" });
    let tail = if rest.next().is_some() { "..." } else { "" };
    let indent = " ".repeat(head.width() + before.width());
    Some(format!("{head}{before}{after}{tail}\n{indent}^"))
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use tonic_types::ErrorDetails;

    use super::*;
    use crate::split::split;

    fn sql_error(code: Code, message: &str, metadata: &[(&str, &str)]) -> Error {
        let metadata: HashMap<String, String> =
            metadata.iter().map(|(key, value)| (key.to_string(), value.to_string())).collect();
        let details = ErrorDetails::with_error_info("INVALID_SQL", "sqe", metadata);
        Error::from(Status::with_error_details(code, message, details))
    }

    /// The error at `line` and `column` of the last statement of `text`.
    #[track_caller]
    fn check(text: &str, line: &str, column: &str, expected: &str) {
        let place = [("line", line), ("column", column)];
        let error = sql_error(Code::InvalidArgument, "bad", &place);
        let split = split(text);
        let statement = split.statements.last().expect("a statement");
        assert_eq!(error.locate(None, text, statement).render(), expected);
    }

    #[test]
    fn caret_is_under_the_column_of_the_whole_text() {
        check("SELECT x", "1", "8", "ERROR: bad\nLINE 1: SELECT x\n               ^");
        check("a;\n b; SELECT\n\tx", "2", "2", "ERROR: bad\nLINE 3:  x\n         ^");
        check(
            "a;\n b; SELECT x",
            "1",
            "8",
            "ERROR: bad\nLINE 2:  b; SELECT x\n                   ^",
        );
        check(
            "SELECT '表', x",
            "1",
            "13",
            "ERROR: bad\nLINE 1: SELECT '表', x\n                     ^",
        );
    }

    #[test]
    fn caret_may_stand_behind_the_end() {
        check("SELECT", "1", "7", "ERROR: bad\nLINE 1: SELECT\n              ^");
        check("SELECT", "9", "1", "ERROR: bad");
        check("SELECT", "0", "1", "ERROR: bad");
    }

    #[test]
    fn long_lines_are_cut_around_the_place() {
        let text = "x".repeat(1000);
        let shown = "x".repeat(EXCERPT_CHARS);
        let indent = " ".repeat("LINE 1: ...".len() + EXCERPT_CHARS / 2);
        check(&text, "1", "501", &format!("ERROR: bad\nLINE 1: ...{shown}...\n{indent}^"));
    }

    #[test]
    fn hint_and_file_are_shown_and_control_characters_are_not() {
        let error = sql_error(Code::NotFound, "no \u{1b}[1m table", &[("hint", "use t")]);
        let statement = Statement { text: "x", start: Place { line: 1, column: 1 } };
        let text = error.locate(Some("q.sql"), "x", &statement).render();
        assert_eq!(text, "ERROR: q.sql: no \\u{1b}[1m table\nHINT: use t");
    }

    #[test]
    fn place_and_hint_are_shown_once() {
        let details = [("message", "no x"), ("line", "1"), ("column", "8"), ("hint", "use y")];
        let error = sql_error(Code::NotFound, "no x at line 1, column 8; use y", &details);
        let statement = Statement { text: "SELECT x", start: Place { line: 1, column: 1 } };
        let shown = error.locate(None, "SELECT x", &statement).render();
        let caret = " ".repeat("LINE 1: SELECT ".len()) + "^";
        assert_eq!(shown, format!("ERROR: no x\nLINE 1: SELECT x\n{caret}\nHINT: use y"));
    }

    #[test]
    fn query_id_is_shown_of_internal_errors_only() {
        let internal = sql_error(Code::Internal, "internal error", &[("query_id", "7")]);
        assert_eq!(internal.render(), "ERROR: internal error\nQUERY ID: 7");
        let other = sql_error(Code::NotFound, "no table", &[("query_id", "7")]);
        assert_eq!(other.render(), "ERROR: no table");
        assert_eq!(other.exit_code(), 3);
    }

    #[test]
    fn lost_login_is_no_sql_error() {
        assert_eq!(Error::from(Status::unauthenticated("expired")).exit_code(), 2);
    }
}
