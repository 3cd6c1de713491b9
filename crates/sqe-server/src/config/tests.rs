use super::*;

const EXAMPLE: &str = include_str!("../../../../sqe.toml.example");

fn load(text: &str, env: &[(&str, &str)]) -> Result<Config, Problems> {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("sqe.toml");
    std::fs::write(&path, text).unwrap();
    let env = env.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned()));
    Config::load(Some(&path), env)
}

/// The problems of `text` under `env`, a line each, with the directory cut off.
fn check(text: &str, env: &[(&str, &str)], expected: &[&str]) {
    let problems = load(text, env).unwrap_err().to_string();
    let lines: Vec<&str> =
        problems.lines().map(|l| l.find("sqe.toml:").map_or(l, |at| &l[at..])).collect();
    assert_eq!(lines, expected);
}

#[test]
fn the_example_holds_the_defaults() {
    assert_eq!(load(EXAMPLE, &[]).unwrap(), Config::default());
}

#[test]
fn the_example_names_every_key() {
    let shown: Vec<&str> = EXAMPLE
        .lines()
        .filter_map(|line| line.trim_start_matches("# ").split_once(" = ").map(|(key, _)| key))
        .collect();
    for (section, keys) in Config::known_keys() {
        assert!(EXAMPLE.contains(&format!("[{section}]")), "[{section}] is not in the example");
        for key in keys.iter().filter(|key| **key != "polaris_url") {
            assert!(shown.contains(key), "{section}.{key} is not in the example");
        }
    }
}

#[test]
fn the_minimal_lakehouse_configuration_is_valid() {
    let text = r#"
[auth]
token_endpoint = "http://localhost:18181/api/catalog/v1/oauth/tokens"
client_id = "root"
[catalog]
polaris_url = "http://localhost:18181/api/catalog"
warehouse = "test_warehouse"
[storage]
s3_endpoint = "http://localhost:19000"
s3_region = "us-east-1"
s3_path_style = true
"#;
    let config = load(text, &[]).unwrap();
    assert_eq!(config.catalog.effective_kind(), CatalogKind::Rest);
    assert_eq!(
        config.catalog.uri.as_ref().map(Address::text),
        Some("http://localhost:18181/api/catalog")
    );
}

#[test]
fn all_problems_are_reported_at_once() {
    check(
        "[coordinatr]\n[http]\nprot = 1\nport = \"x\"\n\n[limits]\nmemory = \"1MiB\"\n",
        &[("SQE__LIMITS__SPIL", "1GiB")],
        &[
            "sqe.toml:1: unknown section `coordinatr`, did you mean `coordinator`?",
            "sqe.toml:3: unknown key `prot`, did you mean `port`?",
            "sqe.toml:4: http.port: must be a port from 0 to 65535, got \"x\"",
            "SQE__LIMITS__SPIL: unknown key `spil`, did you mean `spill`?",
            "limits.memory: must be at least 64.0 MiB, got 1.0 MiB",
        ],
    );
}

#[test]
fn values_are_told_their_form() {
    check(
        "[limits]\nmemory = 5.5\nspill = \"5 apples\"\nstatement_timeout = 30 # s\n\
         drain_timeout = \"99999999999999999999s\"\n",
        &[("SQE__HTTP__PORT", "70000"), ("SQE__AUTH__ALLOW_ANONYMOUS", "yes")],
        &[
            "sqe.toml:2: limits.memory: must be a size such as \"64MiB\", got 5.5",
            "sqe.toml:3: limits.spill: must be a size such as \"64MiB\", got \"5 apples\"",
            "sqe.toml:4: limits.statement_timeout: must be a duration such as \"30s\" or \
             \"5min\", got 30",
            "sqe.toml:5: limits.drain_timeout: must be a duration such as \"30s\" or \"5min\", \
             got \"99999999999999999999s\"",
            "SQE__HTTP__PORT: port: must be a port from 0 to 65535, got \"70000\"",
            "SQE__AUTH__ALLOW_ANONYMOUS: allow_anonymous: must be true or false, got \"yes\"",
        ],
    );
}

#[test]
fn catalogs_have_names_of_their_own() {
    check(
        "[catalogs.tpch]\npath = \"a.db\"\n[catalogs.\"a.b\"]\npath = \"b.db\"\n",
        &[],
        &[
            "catalogs.\"a.b\": the name of a catalog must not have dots",
            "catalogs.\"tpch\": the generated catalog has this name",
        ],
    );
}

#[test]
fn somebody_must_be_able_to_log_in() {
    check(
        "[auth]\nallow_anonymous = false\n",
        &[],
        &["auth.allow_anonymous: nobody could log in while it is false and none of \
           auth.token_endpoint, auth.issuer and auth.opaque_bearer is set"],
    );
    let issuer = "[auth]\nallow_anonymous = false\nissuer = \"https://idp.example.com\"\n";
    assert!(load(issuer, &[]).is_ok());
}

#[test]
fn each_way_to_log_in_has_its_keys() {
    check(
        "[auth]\ngrant = \"password\"\naudience = \"sqe\"\nlogin_scope = \"openid\"\n\
         clock_skew = \"1h\"\nfailures_per_minute = 0\n",
        &[],
        &[
            "auth.client_id: must be set for the grant \"password\"",
            "auth.token_endpoint: must be set for the grant \"password\"",
            "auth.issuer: must be set where auth.audience is",
            "auth.login_client_id: must be set where auth.login_scope is",
            "auth.clock_skew: must be at most 10min, got 1h",
            "auth.failures_per_minute: must be at least 1",
        ],
    );
    check(
        "[auth]\ntoken_endpoint = \"https://idp.example.com/token\"\nclient_secret_file = \"s\"\n\
         issuer = \"https://idp.example.com\"\nopaque_bearer = true\n",
        &[],
        &[
            "auth.client_secret_file: is for the grant \"password\"; with \"client_credentials\" \
             all users bring their own",
            "auth.opaque_bearer: tokens are verified where auth.issuer is set; set one of them",
        ],
    );
}

