use super::*;

/// Files whose only value is their name.
fn tree() -> Files {
    Files::new(&[
        ("a.csv", "v\na\n"),
        ("b.csv", "v\nb\n"),
        ("c.txt", "v\nc\n"),
        (".hidden.csv", "v\nhidden\n"),
        ("_temporary.csv", "v\ntemporary\n"),
        ("x/a.csv", "v\nx/a\n"),
        ("x/y/a.csv", "v\nx/y/a\n"),
        ("x/y/data.tsv", "v\nx/y/data\n"),
        ("x/.z/a.csv", "v\nx/.z/a\n"),
        ("odd/a b%20#1[*]é.csv", "v\nodd\n"),
        ("odd/{a}.csv", "v\nbraces\n"),
    ])
}

async fn check(pattern: &str, expected: &[&str]) {
    let files = tree();
    let call = call(&files, "read_csv", &[pattern], &[("header", yes())]);
    assert_eq!(rows(call).await.unwrap(), expected, "{pattern}");
}

#[tokio::test]
async fn patterns_find_files() {
    check("a.csv", &["a"]).await;
    check("*.csv", &["a", "b", "temporary"]).await;
    check("[ab].*", &["a", "b"]).await;
    check("?.csv", &["a", "b"]).await;
    check("{a,b,c}.{csv,txt}", &["a", "b", "c"]).await;
    check("{a,c}.csv", &["a"]).await;
    check("*/a.csv", &["x/a"]).await;
    check("**/a.csv", &["a", "x/a", "x/y/a"]).await;
    check("x/**/*.csv", &["x/a", "x/y/a"]).await;
    check("x/**", &["x/a", "x/y/a", "x/y/data"]).await;
    check("x/", &["x/a", "x/y/a", "x/y/data"]).await;
    check("x/y/../a.csv", &["x/a"]).await;
    check("./x//a.csv", &["x/a"]).await;
    check(".hidden.csv", &["hidden"]).await;
    check(".*.csv", &["hidden"]).await;
}

#[tokio::test]
async fn names_with_special_characters() {
    check("odd/a b%20#1[*]é.csv", &["odd"]).await;
    check("odd/a*.csv", &["odd"]).await;
    check("odd/{a}.csv", &["braces"]).await;
}

#[tokio::test]
async fn urls_of_files() {
    let files = Files::new(&[("a b.csv", "v\n1\n")]);
    let url = format!("file://{}", files.path("a%20b.csv"));
    let call = Call {
        function: "read_csv".to_owned(),
        positional: vec![ScalarValue::from(url.as_str())],
        named: Vec::new(),
    };
    assert_eq!(rows(call).await.unwrap(), ["1"]);
}

#[tokio::test]
async fn lists_keep_files_that_are_named_twice() {
    let files = tree();
    let call = call(&files, "read_csv", &["a.csv", "[ab].csv"], &[]);
    assert_eq!(rows(call).await.unwrap(), ["a", "a", "b"]);
}

#[tokio::test]
async fn relative_paths_start_where_the_server_does() {
    let files = Files(tempfile::tempdir_in(".").unwrap());
    files.write("k=1/a.csv", "v\n1\n");
    let folder = files.0.path().file_name().unwrap().to_str().unwrap().to_owned();
    for pattern in [format!("{folder}/k=1/a.csv"), format!("{folder}/**/*.csv")] {
        let call = Call {
            function: "read_csv".to_owned(),
            positional: vec![ScalarValue::from(pattern.as_str())],
            named: vec![("filename".to_owned(), yes())],
        };
        assert_eq!(rows(call).await.unwrap(), [format!("1|1|{folder}/k=1/a.csv")], "{pattern}");
    }
}

