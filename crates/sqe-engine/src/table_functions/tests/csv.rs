use super::*;

async fn check(content: &str, options: &[(&str, ScalarValue)], cols: &[&str], expected: &[&str]) {
    let files = Files::new(&[("a.csv", content)]);
    let reading = || call(&files, "read_csv", &["a.csv"], options);
    assert_eq!(columns(reading()).await, cols, "{content:?}");
    assert_eq!(answer(reading(), "SELECT * FROM t").await.unwrap(), expected, "{content:?}");
    // Without columns, rows are still rows.
    let count = answer(reading(), "SELECT count(*) FROM t").await.unwrap();
    assert_eq!(count, [expected.len().to_string()], "{content:?}");
}

#[tokio::test]
async fn names_and_types_come_from_the_file() {
    check("a,b\n1,x\n", &[], &["a Int64", "b Utf8"], &["1|x"]).await;
    check("1,x\n2,y\n", &[], &["column0 Int64", "column1 Utf8"], &["1|x", "2|y"]).await;
    check("a,b\nx,y\n", &[], &["a Utf8", "b Utf8"], &["x|y"]).await;
    check("a,b\n", &[], &["a Utf8", "b Utf8"], &[]).await;
    check("", &[], &["column0 Utf8"], &[]).await;
    check(",a,a\n1,2,3\n", &[], &["column0 Int64", "a Int64", "a_1 Int64"], &["1|2|3"]).await;
    check("\u{feff}a,b\r\n1,2\r\n", &[], &["a Int64", "b Int64"], &["1|2"]).await;
    let types = ["b Boolean", "i Int64", "f Float64", "d Date32", "t Timestamp(µs)"];
    check(
        "b,i,f,d,t\ntrue,1,1.5,2024-12-31,2024-12-31 10:00:00\n,,,,\n",
        &[],
        &types,
        &["true|1|1.5|2024-12-31|2024-12-31T10:00:00", "||||"],
    )
    .await;
}

#[tokio::test]
async fn header_can_be_said() {
    let cols = ["column0 Utf8", "column1 Utf8"];
    check("a,b\nx,y\n", &[("header", no())], &cols, &["a|b", "x|y"]).await;
    check("1,2\n3,4\n", &[("header", yes())], &["1 Int64", "2 Int64"], &["3|4"]).await;
    check("a,b\n1,2\n", &[("header", no())], &cols, &["a|b", "1|2"]).await;
}

#[tokio::test]
async fn dialects() {
    let cols = ["a Int64", "b Utf8"];
    check("a;b\n1;x\n", &[("delim", text(";"))], &cols, &["1|x"]).await;
    check("a\tb\n1\tx\n", &[("sep", text("\t"))], &cols, &["1|x"]).await;
    check("a,b\n1,'x,y'\n", &[("quote", text("'"))], &cols, &["1|x,y"]).await;
    check("a,b\n1,\"x\"\"y\"\n", &[], &cols, &["1|x\"y"]).await;
    check("a,b\n1,\"x\"\"y\"\n", &[("escape", text("\""))], &cols, &["1|x\"y"]).await;
    check("a,b\n1,\"x\\\"y\"\n", &[("escape", text("\\"))], &cols, &["1|x\"y"]).await;
    check("#c\na,b\n#d\n1,x\n", &[("comment", text("#"))], &cols, &["1|x"]).await;
    check("a,b\n1,x\n", &[("all_varchar", yes())], &["a Utf8", "b Utf8"], &["1|x"]).await;
}

