//! The binary, a server and an identity provider whose answers are fixed: tokens, `--login`, the
//! runs after it, `--logout`.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use crate::ONE;
use crate::issuer::{CODE, Issuer};
use crate::server::Server;

const SQL: [&str; 2] = ["-e", "SELECT 1 AS one"];
/// Of a token that the server does not know, and that is to be refreshed with the next call.
const STALE: &str = r#"{
    "access_token": "s3cr3t-stale", "token_type": "Bearer", "expires_in": 20,
    "refresh_token": "s3cr3t-refresh"
}"#;
/// Of the token that the server knows.
const GOOD: &str = r#"{
    "access_token": "token", "token_type": "Bearer", "expires_in": 300,
    "refresh_token": "s3cr3t-next"
}"#;

/// A user's environment.
struct User {
    home: tempfile::TempDir,
    token: Option<&'static str>,
}

impl User {
    fn new() -> Self {
        Self { home: tempfile::tempdir().expect("a directory"), token: None }
    }

    fn run(&self, server: &Server, arguments: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_sqe-cli"));
        command.args(["--host", "127.0.0.1", "--port", &server.port.to_string()]).args(arguments);
        command.env_remove("SQE_PASSWORD").env_remove("SQE_TOKEN");
        command.env("XDG_STATE_HOME", self.home.path());
        command.envs(self.token.map(|token| ("SQE_TOKEN", token)));
        command.stdin(Stdio::null()).output().expect("the client runs")
    }

    /// Runs the client, and gives what it wrote to stderr.
    #[track_caller]
    fn check(&self, server: &Server, arguments: &[&str], code: i32, stdout: &str) -> String {
        let output = self.run(server, arguments);
        let stderr = String::from_utf8(output.stderr).expect("is UTF-8");
        assert_eq!(output.status.code(), Some(code), "{stderr}");
        assert_eq!(String::from_utf8_lossy(&output.stdout), stdout);
        assert!(!stderr.contains("s3cr3t"), "{stderr}");
        stderr
    }

    fn logins(&self) -> PathBuf {
        self.home.path().join("sqe/cli_logins.json")
    }
}

#[track_caller]
fn check_private(path: &Path, expected: u32) {
    use std::os::unix::fs::PermissionsExt;
    let mode = std::fs::metadata(path).expect("exists").permissions().mode();
    assert_eq!(mode & 0o777, expected, "{}", path.display());
}

#[test]
fn every_call_carries_the_token() {
    let (server, mut user) = (Server::start(), User::new());
    assert_eq!(user.check(&server, &["--token", "token", "-e", "SELECT 1 AS one"], 0, ONE), "");
    assert_eq!(server.closed_sessions(), 1);
    let wrong = user.check(&server, &["--token", "s3cr3t", "-e", "SELECT 1 AS one"], 2, "");
    assert_eq!(wrong, "ERROR: no bearer\n");
    user.token = Some("token");
    assert_eq!(user.check(&server, &SQL, 0, ONE), "");
    user.token = Some("s3cr3t");
    let two = user.check(&server, &["-u", "root", "-e", "SELECT 1 AS one"], 2, "");
    assert!(two.contains("-u and SQE_TOKEN"), "{two}");
    user.check(&server, &["--token", "s3cr3t", "-u", "root"], 1, "");
    assert!(!user.logins().exists());
}

