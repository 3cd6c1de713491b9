//! The command line: flags, and the order in which `-e` and `-f` were given. It reads nothing
//! but the arguments.

use std::convert::Infallible;
use std::path::PathBuf;

use clap::{ArgMatches, CommandFactory, FromArgMatches, Parser, ValueEnum};
use secrecy::SecretString;

use crate::format::Format;

/// SQL over Arrow Flight SQL, from the command line or interactively.
///
/// The password of -u comes from SQE_PASSWORD, or from a prompt if the server asks for one. Without
/// -u, the token in SQE_TOKEN is used, else the login that --login kept for the server, else none.
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

    /// User to log in as
    #[arg(short, long)]
    pub(crate) user: Option<String>,

    /// Token to show the server; other users see it in the list of processes, unlike one in
    /// SQE_TOKEN
    #[arg(long, conflicts_with_all = ["user", "login", "logout"], value_parser = secret)]
    pub(crate) token: Option<SecretString>,

    /// Log in with a browser at the server's identity provider, and keep the login for later runs;
    /// without -e and -f nothing else is done
    #[arg(long, conflicts_with_all = ["user", "logout"])]
    pub(crate) login: bool,

    /// Forget the login that --login kept for this server, and revoke it where the provider can
    #[arg(long, conflicts_with_all = ["user", "execute", "file"])]
    pub(crate) logout: bool,

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

/// Fails never, because clap shows the values that it refuses.
fn secret(value: &str) -> Result<SecretString, Infallible> {
    Ok(value.into())
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

    #[track_caller]
    fn check_conflict(arguments: &[&str], names: [&str; 2]) {
        let arguments = ["sqe-cli"].iter().chain(arguments);
        let error = Args::parse_from_iter(arguments).expect_err("a conflict").to_string();
        assert!(names.iter().all(|name| error.contains(name)), "{error}");
        assert!(!error.contains("s3cr3t"), "{error}");
    }

    #[test]
    fn logins_exclude_each_other() {
        check_conflict(&["--token", "s3cr3t", "-u", "root"], ["--token", "--user"]);
        check_conflict(&["--token", "s3cr3t", "--login"], ["--token", "--login"]);
        check_conflict(&["--token", "s3cr3t", "--logout"], ["--token", "--logout"]);
        check_conflict(&["--login", "-u", "root"], ["--login", "--user"]);
        check_conflict(&["--login", "--logout"], ["--login", "--logout"]);
        check_conflict(&["--logout", "-e", "SELECT 1"], ["--logout", "--execute"]);
    }

    #[test]
    fn token_is_not_shown() {
        let args = Args::parse_from_iter(["sqe-cli", "--token", "s3cr3t"]).expect("valid");
        assert!(!format!("{args:?}").contains("s3cr3t"));
    }

    #[test]
    fn definition_is_consistent() {
        Args::command().debug_assert();
    }
}
