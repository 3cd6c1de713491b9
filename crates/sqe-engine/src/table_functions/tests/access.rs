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
async fn the_right_is_looked_at_before_the_file() {
    for path in ["/no/such/file.csv", "s3://no-such-bucket/file.csv"] {
        let error = denied(path, &FileAccess::default()).await;
        assert_eq!(error.kind, ErrorKind::PermissionDenied);
    }
}

#[tokio::test]
async fn a_call_reads_one_store() {
    let keys = sqe_iceberg::storage::S3Keys {
        access_key_id: "id".to_owned(),
        secret_access_key: "secret".into(),
        session_token: None,
        expires_at: None,
    };
    let access = FileAccess::new(FileAccessOptions {
        allow_local_paths: true,
        allowed_prefixes: vec!["s3://b".to_owned()],
        s3: Some((Default::default(), keys)),
    });
    let files = Files::new(&[("a.csv", "a\n1\n")]);
    let paths = [files.path("a.csv"), "s3://b/a.csv".to_owned()];
    let paths = paths.map(|path| ScalarValue::from(path.as_str()));
    let paths = ScalarValue::new_list_nullable(&paths, &arrow::datatypes::DataType::Utf8);
    let call = Call {
        function: "read_csv".to_owned(),
        positional: vec![ScalarValue::List(paths)],
        named: Vec::new(),
    };
    let state = SessionContext::new().state();
    let error = open(call, &state, &access.unwrap()).await.unwrap_err();
    assert_error(
        &error,
        ErrorKind::InvalidStatement,
        "a call reads files of the server or of S3, not of both",
    );
}
