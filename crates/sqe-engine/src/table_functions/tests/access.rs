use super::*;

async fn denied(path: &str, access: &FileAccess) -> Error {
    let call = Call {
        function: "read_csv".to_owned(),
        positional: vec![ScalarValue::from(path)],
        named: Vec::new(),
    };
    open(call, &SessionContext::new().state(), access).await.unwrap_err()
}

#[tokio::test]
async fn local_files_need_the_setting() {
    let files = Files::new(&[("a.csv", "a\n1\n")]);
    for path in [files.path("a.csv"), format!("file://{}", files.path("a.csv")), "x".to_owned()] {
        let error = denied(&path, &FileAccess::default()).await;
        let message = format!("reading files of the server, such as '{path}', is not allowed");
        assert_error(&error, ErrorKind::PermissionDenied, &message);
        let hint = "the setting is [table_functions] allow_local_paths";
        assert_eq!(error.hint.as_deref(), Some(hint));
    }
}

#[tokio::test]
async fn urls_need_a_prefix_and_a_store() {
    let access = FileAccess {
        allow_local_paths: true,
        allowed_prefixes: vec!["s3://bucket/public".to_owned(), "gs://all/".to_owned()],
    };
    for path in [
        "s3://bucket/publicity/a.csv",
        "s3://other/a.csv",
        "https://example.org/a.csv",
        "s3://bucket/public/../a.csv",
    ] {
        let error = denied(path, &access).await;
        let message = format!("reading '{path}' is not allowed");
        assert_error(&error, ErrorKind::PermissionDenied, &message);
    }
    for (path, scheme) in [("s3://bucket/public/a.csv", "s3"), ("gs://all/a.csv", "gs")] {
        let error = denied(path, &access).await;
        let message = format!("table functions cannot read {scheme}:// locations such as '{path}'");
        assert_error(&error, ErrorKind::Unsupported, &message);
    }
}

#[tokio::test]
async fn the_right_is_looked_at_before_the_file() {
    let error = denied("/no/such/file.csv", &FileAccess::default()).await;
    assert_eq!(error.kind, ErrorKind::PermissionDenied);
}