#[tokio::test]
async fn errors_name_the_pattern() {
    let files = tree();
    for (path, kind, message, hint) in [
        ("no*.csv", ErrorKind::NotFound, "no files match 'no*.csv'", None),
        ("none.csv", ErrorKind::NotFound, "no files match 'none.csv'", None),
        ("none/", ErrorKind::NotFound, "no files match 'none/'", None),
        (
            "x",
            ErrorKind::NotFound,
            "no files match 'x'",
            Some("it is a directory; end it with / to read all its files"),
        ),
        (
            "{a.csv",
            ErrorKind::InvalidStatement,
            "braces of the pattern '{a.csv' do not match",
            None,
        ),
        ("[a.csv", ErrorKind::InvalidStatement, "'[' is not closed in the pattern '[a.csv'", None),
        (
            "*/../a.csv",
            ErrorKind::InvalidStatement,
            "'..' cannot follow a wildcard in the pattern '*/../a.csv'",
            None,
        ),
    ] {
        let error = rows(call(&files, "read_csv", &[path], &[])).await.unwrap_err();
        assert_eq!((error.kind, files.relative(&error.message)), (kind, message.to_owned()));
        assert_eq!(error.hint.as_deref(), hint);
    }
}

#[tokio::test]
async fn the_path_is_one_string_or_one_list() {
    let files = tree();
    let check = async |positional: Vec<ScalarValue>, message: &str| {
        let call = Call { positional, ..call(&files, "read_csv", &["a.csv"], &[]) };
        assert_error(&rows(call).await.unwrap_err(), ErrorKind::InvalidStatement, message);
    };
    let takes = "read_csv takes one path or one list of paths before its options, got";
    check(vec![], &format!("{takes} 0")).await;
    check(vec![text("a"), text("b")], &format!("{takes} 2")).await;
    let number = "the path of read_csv must be a string or a list, got Int64";
    check(vec![ScalarValue::from(1_i64)], number).await;
    check(vec![text("")], "the path of read_csv is empty").await;
}

#[tokio::test]
async fn folders_with_keys_are_columns() {
    let files = Files::new(&[
        ("d=2024-01-01/n=1/s=01/a.csv", "v\n1\n"),
        ("d=2024-01-02/n=2/s=x%2Fy/a.csv", "v\n2\n"),
        ("d=2024-01-02/n=__HIVE_DEFAULT_PARTITION__/s=02/a.csv", "v\n3\n"),
    ]);
    let reading =
        |options: &[(&str, ScalarValue)]| call(&files, "read_csv", &["**/*.csv"], options);
    assert_eq!(columns(reading(&[])).await, ["v Int64", "d Date32", "n Int64", "s Utf8"]);
    let all = ["1|2024-01-01|1|01", "2|2024-01-02|2|x/y", "3|2024-01-02||02"];
    assert_eq!(rows(reading(&[])).await.unwrap(), all);
    assert_eq!(rows(reading(&[("hive_partitioning", no())])).await.unwrap(), ["1", "2", "3"]);
    for (filter, expected) in [
        ("n = 2", vec!["2"]),
        ("n IS NULL", vec!["3"]),
        ("n <> 2", vec!["1"]),
        ("d > DATE '2024-01-01' AND v < 3", vec!["2"]),
        ("s LIKE 'x%' OR v = 1", vec!["1", "2"]),
        ("n = 7", vec![]),
    ] {
        let sql = format!("SELECT v FROM t WHERE {filter} ORDER BY v");
        assert_eq!(answer(reading(&[]), &sql).await.unwrap(), expected, "{filter}");
    }
    let counts = answer(reading(&[]), "SELECT count(*), count(n), min(s) FROM t").await.unwrap();
    assert_eq!(counts, ["3|2|01"]);
}

