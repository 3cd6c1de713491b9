//! Which credentials a run has, and what each call shows the server.

use arrow_flight::flight_service_client::FlightServiceClient;
use secrecy::{ExposeSecret, SecretString};
use tonic::Status;
use tonic::metadata::MetadataMap;
use tonic::transport::Channel;

use crate::args::Args;
use crate::connect::Address;
use crate::device::{self, KeptLogin, bearer};
use crate::error::{Error, Result};
use crate::login::{Bearer, bearer_of, login, variable};

const TOKEN_VARIABLE: &str = "SQE_TOKEN";

/// How a run logs in.
pub(crate) enum Source {
    /// By a token, which the user has from elsewhere.
    Token(Bearer),
    /// As a user with a password, or anonymously.
    User(Option<String>),
    /// With a browser, now.
    Device,
    /// As an earlier run did with a browser.
    Kept(Box<KeptLogin>),
}

impl Source {
    /// What `args`, the environment and the file of logins say, in this order. Asks no server.
    ///
    /// Errors: [`Error::Login`] if two logins are asked for, if a token would go in plain text to
    /// another machine, or of the file of logins.
    pub(crate) fn of(args: &Args, address: &Address) -> Result<Self> {
        let variable = variable(TOKEN_VARIABLE)?.map(SecretString::from);
        let given = Self::given(args, variable)?;
        let source = match given {
            Some(source) => source,
            None => match device::kept(address)? {
                Some(login) => Self::Kept(Box::new(login)),
                None => Self::User(None),
            },
        };
        match source {
            Self::User(_) => Ok(source),
            _ if address.is_private() => Ok(source),
            _ => Err(Error::Login(format!(
                "without TLS, everybody on the way to {address} could read the token: give --tls"
            ))),
        }
    }

    fn given(args: &Args, variable: Option<SecretString>) -> Result<Option<Self>> {
        let token = args.token.as_ref().or(variable.as_ref());
        let flag = match (&args.user, args.login) {
            (Some(_), _) => "-u",
            (None, true) => "--login",
            (None, false) => {
                return token
                    .map(|token| bearer(token.expose_secret()).map(Self::Token))
                    .transpose();
            }
        };
        if token.is_some() {
            return Err(Error::Login(format!(
                "{flag} and {TOKEN_VARIABLE} are two ways to log in: leave out {flag}, or unset \
                 {TOKEN_VARIABLE}"
            )));
        }
        Ok(Some(args.user.clone().map_or(Self::Device, |user| Self::User(Some(user)))))
    }

    /// Logs in to the server at `address`, to which `client` is connected. Errors: [`Error::Login`].
    pub(crate) async fn log_in(
        self,
        client: &mut FlightServiceClient<Channel>,
        address: &Address,
    ) -> Result<Credentials> {
        Ok(match self {
            Self::Token(token) => Credentials::Token(token),
            Self::User(user) => Credentials::Session(login(client, user.as_deref()).await?),
            Self::Device => Credentials::Kept(Box::new(device::log_in(client, address).await?)),
            Self::Kept(login) => Credentials::Kept(login),
        })
    }
}

/// What calls show the server.
pub(crate) enum Credentials {
    /// What the server gave for the login; none if it needs none.
    Session(Option<Bearer>),
    /// The token of this run.
    Token(Bearer),
    /// The tokens of a login with a browser.
    Kept(Box<KeptLogin>),
}

impl Credentials {
    /// For a call that may wait for a new token. Errors: [`Error::Login`] if there is none.
    pub(crate) async fn fresh(&mut self) -> Result<Option<Bearer>> {
        match self {
            Self::Kept(login) => login.bearer().await.map(Some),
            _ => Ok(self.last().cloned()),
        }
    }

    /// For a call whose answer is not worth a wait.
    pub(crate) fn last(&self) -> Option<&Bearer> {
        match self {
            Self::Session(bearer) => bearer.as_ref(),
            Self::Token(bearer) => Some(bearer),
            Self::Kept(login) => Some(login.last_bearer()),
        }
    }

    /// The error of a call that was answered with `status`.
    pub(crate) fn refused(&self, status: Status) -> Error {
        match (Error::from(status), self) {
            (Error::Login(reason), Self::Kept(_)) => Error::Login(format!(
                "{reason}; the server refuses the login that was kept: log in again with --login"
            )),
            (error, _) => error,
        }
    }

    /// Takes over the bearer that a server sent with its answer. The tokens of a provider are not
    /// the server's to replace.
    pub(crate) fn update(&mut self, answer: &MetadataMap) {
        if let (Self::Session(bearer), Some(newer)) = (self, bearer_of(answer)) {
            *bearer = Some(newer);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What `arguments` and a token in the environment come to, before any file is looked at.
    #[track_caller]
    fn check(arguments: &[&str], variable: Option<&str>, expected: Result<&str, &str>) {
        let arguments = ["sqe-cli"].iter().chain(arguments);
        let args = Args::parse_from_iter(arguments).expect("valid");
        let source = Source::given(&args, variable.map(SecretString::from));
        let source = source.map(|source| match source {
            None => "nothing".to_owned(),
            Some(Source::Token(token)) => token.to_str().expect("is ASCII").to_owned(),
            Some(Source::User(user)) => format!("user {user:?}"),
            Some(Source::Device) => "device".to_owned(),
            Some(Source::Kept(_)) => "kept".to_owned(),
        });
        let source = source.map_err(|error| (error.exit_code(), error.to_string()));
        let expected = expected.map(str::to_owned).map_err(|error| (2, error.to_owned()));
        assert_eq!(source, expected);
    }

    #[test]
    fn there_is_one_login() {
        check(&[], None, Ok("nothing"));
        check(&["-u", "root"], None, Ok("user Some(\"root\")"));
        check(&["--login"], None, Ok("device"));
        check(&["--token", "a"], None, Ok("Bearer a"));
        check(&[], Some("b"), Ok("Bearer b"));
        check(&["--token", "a"], Some("b"), Ok("Bearer a"));
        let two = |flag: &str| {
            format!(
                "{flag} and SQE_TOKEN are two ways to log in: leave out {flag}, or unset SQE_TOKEN"
            )
        };
        check(&["-u", "root"], Some("b"), Err(&two("-u")));
        check(&["--login"], Some("b"), Err(&two("--login")));
    }

    #[test]
    fn tokens_go_in_plain_text_to_this_machine_only() {
        let source = |host: &str, tls: &[&str]| {
            let arguments = ["sqe-cli", "--token", "s3cr3t", "--host", host];
            let args = Args::parse_from_iter(arguments.iter().chain(tls)).expect("valid");
            Source::of(&args, &Address::of(&args))
        };
        assert!(source("127.0.0.1", &[]).is_ok());
        assert!(source("sqe.example", &["--tls"]).is_ok());
        let error = source("sqe.example", &[]).err().expect("is refused");
        assert_eq!(error.exit_code(), 2);
        let text = error.to_string();
        assert!(text.contains("sqe.example:50051") && text.ends_with("give --tls"), "{text}");
    }
}
