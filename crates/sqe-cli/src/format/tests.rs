//! Every format over the same rows.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, FixedSizeBinaryArray, Int64Array, ListArray, RecordBatch, StringArray,
};
use arrow::datatypes::{DataType, Field, Int32Type, Schema};

use super::Format;

fn print(format: Format, batches: &[RecordBatch]) -> String {
    let mut out = Vec::new();
    let mut writer = format.open(&batches[0].schema(), &mut out).expect("opens");
    for batch in batches {
        writer.write(batch).expect("prints");
    }
    writer.finish().expect("finishes");
    drop(writer);
    String::from_utf8(out).expect("UTF-8")
}

fn batch(columns: Vec<(&str, ArrayRef)>) -> RecordBatch {
    RecordBatch::try_from_iter_with_nullable(columns.into_iter().map(|(n, c)| (n, c, true)))
        .expect("equal lengths")
}

fn strings(values: &[Option<&str>]) -> ArrayRef {
    Arc::new(StringArray::from(values.to_vec()))
}

fn people() -> RecordBatch {
    let ids: ArrayRef = Arc::new(Int64Array::from(vec![1, 20]));
    batch(vec![("id", ids), ("name", strings(&[Some("Müller, \"Jo\""), None]))])
}

#[track_caller]
fn check(format: Format, batch: RecordBatch, expected: &str) {
    assert_eq!(print(format, &[batch]), expected);
}

#[test]
fn one_column() {
    let one: ArrayRef = Arc::new(Int64Array::from(vec![1]));
    check(Format::Table, batch(vec![("one", one)]), "one\n-----\n1\n(1 row)\n");
}

#[test]
fn rows() {
    check(
        Format::Table,
        people(),
        "id | name\n---+--------------\n1  | Müller, \"Jo\"\n20 | NULL\n(2 rows)\n",
    );
    check(Format::Csv, people(), "id,name\n1,\"Müller, \"\"Jo\"\"\"\n20,\n");
    check(Format::Tsv, people(), "id\tname\n1\t\"Müller, \"\"Jo\"\"\"\n20\t\n");
    check(
        Format::Json,
        people(),
        "[{\"id\":1,\"name\":\"Müller, \\\"Jo\\\"\"},{\"id\":20,\"name\":null}]\n",
    );
    check(
        Format::Ndjson,
        people(),
        "{\"id\":1,\"name\":\"Müller, \\\"Jo\\\"\"}\n{\"id\":20,\"name\":null}\n",
    );
    check(
        Format::Markdown,
        people(),
        "| id | name |\n| --- | --- |\n| 1 | Müller, \"Jo\" |\n| 20 | NULL |\n",
    );
    check(
        Format::Vertical,
        people(),
        "-[ ROW 1 ]-\nid   | 1\nname | Müller, \"Jo\"\n\
         -[ ROW 2 ]-\nid   | 20\nname | NULL\n(2 rows)\n",
    );
}

#[test]
fn no_rows() {
    let empty = || people().slice(0, 0);
    check(Format::Table, empty(), "id | name\n---+------\n(0 rows)\n");
    check(Format::Csv, empty(), "id,name\n");
    check(Format::Json, empty(), "[]\n");
    check(Format::Ndjson, empty(), "");
    check(Format::Markdown, empty(), "| id | name |\n| --- | --- |\n");
    check(Format::Vertical, empty(), "(0 rows)\n");
}

#[test]
fn control_characters_and_wide_ones() {
    let values = strings(&[Some("a\t\u{1b}[1m|"), Some("表")]);
    let b: ArrayRef = Arc::new(Int64Array::from(vec![1, 2]));
    let rows = batch(vec![("a", values), ("b", b)]);
    let table = "a             | b\n--------------+---\na\\t\\u{1b}[1m| | 1\n表            | 2\n";
    check(Format::Table, rows.clone(), &format!("{table}(2 rows)\n"));
    let markdown = "| a | b |\n| --- | --- |\n| a\\t\\u{1b}[1m\\| | 1 |\n| 表 | 2 |\n";
    check(Format::Markdown, rows, markdown);
}

#[test]
fn nested_values() {
    let values = [Some(vec![Some(1), None]), None];
    let list: ArrayRef = Arc::new(ListArray::from_iter_primitive::<Int32Type, _, _>(values));
    let rows = || batch(vec![("l", Arc::clone(&list)), ("x", strings(&[None, Some("x")]))]);
    check(Format::Csv, rows(), "l,x\n\"[1, NULL]\",\n,x\n");
    check(Format::Ndjson, rows(), "{\"l\":[1,null],\"x\":null}\n{\"l\":null,\"x\":\"x\"}\n");
    check(
        Format::Table,
        rows(),
        "l         | x\n----------+------\n[1, NULL] | NULL\nNULL      | x\n(2 rows)\n",
    );
}

#[test]
fn widths_come_from_the_first_rows_and_nothing_is_cut() {
    let narrow =
        || batch(vec![("a", strings(&[Some("x"); 600])), ("b", strings(&[Some("y"); 600]))]);
    let wide = || batch(vec![("a", strings(&[Some("wider")])), ("b", strings(&[Some("y")]))]);
    let text = print(Format::Table, &[narrow(), narrow(), wide(), narrow()]);
    let lines: Vec<_> = text.lines().collect();
    assert_eq!(lines.len(), 2 + 600 * 3 + 1 + 1);
    assert_eq!(lines[..3], ["a | b", "--+---", "x | y"]);
    assert_eq!(lines[1202..1204], ["wider | y", "x | y"]);
    assert_eq!(lines[1803], "(1801 rows)");
}

#[test]
fn a_value_of_several_lines_takes_several_lines() {
    let kinds = strings(&[Some("logical"), Some("physical")]);
    let plans = strings(&[Some("a\n  b\n"), Some("c")]);
    check(
        Format::Table,
        batch(vec![("kind", kinds), ("plan", plans)]),
        "kind     | plan\n---------+------\nlogical  | a\n         |   b\nphysical | c\n(2 rows)\n",
    );
}

#[test]
fn uuids_have_dashes() {
    let bytes = [Some([0x55_u8; 16]), None];
    let uuids = FixedSizeBinaryArray::try_from_sparse_iter_with_size(bytes.into_iter(), 16);
    let metadata = [("ARROW:extension:name".to_owned(), "arrow.uuid".to_owned())];
    let field = Field::new("id", DataType::FixedSizeBinary(16), true);
    let field = field.with_metadata(metadata.into());
    let columns: Vec<ArrayRef> = vec![Arc::new(uuids.expect("sixteen bytes"))];
    let batch = RecordBatch::try_new(Arc::new(Schema::new(vec![field])), columns);
    let batch = batch.expect("one column");
    check(Format::Csv, batch.clone(), "id\n55555555-5555-5555-5555-555555555555\n\"\"\n");
    check(
        Format::Ndjson,
        batch,
        "{\"id\":\"55555555-5555-5555-5555-555555555555\"}\n{\"id\":null}\n",
    );
}
