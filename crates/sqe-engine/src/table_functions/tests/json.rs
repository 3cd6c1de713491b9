use super::*;

async fn check(content: &str, options: &[(&str, ScalarValue)], cols: &[&str], expected: &[&str]) {
    let files = Files::new(&[("a.json", content)]);
    let reading = || call(&files, "read_json", &["a.json"], options);
    assert_eq!(columns(reading()).await, cols, "{content}");
    assert_eq!(rows(reading()).await.unwrap(), expected, "{content}");
    let count = answer(reading(), "SELECT count(*) FROM t").await.unwrap();
    assert_eq!(count, [expected.len().to_string()], "{content}");
}

async fn refused(content: &str, format: &str, expected: &str) {
    check_error(content, format, ErrorKind::DataCorrupt, expected).await;
}

async fn check_error(content: &str, format: &str, kind: ErrorKind, expected: &str) {
    let options = &[("format", text(format))];
    let files = Files::new(&[("a.json", content)]);
    let error = rows(call(&files, "read_json", &["a.json"], options)).await.unwrap_err();
    assert_eq!(error.kind, kind, "{error}");
    let message = files.relative(&error.message);
    let cause = message.strip_prefix("failed to read a.json: ");
    assert!(cause.is_some_and(|cause| cause.contains(expected)), "{message}");
}

#[tokio::test]
async fn all_layouts_are_recognized() {
    let cols = ["b Int64", "a Utf8"];
    let all = ["1|x", "2|"];
    check("{\"b\":1,\"a\":\"x\"}\n{\"b\":2}\n", &[], &cols, &all).await;
    check("[{\"b\":1,\"a\":\"x\"},{\"b\":2}]", &[], &cols, &all).await;
    check("\n [ {\n\"b\":1,\n\"a\":\"x\"}\n,\n{\"b\":2} ] \n", &[], &cols, &all).await;
    check("{\n\"b\":1,\n\"a\":\"x\"}{\"b\":2}", &[], &cols, &all).await;
    check("[]", &[], &[], &[]).await;
}

#[tokio::test]
async fn more_records_than_a_batch_holds() {
    let records = (0..100).map(|row| format!("{{\"a\":{row},\"b\":[{{\"c\":\"]\"}}]}}"));
    let records = records.collect::<Vec<_>>();
    let sql = "SELECT count(*), count(DISTINCT a), sum(a), sum(array_length(b)) FROM t";
    for (format, content) in [
        ("array", format!("[{}]", records.join(","))),
        ("auto", format!("[{}]", records.join(",\n"))),
        ("newline_delimited", records.join("\n")),
        ("nd", records.join("\n") + "\n"),
        ("unstructured", records.join(" ")),
    ] {
        let files = Files::new(&[("a.json", &content)]);
        let reading = call(&files, "read_json", &["a.json"], &[("format", text(format))]);
        assert_eq!(answer(reading, sql).await.unwrap(), ["100|100|4950|100"], "{format}");
    }
}

#[tokio::test]
async fn lines_are_read_in_parallel_only_where_they_are_records() {
    let content = "{\"a\":1}\n".repeat(100);
    let files = Files::new(&[("a.json", &content)]);
    for (format, groups) in [("nd", "4 groups"), ("auto", "1 group"), ("unstructured", "1 group")] {
        let reading = call(&files, "read_json", &["a.json"], &[("format", text(format))]);
        let plan = answer(reading, "EXPLAIN SELECT a FROM t").await.unwrap().join("\n");
        assert!(plan.contains(groups), "{format}: {plan}");
    }
}

#[tokio::test]
async fn types_hold_all_values() {
    check("{\"a\":1}\n{\"a\":1.5}", &[], &["a Float64"], &["1.0", "1.5"]).await;
    check("{\"a\":1}\n{\"a\":\"x\"}\n{\"a\":true}", &[], &["a Utf8"], &["1", "true", "x"]).await;
    check("{\"a\":null}\n{\"b\":1}", &[], &["a Utf8", "b Int64"], &["|", "|1"]).await;
    check("{\"d\":\"2024-12-31\"}", &[], &["d Date32"], &["2024-12-31"]).await;
    check("{\"n\":18446744073709551615}", &[], &["n Utf8"], &["18446744073709551615"]).await;
    check(
        "{\"o\":{\"x\":[1,2],\"y\":null}}\n{\"o\":{\"z\":\"s\"}}",
        &[],
        &["o Struct(\"x\": List(Int64), \"y\": Utf8, \"z\": Utf8)"],
        &["{x: , y: , z: s}", "{x: [1, 2], y: , z: }"],
    )
    .await;
}