#[tokio::test]
async fn what_stands_for_null() {
    let cols = ["a Utf8", "b Int64"];
    check("a,b\n\"\",1\nNA,\n", &[], &cols, &["|1", "NA|"]).await;
    check("a,b\nx,1\nNA,NA\n", &[("nullstr", text("NA"))], &cols, &["x|1", "|"]).await;
    let nulls = ScalarValue::List(ScalarValue::new_list_nullable(
        &[text("NA"), text("-")],
        &arrow::datatypes::DataType::Utf8View,
    ));
    check("a,b\n.,-\nNA,2\n", &[("nullstr", nulls)], &cols, &[".|", "|2"]).await;
    // The empty string is a string where something else stands for NULL.
    let files = Files::new(&[("a.csv", "a,b\n,1\nNA,2\n")]);
    let reading = call(&files, "read_csv", &["a.csv"], &[("nullstr", text("NA"))]);
    let sql = "SELECT b FROM t WHERE a = ''";
    assert_eq!(answer(reading, sql).await.unwrap(), ["1"]);
}

#[tokio::test]
async fn values_with_line_breaks_stay_whole() {
    let content = "a,b\n1,\"x\n2,y\"\n3,z\n";
    let files = Files::new(&[("a.csv", content)]);
    let reading = call(&files, "read_csv", &["a.csv"], &[]);
    let sql = "SELECT a, replace(b, chr(10), '/') FROM t ORDER BY a";
    assert_eq!(answer(reading, sql).await.unwrap(), ["1|x/2,y", "3|z"]);
}

#[tokio::test]
async fn a_file_cut_at_lines_is_read_once() {
    let mut content = "a\n".to_owned();
    (0..1000).for_each(|row| content.push_str(&format!("{row}\n")));
    let files = Files::new(&[("a.csv", &content)]);
    let options = [("newlines_in_values", no())];
    let reading = call(&files, "read_csv", &["a.csv"], &options);
    let sql = "SELECT count(*), count(DISTINCT a), sum(a) FROM t";
    assert_eq!(answer(reading.clone(), sql).await.unwrap(), ["1000|1000|499500"]);
    let plan = answer(reading, "EXPLAIN SELECT a FROM t").await.unwrap().join("\n");
    assert!(plan.contains("4 groups"), "{plan}");
    let reading = call(&files, "read_csv", &["a.csv"], &[]);
    let plan = answer(reading, "EXPLAIN SELECT a FROM t").await.unwrap().join("\n");
    assert!(plan.contains("1 group"), "{plan}");
}

#[tokio::test]
async fn all_frames_of_a_compressed_file_are_read() {
    for (compression, name) in [
        (FileCompressionType::GZIP, "a.csv.gz"),
        (FileCompressionType::ZSTD, "a.csv.zst"),
        (FileCompressionType::BZIP2, "a.csv.bz2"),
        (FileCompressionType::XZ, "a.csv.xz"),
    ] {
        let first = compressed(compression, "a\n1\n").await;
        let second = compressed(compression, "2\n").await;
        let files = Files::new(&[]);
        files.write(name, [first.clone(), second].concat());
        let reading = call(&files, "read_csv", &[name], &[]);
        assert_eq!(rows(reading).await.unwrap(), ["1", "2"], "{name}");
        let reading = call(&files, "read_csv", &[""], &[]);
        assert_eq!(rows(reading).await.unwrap(), ["1", "2"], "{name} in its folder");
        // Cut off, it is no shorter table but an error with its path.
        files.write(name, &first[..first.len() - 3]);
        let error = rows(call(&files, "read_csv", &[name], &[])).await.unwrap_err();
        let path = files.path(name);
        assert_eq!(error.kind, ErrorKind::DataCorrupt, "{name}: {error}");
        assert!(error.message.starts_with(&format!("failed to read {path}: ")), "{error}");
    }
}

#[tokio::test]
async fn compression_can_be_said() {
    let files = Files::new(&[]);
    files.write("a.dat", compressed(FileCompressionType::GZIP, "a\n1\n").await);
    let reading = call(&files, "read_csv", &["a.dat"], &[("compression", text("gzip"))]);
    assert_eq!(rows(reading).await.unwrap(), ["1"]);
}

