//! The command line: flags, and the order in which `-e` and `-f` were given. It reads nothing
//! but the arguments.

use std::path::PathBuf;

use clap::{ArgMatches, CommandFactory, FromArgMatches, Parser, ValueEnum};

use crate::format::Format;

/// SQL over Arrow Flight SQL, from the command line or interactively.
///
/// The password comes from SQE_PASSWORD, or from a prompt if the server asks for one.
/// Exit codes: 0 success, 1 usage or IO, 2 connection or login, 3 SQL error.
#[derive(Debug, Parser)]
#[command(name = "sqe-cli", version)]
pub(crate) struct Args {
    /// Protocol to speak
    #[arg(long, value_enum, default_value_t = Protocol::Flight)]
    pub(crate) protocol: Protocol,

    /// Host of the server
    #[arg(long, default_value = "localhost")]
    pub(crate) host: String,

    /// Port of the server
    #[arg(long, default_value_t = 50051)]
    pub(crate) port: u16,

    /// User to log in as; without it the login is anonymous
    #[arg(short, long)]
    pub(crate) user: Option<String>,

    /// Run these statements and exit; may be given several times
    // A statement may begin with a comment, whose hyphens would be taken for a flag.
    #[arg(short = 'e', long = "execute", value_name = "SQL", allow_hyphen_values = true)]
    execute: Vec<String>,

    /// Run the statements of this file (`-` is stdin) and exit; may be given several times
    #[arg(short = 'f', long = "file", value_name = "FILE")]
    file: Vec<PathBuf>,

    /// How results are printed
    #[arg(long, value_enum, default_value_t = Format::Table)]
    pub(crate) format: Format,

    /// Connect with TLS
    #[arg(long)]
    pub(crate) tls: bool,

    /// Trust only the certificate authorities of this PEM file; implies --tls
    #[arg(long, value_name = "FILE")]
    pub(crate) ca: Option<PathBuf>,

    #[arg(skip)]
    pub(crate) inputs: Vec<Input>,
}

/// What the client speaks on the wire.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Protocol {
    /// Arrow Flight SQL
    Flight,
}

/// One `-e` or `-f`.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Input {
    Text(String),
    File(PathBuf),
}

impl Args {
    /// Parses `arguments`, the first of which is the name of the program.
    pub(crate) fn parse_from_iter<I, T>(arguments: I) -> Result<Self, clap::Error>
    where
        I: IntoIterator<Item = T>,
        T: Into<std::ffi::OsString> + Clone,
    {
        let matches = Self::command().try_get_matches_from(arguments)?;
        let mut args = Self::from_arg_matches(&matches)?;
        let texts = args.execute.iter().cloned().map(Input::Text);
        let files = args.file.iter().cloned().map(Input::File);
        let mut inputs: Vec<_> = indices(&matches, "execute")
            .zip(texts)
            .chain(indices(&matches, "file").zip(files))
            .collect();
        inputs.sort_by_key(|(index, _)| *index);
        args.inputs = inputs.into_iter().map(|(_, input)| input).collect();
        Ok(args)
    }
}

fn indices<'a>(matches: &'a ArgMatches, id: &str) -> impl Iterator<Item = usize> + 'a {
    matches.indices_of(id).into_iter().flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn inputs_keep_the_order_of_the_command_line() {
        let args =
            Args::parse_from_iter(["sqe-cli", "-e", "a", "-f", "b.sql", "-e", "c"]).expect("valid");
        let file = Input::File("b.sql".into());
        assert_eq!(args.inputs, [Input::Text("a".into()), file, Input::Text("c".into())]);
    }

    #[test]
    fn a_statement_may_begin_with_a_comment() {
        let args = Args::parse_from_iter(["sqe-cli", "-e", "-- nothing", "--tls"]).expect("valid");
        assert_eq!(args.inputs, [Input::Text("-- nothing".into())]);
        assert!(args.tls);
    }

    #[test]
    fn definition_is_consistent() {
        Args::command().debug_assert();
    }
}
