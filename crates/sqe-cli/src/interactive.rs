//! The prompt: lines in, results out, until `\q` or Ctrl-D. An error ends a statement, not the
//! session; Ctrl-C cancels the running statement on the server.

use std::borrow::Cow;
use std::fs::OpenOptions;
use std::io;
use std::path::Path;
use std::time::Instant;

use arrow_flight::sql::{CommandGetCatalogs, CommandGetDbSchemas, CommandGetTables};
use reedline::{
    FileBackedHistory, Prompt, PromptEditMode, PromptHistorySearch, Reedline, Signal,
    ValidationResult, Validator,
};
use tokio::runtime::Runtime;

use crate::error::{Error, Result};
use crate::format::Format;
use crate::meta_command::{HELP, MetaCommand};
use crate::run::{Runner, Script};
use crate::split::split;
use crate::state;

const HISTORY_ENTRIES: usize = 10_000;

/// Reads and runs statements and backslash commands. Errors: only those of the terminal.
pub(crate) fn interactive(runtime: &Runtime, runner: &mut Runner) -> Result<()> {
    let mut editor = Reedline::create().with_validator(Box::new(StatementValidator));
    match history() {
        Ok(history) => editor = editor.with_history(Box::new(history)),
        Err(error) => eprintln!("no history: {error}"),
    }
    println!("sqe-cli {}, \\? for help", env!("CARGO_PKG_VERSION"));
    let format = runner.format;
    let mut timing = false;
    loop {
        let signal = editor.read_line(&StatementPrompt);
        let line = match signal.map_err(terminal_error)? {
            Signal::Success(line) => line,
            Signal::CtrlD => return Ok(()),
            _ => continue,
        };
        let request = match Request::parse(line) {
            Ok(Request::Meta(MetaCommand::Quit)) => return Ok(()),
            Ok(Request::Meta(MetaCommand::Help)) => {
                println!("{HELP}");
                continue;
            }
            Ok(Request::Meta(MetaCommand::Timing)) => {
                timing = !timing;
                println!("timing is {}", if timing { "on" } else { "off" });
                continue;
            }
            Ok(Request::Meta(MetaCommand::Expanded)) => {
                let expand = runner.format != Format::Vertical;
                runner.format = match (expand, format) {
                    (true, _) => Format::Vertical,
                    (false, Format::Vertical) => Format::Table,
                    (false, format) => format,
                };
                println!("expanded display is {}", if expand { "on" } else { "off" });
                continue;
            }
            Ok(request) => request,
            Err(message) => {
                eprintln!("ERROR: {message}");
                continue;
            }
        };
        let started = Instant::now();
        match runtime.block_on(run(runner, &request)) {
            Err(error) if error.is_broken_pipe() => return Err(error),
            Err(error) => eprintln!("{}", error.render()),
            Ok(()) => {}
        }
        if timing {
            println!("Time: {:.3} ms", started.elapsed().as_secs_f64() * 1e3);
        }
    }
}

/// One input of the user.
enum Request {
    Script(Script),
    Meta(MetaCommand),
}

impl Request {
    fn parse(line: String) -> Result<Self, String> {
        if !line.trim_start().starts_with('\\') {
            return Ok(Self::Script(Script { file: None, text: line }));
        }
        Ok(match MetaCommand::parse(&line)? {
            MetaCommand::Describe(name) => {
                Self::Script(Script { file: None, text: format!("DESCRIBE {name}") })
            }
            command => Self::Meta(command),
        })
    }
}

/// Runs `request` until it is done or the user presses Ctrl-C.
async fn run(runner: &mut Runner, request: &Request) -> Result<()> {
    let work = async {
        match request {
            Request::Script(script) => runner.script(script).await,
            Request::Meta(MetaCommand::Tables(pattern)) => {
                let table_name_filter_pattern = pattern.clone();
                let command =
                    CommandGetTables { table_name_filter_pattern, ..CommandGetTables::default() };
                runner.command(command).await
            }
            Request::Meta(MetaCommand::Schemas) => {
                runner.command(CommandGetDbSchemas::default()).await
            }
            Request::Meta(MetaCommand::Catalogs) => runner.command(CommandGetCatalogs {}).await,
            // The other commands never leave the client.
            Request::Meta(_) => Ok(()),
        }
    };
    let interrupted = tokio::select! {
        result = work => return result,
        signal = tokio::signal::ctrl_c() => signal,
    };
    // The streams are dropped by now, which alone cancels the statement once the server notices.
    runner.session.cancel().await;
    runner.output.finish()?;
    eprintln!("canceled");
    interrupted.map_err(terminal_error)
}

fn terminal_error(source: io::Error) -> Error {
    Error::Read { name: "the terminal".to_owned(), source }
}

/// The history in the state directory of the user, readable by nobody else.
fn history() -> Result<FileBackedHistory, String> {
    let directory = state::directory().ok_or("neither XDG_STATE_HOME nor HOME is set")?;
    let path = directory.join("cli_history");
    create_private(&path).map_err(|error| format!("{}: {error}", path.display()))?;
    FileBackedHistory::with_file(HISTORY_ENTRIES, path).map_err(|error| error.to_string())
}

fn create_private(path: &Path) -> io::Result<()> {
    if let Some(directory) = path.parent() {
        state::create_directory(directory)?;
    }
    let file = state::open_private(OpenOptions::new().create(true).append(true), path)?;
    // Of a file that an older version made.
    #[cfg(unix)]
    file.set_permissions(std::os::unix::fs::PermissionsExt::from_mode(0o600))?;
    drop(file);
    Ok(())
}

/// Enter ends the input behind a `;`, a backslash command and an empty line; else it starts a new
/// line.
struct StatementValidator;

impl Validator for StatementValidator {
    fn validate(&self, text: &str) -> ValidationResult {
        if text.trim_start().starts_with('\\') || split(text).terminated {
            ValidationResult::Complete
        } else {
            ValidationResult::Incomplete
        }
    }
}

struct StatementPrompt;

impl Prompt for StatementPrompt {
    fn render_prompt_left(&self) -> Cow<'_, str> {
        Cow::Borrowed("sqe")
    }

    fn render_prompt_right(&self) -> Cow<'_, str> {
        Cow::Borrowed("")
    }

    fn render_prompt_indicator(&self, _: PromptEditMode) -> Cow<'_, str> {
        Cow::Borrowed("=> ")
    }

    fn render_prompt_multiline_indicator(&self) -> Cow<'_, str> {
        Cow::Borrowed("sqe-> ")
    }

    fn render_prompt_history_search_indicator(&self, search: PromptHistorySearch) -> Cow<'_, str> {
        Cow::Owned(format!(" search {:?}: ", search.term))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, complete: bool) {
        let result = StatementValidator.validate(text);
        assert_eq!(matches!(result, ValidationResult::Complete), complete, "{text:?}");
    }

    #[test]
    fn statements_end_with_a_semicolon() {
        check("", true);
        check("SELECT 1", false);
        check("SELECT 1;", true);
        check("SELECT 1; -- done", true);
        check("SELECT ';", false);
        check("SELECT 1; SELECT", false);
        check(r"\d", true);
    }

    #[cfg(unix)]
    #[test]
    fn history_is_private() {
        use std::os::unix::fs::PermissionsExt;
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("sqe/cli_history");
        create_private(&path).expect("creates");
        let mode = std::fs::metadata(&path).expect("exists").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
}
