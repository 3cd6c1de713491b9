use tempfile::TempDir;

use super::*;

fn login(token: &str) -> Login {
    Login {
        issuer: "https://issuer.example".to_owned(),
        client_id: "sqe-cli".to_owned(),
        access_token: token.into(),
        expires_at: now() + 300,
        refresh_token: Some(format!("refresh-{token}").into()),
    }
}

fn logins() -> (TempDir, Logins) {
    let home = tempfile::tempdir().expect("a directory");
    let logins = Logins::new(home.path().join("state/sqe"));
    (home, logins)
}

async fn put(logins: &Logins, server: &str, token: &str) -> Result<()> {
    logins.lock().await?.put(server, login(token))
}

/// The tokens kept for `server`, joined by a blank.
#[track_caller]
fn check(logins: &Logins, server: &str, expected: Option<&str>) {
    let tokens = logins.get(server).expect("reads").map(|login| {
        let refresh = login.refresh_token.expect("has one");
        format!("{} {}", login.access_token.expose_secret(), refresh.expose_secret())
    });
    assert_eq!(tokens.as_deref(), expected);
}

#[tokio::test]
async fn servers_have_logins_of_their_own() {
    let (_home, logins) = logins();
    check(&logins, "https://a:1", None);
    put(&logins, "https://a:1", "a").await.expect("puts");
    put(&logins, "https://b:1", "b").await.expect("puts");
    put(&logins, "https://a:1", "c").await.expect("puts");
    check(&logins, "https://a:1", Some("c refresh-c"));
    check(&logins, "http://a:1", None);

    let mut locked = logins.lock().await.expect("locks");
    assert!(locked.remove("https://a:1").expect("removes").is_some());
    assert!(locked.remove("https://a:1").expect("reads").is_none());
    check(&logins, "https://a:1", None);
    check(&logins, "https://b:1", Some("b refresh-b"));
}

#[tokio::test]
async fn runs_at_the_same_time_lose_nothing() {
    let (_home, logins) = logins();
    let servers: Vec<_> = (0..20).map(|number| format!("https://host:{number}")).collect();
    let puts = servers.iter().map(|server| put(&logins, server, "t"));
    for done in futures::future::join_all(puts).await {
        done.expect("puts");
    }
    for server in &servers {
        check(&logins, server, Some("t refresh-t"));
    }
}

#[tokio::test]
async fn a_change_that_fails_leaves_the_file_as_it_was() {
    let (_home, logins) = logins();
    put(&logins, "https://a:1", "a").await.expect("puts");
    let new = logins.directory.join("cli_logins.json.new");
    // What a killed run leaves behind is in nobody's way.
    std::fs::write(&new, "{\"https").expect("writes");
    put(&logins, "https://b:1", "b").await.expect("puts");
    assert!(!new.exists());
    std::fs::create_dir(&new).expect("creates");
    put(&logins, "https://a:1", "c").await.expect_err("the name is taken");
    check(&logins, "https://a:1", Some("a refresh-a"));
    check(&logins, "https://b:1", Some("b refresh-b"));
}

#[cfg(unix)]
#[tokio::test]
async fn a_file_that_others_may_read_is_refused() {
    use std::fs::Permissions;
    use std::os::unix::fs::PermissionsExt;

    let (_home, logins) = logins();
    put(&logins, "https://a:1", "s3cr3t").await.expect("puts");
    let path = logins.path();
    let mode = std::fs::metadata(&path).expect("exists").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    for mode in [0o640, 0o604, 0o620] {
        std::fs::set_permissions(&path, Permissions::from_mode(mode)).expect("is ours");
        let error = logins.get("https://a:1").expect_err("is refused");
        assert_eq!(error.exit_code(), 2);
        let text = error.to_string();
        assert!(text.contains(&format!("(mode {mode:04o})")) && text.contains("chmod 600"));
        put(&logins, "https://b:1", "b").await.expect_err("is refused");
    }
}

#[tokio::test]
async fn errors_and_debug_show_no_token() {
    let (_home, logins) = logins();
    put(&logins, "https://a:1", "s3cr3t").await.expect("puts");
    assert!(!format!("{:?}", logins.get("https://a:1")).contains("s3cr3t"));
    let path = logins.path();
    let text = std::fs::read_to_string(&path).expect("reads");
    std::fs::write(&path, text.replace("\"https://a:1\": {", "\"https://a:1\": ["))
        .expect("writes");
    let error = logins.get("https://a:1").expect_err("is broken").to_string();
    assert!(error.contains("is no file of logins") && !error.contains("s3cr3t"), "{error}");
}

#[test]
fn tokens_are_refreshed_before_they_end() {
    let check = |life: u64, due: bool, over: bool| {
        let login = Login { expires_at: now() + life, ..login("t") };
        assert_eq!((login.is_due(), login.is_over()), (due, over), "{life} s");
    };
    check(0, true, true);
    check(20, true, false);
    check(60, false, false);
}