#[test]
fn a_login_lasts_until_the_logout() {
    let issuer = Issuer::start(&[
        ("/device", 200, CODE),
        ("/token", 400, r#"{"error": "authorization_pending"}"#),
        ("/token", 200, STALE),
        ("/token", 200, GOOD),
        ("/revoke", 200, ""),
    ]);
    let (server, user) = (Server::with_issuer(&issuer.url), User::new());
    let told = user.check(&server, &["--login"], 0, "");
    let expected = format!(
        "To log in to 127.0.0.1:{port} at {url}, open\n  {url}/verify\nand enter the code\n  \
         ABCD-EFGH\nor open\n  {url}/verify?user_code=ABCD-EFGH\nwithin 10 min.\n\
         logged in to 127.0.0.1:{port}\n",
        port = server.port,
        url = issuer.url,
    );
    assert_eq!(told, expected);
    check_private(&user.logins(), 0o600);
    check_private(&user.home.path().join("sqe"), 0o700);

    // The first of these refreshes the token; the second has no need to.
    for _ in 0..2 {
        assert_eq!(user.check(&server, &SQL, 0, ONE), "");
    }
    // Another server gets no token, and another way to log in leaves the login alone.
    let other = Server::start();
    assert_eq!(user.check(&other, &SQL, 0, ONE), "");
    assert_eq!(user.check(&server, &["--token", "token", SQL[0], SQL[1]], 0, ONE), "");
    assert_eq!(issuer.requests().len(), 4);

    let out = user.check(&server, &["--logout"], 0, "");
    assert_eq!(out, format!("logged out of 127.0.0.1:{}\n", server.port));
    let revocation = "POST /revoke token=s3cr3t-next&token_type_hint=refresh_token&client_id=cli";
    assert_eq!(issuer.requests()[4], revocation);
    let text = std::fs::read_to_string(user.logins()).expect("reads");
    assert_eq!(text, "{}");
    let again = user.check(&server, &["--logout"], 0, "");
    assert_eq!(again, format!("there is no login to 127.0.0.1:{}\n", server.port));
}

#[test]
fn a_login_may_run_statements_at_once() {
    let answers = [("/device", 200, CODE), ("/token", 200, GOOD)];
    let issuer = Issuer::start(&answers);
    let (server, user) = (Server::with_issuer(&issuer.url), User::new());
    user.check(&server, &["--login", SQL[0], SQL[1]], 0, ONE);
    // A provider that cannot revoke does not keep a user from logging out.
    let out = user.check(&server, &["--logout"], 0, "");
    assert!(out.starts_with("WARNING: ") && out.contains("logged out"), "{out}");
}

#[test]
fn logins_that_fail_are_2() {
    let (server, user) = (Server::start(), User::new());
    let none = user.check(&server, &["--login"], 2, "");
    assert!(none.ends_with("offers no --login: no issuer is configured\n"), "{none}");
    let denied = ("/token", 400, r#"{"error": "access_denied"}"#);
    let issuer = Issuer::start(&[("/device", 200, CODE), denied]);
    let server = Server::with_issuer(&issuer.url);
    let text = user.check(&server, &["--login"], 2, "");
    assert!(text.ends_with("ERROR: the login was denied\n"), "{text}");
}

#[test]
fn a_login_that_has_ended_says_so() {
    let gone = STALE.replace("20", "0").leak();
    let over = r#"{"error": "invalid_grant", "error_description": "Session not active"}"#;
    let issuer =
        Issuer::start(&[("/device", 200, CODE), ("/token", 200, gone), ("/token", 400, over)]);
    let (server, user) = (Server::with_issuer(&issuer.url), User::new());
    user.check(&server, &["--login"], 0, "");
    let ended = user.check(&server, &SQL, 2, "");
    assert!(ended.contains("log in again with --login"), "{ended}");
    assert!(ended.contains("invalid_grant: Session not active"), "{ended}");
}

#[test]
fn a_file_that_others_may_read_is_refused() {
    use std::os::unix::fs::PermissionsExt;
    let issuer = Issuer::start(&[("/device", 200, CODE), ("/token", 200, GOOD)]);
    let (server, user) = (Server::with_issuer(&issuer.url), User::new());
    user.check(&server, &["--login"], 0, "");
    let open = std::fs::Permissions::from_mode(0o644);
    std::fs::set_permissions(user.logins(), open).expect("is ours");
    let refused = user.check(&server, &SQL, 2, "");
    assert!(refused.contains("chmod 600"), "{refused}");
    assert_eq!(user.check(&server, &["--token", "token", SQL[0], SQL[1]], 0, ONE), "");
}