#[tokio::test]
async fn types_hold_the_values_of_all_files() {
    let files = Files::new(&[
        ("a.csv", "x,y,z\n1,1,\n"),
        ("b.csv", "x,y,z\n2.5,b,2024-01-01\n"),
        ("c.csv", ""),
    ]);
    let reading = || call(&files, "read_csv", &["*.csv"], &[]);
    assert_eq!(columns(reading()).await, ["x Float64", "y Utf8", "z Date32"]);
    assert_eq!(rows(reading()).await.unwrap(), ["1.0|1|", "2.5|b|2024-01-01"]);
}

#[tokio::test]
async fn files_with_other_columns_are_refused() {
    let files = Files::new(&[("a.csv", "x,y\n1,2\n"), ("b.csv", "y,x\n1,2\n")]);
    let error = rows(call(&files, "read_csv", &["*.csv"], &[])).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::InvalidStatement);
    assert_eq!(
        files.relative(&error.message),
        "files of read_csv differ: a.csv has the columns x, y, b.csv has the columns y, x"
    );
    let files = Files::new(&[("a.csv", "1,2\n"), ("b.csv", "1\n")]);
    let error = rows(call(&files, "read_csv", &["*.csv"], &[])).await.unwrap_err();
    assert_eq!(
        files.relative(&error.message),
        "files of read_csv differ: a.csv has 2 columns, b.csv has 1 columns"
    );
}

#[tokio::test]
async fn a_value_behind_the_sample_is_an_error() {
    let files = Files::new(&[("a.csv", "a\n1\n2\n3\nx\n")]);
    let options = [("sample_size", ScalarValue::from(2_i64))];
    let error = rows(call(&files, "read_csv", &["a.csv"], &options)).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::DataCorrupt);
    let message = files.relative(&error.message);
    let place = "value 'x' as type 'Int64' for column 0";
    assert!(message.starts_with("failed to read a.csv: ") && message.contains(place), "{message}");
    let options = [("sample_size", ScalarValue::from(-1_i64))];
    assert_eq!(columns(call(&files, "read_csv", &["a.csv"], &options)).await, ["a Utf8"]);
}

#[tokio::test]
async fn broken_files_are_errors_with_their_path() {
    for content in [&b"a,b\n1,2\n3\n"[..], &b"a,b\n1,\xff\n"[..]] {
        let files = Files::new(&[]);
        files.write("a.csv", content);
        let error = rows(call(&files, "read_csv", &["a.csv"], &[])).await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::DataCorrupt, "{error}");
        let path = files.path("a.csv");
        assert!(error.message.starts_with(&format!("failed to read {path}: ")), "{error}");
    }
}

#[tokio::test]
async fn characters_have_one_meaning() {
    let files = Files::new(&[("a.csv", "a\n1\n")]);
    let options = [("delim", text("\""))];
    let error = rows(call(&files, "read_csv", &["a.csv"], &options)).await.unwrap_err();
    let message = "character '\"' cannot have two meanings in read_csv";
    assert_error(&error, ErrorKind::InvalidStatement, message);
    let options = [("delim", text(",")), ("sep", text(","))];
    let error = rows(call(&files, "read_csv", &["a.csv"], &options)).await.unwrap_err();
    let message = "options delim and sep of read_csv are the same";
    assert_error(&error, ErrorKind::InvalidStatement, message);
}

#[tokio::test]
async fn a_limit_ends_reading() {
    let mut content = "a\n".to_owned();
    (0..100_000).for_each(|row| content.push_str(&format!("{row}\n")));
    content.push_str("not a number\n");
    let files = Files::new(&[("a.csv", &content)]);
    let options = [("sample_size", ScalarValue::from(10_i64))];
    let reading = call(&files, "read_csv", &["a.csv"], &options);
    assert_eq!(answer(reading, "SELECT a FROM t LIMIT 2").await.unwrap(), ["0", "1"]);
}