#[tokio::test]
async fn a_fraction_that_comes_late_is_kept() {
    let content = "{\"a\":1}\n".repeat(30_000) + "{\"a\":0.5}\n";
    let files = Files::new(&[("a.json", &content)]);
    let reading = call(&files, "read_json", &["a.json"], &[]);
    assert_eq!(answer(reading, "SELECT sum(a) FROM t").await.unwrap(), ["30000.5"]);
}

#[tokio::test]
async fn files_are_united_by_name() {
    let files = Files::new(&[
        ("a.json", "{\"a\":1,\"b\":2}"),
        ("b.jsonl", "{\"b\":2.5,\"c\":\"x\"}\n"),
        ("c.ndjson", ""),
        ("d.txt", "no JSON"),
    ]);
    let reading = || call(&files, "read_json", &[""], &[]);
    assert_eq!(columns(reading()).await, ["a Int64", "b Float64", "c Utf8"]);
    assert_eq!(rows(reading()).await.unwrap(), ["1|2.0|", "|2.5|x"]);
}

#[tokio::test]
async fn broken_files_are_errors_with_their_path() {
    refused("[{\"a\":1},{\"a\":2}", "auto", "the array has no end").await;
    refused("[{\"a\":1},{\"a\":", "auto", "the array has no end").await;
    refused("{\"a\":1}\n{\"a\":", "auto", "EOF while parsing").await;
    refused("{\"a\":1}\n{\"a\"", "nd", "EOF while parsing").await;
    refused("{\"a\":1}\nx", "auto", "expected value").await;
    refused("{\"a\":1}", "array", "the file is not an array").await;
    refused("[{\"a\":1}] 1", "auto", "the array is followed by something else").await;
}

#[tokio::test]
async fn what_has_no_columns_is_refused() {
    let unsupported = ErrorKind::Unsupported;
    check_error("[1,2]", "auto", unsupported, "expected an object").await;
    let mixed = "key \"a\" has values of different shapes";
    check_error("{\"a\":1}\n{\"a\":{}}", "auto", unsupported, mixed).await;
    check_error("{\"a\":[]}\n{\"a\":1}", "auto", unsupported, mixed).await;
}

#[tokio::test]
async fn a_file_that_ends_early_after_it_was_looked_at_is_an_error() {
    for (before, after) in [
        ("{\"a\":1}\n{\"a\":2}\n", "{\"a\":1}\n{\"a\":2"),
        ("[{\"a\":1},{\"a\":2}]", "[{\"a\":1},{\"a\":2}"),
    ] {
        let files = Files::new(&[("a.json", before)]);
        let context = SessionContext::new();
        let reading = call(&files, "read_json", &["a.json"], &[]);
        let table = open(reading, &context.state(), &local()).await.unwrap();
        context.register_table("t", table).unwrap();
        files.write("a.json", after);
        let error = context.sql("SELECT * FROM t").await.unwrap().collect().await.unwrap_err();
        assert!(Error::from(error).message.contains(&files.path("a.json")));
    }
}

#[tokio::test]
async fn options() {
    let files = Files::new(&[("a.json", "{}")]);
    let error = async |name: &str, value| {
        rows(call(&files, "read_json", &["a.json"], &[(name, value)])).await.unwrap_err()
    };
    let message = "option format of read_json must be one of auto, newline_delimited, nd, \
                   unstructured, array, got 'lines'";
    let invalid = ErrorKind::InvalidStatement;
    assert_error(&error("format", text("lines")).await, invalid, message);
    let message = "option sample_size of read_json can only be -1, all objects, got 5";
    assert_error(&error("sample_size", ScalarValue::from(5_i64)).await, invalid, message);
    let message = "option columns of read_json is not supported";
    assert_error(&error("columns", text("x")).await, ErrorKind::Unsupported, message);
}