#[tokio::test]
async fn only_the_files_of_a_key_are_read() {
    let files = Files::new(&[("n=1/a.csv", "v\n1\n"), ("n=2/a.csv", "v\n2\n")]);
    let config = SessionConfig::new().with_target_partitions(1);
    let context = SessionContext::new_with_config(config);
    let call = call(&files, "read_csv", &["*/a.csv"], &[]);
    let table = open(call, &context.state(), &local()).await.unwrap();
    context.register_table("t", table).unwrap();
    let plan = context.sql("SELECT v FROM t WHERE n = 2").await.unwrap();
    let plan = plan.create_physical_plan().await.unwrap();
    let plan = datafusion::physical_plan::displayable(&*plan).indent(false).to_string();
    assert!(plan.contains("n=2/a.csv") && !plan.contains("n=1/a.csv"), "{plan}");
    assert!(!plan.contains("FilterExec"), "{plan}");
}

#[tokio::test]
async fn keys_that_differ_are_no_columns() {
    let files = Files::new(&[("a=1/x.csv", "v\n1\n"), ("b=1/x.csv", "v\n2\n")]);
    let reading = |options: &[(&str, ScalarValue)]| call(&files, "read_csv", &["*/x.csv"], options);
    assert_eq!(rows(reading(&[])).await.unwrap(), ["1", "2"]);
    let error = rows(reading(&[("hive_partitioning", yes())])).await.unwrap_err();
    assert_eq!(
        files.relative(&error.message),
        "files are in folders of different partitions: a=1/x.csv has [a], b=1/x.csv has [b]"
    );
    let files = Files::new(&[("v=1/x.csv", "v\n1\n")]);
    let error = rows(call(&files, "read_csv", &["*/x.csv"], &[])).await.unwrap_err();
    let message = "column \"v\" is in the files and in their paths";
    assert_error(&error, ErrorKind::InvalidStatement, message);
}

#[tokio::test]
async fn filename_is_the_path_of_a_row() {
    let files = Files::new(&[("a.csv", "v\n1\n"), ("b.csv", "v\n2\n")]);
    let call = call(&files, "read_csv", &["*.csv"], &[("filename", yes())]);
    let sql = "SELECT v, filename FROM t WHERE filename LIKE '%b.csv'";
    assert_eq!(answer(call, sql).await.unwrap(), [format!("2|{}", files.path("b.csv"))]);
}

#[tokio::test]
async fn options_are_known_and_of_their_type() {
    let files = tree();
    let check = async |options: &[(&str, ScalarValue)], kind, message: &str, hint: Option<&str>| {
        let error = rows(call(&files, "read_csv", &["a.csv"], options)).await.unwrap_err();
        assert_error(&error, kind, message);
        assert_eq!(error.hint.as_deref(), hint, "{message}");
    };
    use ErrorKind::{InvalidStatement, Unsupported};
    let near = Some("did you mean \"header\"?");
    check(&[("heeder", yes())], InvalidStatement, "read_csv has no option \"heeder\"", near).await;
    let message = "option ignore_errors of read_csv is not supported";
    check(&[("ignore_errors", yes())], Unsupported, message, None).await;
    let message = "option header of read_csv is given twice";
    check(&[("header", yes()), ("header", no())], InvalidStatement, message, None).await;
    for (name, value, message) in [
        ("header", text("yes"), "true or false, got 'yes' of type Utf8View"),
        ("delim", text("||"), "one ASCII character, got '||' of type Utf8View"),
        ("delim", text("é"), "one ASCII character, got 'é' of type Utf8View"),
        ("quote", ScalarValue::Utf8(None), "one ASCII character, got NULL of type Utf8"),
        ("sample_size", text("x"), "a whole number, got 'x' of type Utf8View"),
        ("sample_size", ScalarValue::from(0_i64), "positive or -1, got 0"),
        ("nullstr", yes(), "a string or a list of strings, got true of type Boolean"),
        (
            "compression",
            text("lzo"),
            "one of auto, none, uncompressed, gzip, zstd, bzip2, xz, got 'lzo'",
        ),
    ] {
        let message = format!("option {name} of read_csv must be {message}");
        check(&[(name, value)], InvalidStatement, &message, None).await;
    }
}
