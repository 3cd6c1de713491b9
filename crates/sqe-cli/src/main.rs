//! `sqe-cli`: SQL over Arrow Flight SQL, from the command line or interactively. It knows the wire
//! and nothing else of the server.

mod args;
mod connect;
mod credentials;
mod device;
mod error;
mod format;
mod interactive;
mod issuer;
mod login;
mod logins;
mod meta_command;
mod output;
mod run;
mod session;
mod split;
mod state;
#[cfg(test)]
#[path = "../tests/issuer/mod.rs"]
mod test_issuer;

use std::io::{self, IsTerminal, Read};
use std::path::Path;
use std::process::ExitCode;

use args::{Args, Input};
use connect::Address;
use error::{Error, Result};
use output::Output;
use run::{Runner, Script};
use session::Session;
use tokio::runtime::Builder;

fn main() -> ExitCode {
    let args = match Args::parse_from_iter(std::env::args_os()) {
        Ok(args) => args,
        Err(error) => {
            // Help and version are errors to clap; a closed pipe is none to anybody.
            let _ = error.print();
            return ExitCode::from(u8::from(error.use_stderr()));
        }
    };
    match run(&args) {
        Err(error) if !error.is_broken_pipe() => {
            eprintln!("{}", error.render());
            ExitCode::from(error.exit_code())
        }
        _ => ExitCode::SUCCESS,
    }
}

fn run(args: &Args) -> Result<()> {
    let args::Protocol::Flight = args.protocol;
    let nothing_to_run = args.logout || (args.login && args.inputs.is_empty());
    let prompt = args.inputs.is_empty() && io::stdin().is_terminal() && io::stdout().is_terminal();
    let scripts = if prompt || nothing_to_run { Vec::new() } else { read_scripts(&args.inputs)? };
    // Two threads: one serves the connection while the other formats, or waits for the user.
    let runtime =
        Builder::new_multi_thread().worker_threads(2).enable_all().build().map_err(|source| {
            Error::Read { name: "the system's event queue".to_owned(), source }
        })?;
    if args.logout {
        return runtime.block_on(device::log_out(&Address::of(args)));
    }
    let session = runtime.block_on(Session::open(args))?;
    if nothing_to_run {
        return Ok(());
    }
    let mut runner = Runner { session, output: Output::stdout(), format: args.format };
    let result = if prompt {
        interactive::interactive(&runtime, &mut runner)
    } else {
        runtime.block_on(run_scripts(&mut runner, &scripts))
    };
    runtime.block_on(runner.session.close());
    result
}

async fn run_scripts(runner: &mut Runner, scripts: &[Script]) -> Result<()> {
    for script in scripts {
        runner.script(script).await?;
    }
    Ok(())
}

/// The texts of `inputs`, or of stdin if there are none.
fn read_scripts(inputs: &[Input]) -> Result<Vec<Script>> {
    if inputs.is_empty() {
        return Ok(vec![read_stdin()?]);
    }
    inputs
        .iter()
        .map(|input| match input {
            Input::Text(text) => Ok(Script { file: None, text: text.clone() }),
            Input::File(path) if path == Path::new("-") => read_stdin(),
            Input::File(path) => {
                let file = path.display().to_string();
                match std::fs::read_to_string(path) {
                    Ok(text) => {
                        Ok(Script { text: without_byte_order_mark(text), file: Some(file) })
                    }
                    Err(source) => Err(Error::Read { name: file, source }),
                }
            }
        })
        .collect()
}

fn read_stdin() -> Result<Script> {
    let mut text = String::new();
    io::stdin()
        .read_to_string(&mut text)
        .map_err(|source| Error::Read { name: "stdin".to_owned(), source })?;
    Ok(Script { file: None, text: without_byte_order_mark(text) })
}

fn without_byte_order_mark(text: String) -> String {
    text.strip_prefix('\u{feff}').map(str::to_owned).unwrap_or(text)
}