#[test]
fn catalogs_have_the_keys_of_their_kind() {
    check(
        "[catalog]\nuri = \"https://lake.example.com\"\nwarehouse = \"lake\"\npath = \"a.db\"\n\
         request_timeout = \"0s\"\n[catalogs.lake]\ntype = \"sqlite\"\n\
         uri = \"https://lake.example.com\"\n[catalogs.other]\ntype = \"rest\"\n\
         catalog_name = \"x\"\n",
        &[],
        &[
            "catalogs.\"lake\": [catalog] has this name in SQL, because its warehouse does",
            "catalog.path: a catalog of type \"rest\" has none",
            "catalog.request_timeout: must be more than 0s",
            "catalogs.lake.uri: a catalog of type \"sqlite\" has none, use path",
            "catalogs.lake.path: must be set for a catalog of type \"sqlite\"",
            "catalogs.other.catalog_name: a catalog of type \"rest\" has none",
            "catalogs.other.uri: must be set for a catalog of type \"rest\"",
        ],
    );
}

#[test]
fn a_catalog_has_the_name_of_its_warehouse() {
    let check = |warehouse: &str, expected: &str| {
        let text =
            format!("[catalog]\nuri = \"https://a.example.com\"\nwarehouse = \"{warehouse}\"\n");
        assert_eq!(load(&text, &[]).unwrap().default_catalog(), expected);
    };
    check("test_warehouse", "test_warehouse");
    check("s3://bucket/lake", "catalog");
    check("a.b", "catalog");
    check("tpch", "catalog");
    assert_eq!(
        load("[catalog]\nwarehouse = \"lake\"\n", &[]).unwrap().default_catalog(),
        "catalog"
    );
}

#[test]
fn free_files_have_places_and_keys() {
    check(
        "[storage]\ns3_endpoint = \"localhost:9000\"\ns3_access_key = \"a\"\n\
         [table_functions]\nallowed_prefixes = [\"s3://b/x\", \"b/x\", \"s3://\", \"s3://b/*\"]\n",
        &[],
        &[
            "sqe.toml:2: storage.s3_endpoint: must be an address such as \"https://host/path\" \
             without an account",
            "storage.s3_secret_key: must be set where s3_access_key is",
            "table_functions.allowed_prefixes: must be places such as \"s3://bucket/landing\", \
             without wildcards, got \"b/x\"",
            "table_functions.allowed_prefixes: must be places such as \"s3://bucket/landing\", \
             without wildcards, got \"s3://\"",
            "table_functions.allowed_prefixes: must be places such as \"s3://bucket/landing\", \
             without wildcards, got \"s3://b/*\"",
        ],
    );
}

#[test]
fn an_address_is_not_repeated_where_it_may_hold_a_password() {
    for address in ["https://root:hunter2@idp.example.com", "https://hunter2@idp.example.com"] {
        let text = format!("[auth]\ntoken_endpoint = \"{address}\"\n");
        let problems = load(&text, &[]).unwrap_err().to_string();
        assert!(problems.contains("auth.token_endpoint") && !problems.contains("hunter2"));
    }
}

#[test]
fn broken_toml_names_its_line() {
    check(
        "[http]\nport = \n",
        &[],
        &["sqe.toml:2: string values must be quoted, expected literal string"],
    );
}

#[test]
fn a_public_listener_needs_tls_or_an_explicit_word() {
    let text = "[coordinator]\nlisten_address = \"0.0.0.0\"\n";
    check(
        text,
        &[],
        &["coordinator.listen_address: 0.0.0.0 is not loopback and there is no TLS; set tls.cert \
           and tls.key, or tls.allow_plaintext = true to send passwords in the clear"],
    );
    let config = load(text, &[("SQE__TLS__ALLOW_PLAINTEXT", "true")]).unwrap();
    assert!(!config.allow_local_paths(), "local files are for loopback only");
}

#[test]
fn the_environment_overrides_the_file() {
    let config = load(
        "[http]\nport = 1\n[catalogs.lake]\npath = \"a.db\"\n",
        &[
            ("SQE__HTTP__PORT", "2"),
            ("SQE__CATALOGS__LAKE__PATH", "b.db"),
            ("SQE__AUTH__CLIENT_ID", "007"),
            ("SQE__LIMITS__STATEMENT_TIMEOUT", "90s"),
        ],
    )
    .unwrap();
    assert_eq!(config.http.port, 2);
    assert_eq!(config.catalogs["lake"].path, Some(PathBuf::from("b.db")));
    assert_eq!(config.auth.client_id.as_deref(), Some("007"));
    assert_eq!(config.limits.statement_timeout, Span::seconds(90));
}

#[test]
fn a_missing_file_is_one_line() {
    let error = Config::load(Some(std::path::Path::new("/nowhere/sqe.toml")), []).unwrap_err();
    assert_eq!(error.to_string(), "/nowhere/sqe.toml: No such file or directory (os error 2)");
}
