//! The functions over small files, through a plain session of DataFusion.

mod access;
mod csv;
mod json;
mod parquet;
mod paths;

use std::{fs, sync::Arc};

use arrow::{array::RecordBatch, util::pretty::pretty_format_batches};
use bytes::Bytes;
use datafusion::{
    error::DataFusionError,
    prelude::{SessionConfig, SessionContext},
    scalar::ScalarValue,
};
use datafusion_datasource::file_compression_type::FileCompressionType;
use futures::{StreamExt, TryStreamExt, stream};
use tempfile::TempDir;

use super::{Call, FileAccess, open};
use crate::codec::tests::check_elsewhere;
use crate::{Error, ErrorKind, FileAccessOptions, Result};

/// A folder with files.
struct Files(TempDir);

impl Files {
    fn new(files: &[(&str, &str)]) -> Self {
        let folder = Self(TempDir::new().unwrap());
        files.iter().for_each(|(name, content)| folder.write(name, content));
        folder
    }

    fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        let path = self.0.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }

    fn path(&self, name: &str) -> String {
        format!("{}/{name}", self.0.path().display())
    }

    /// A message without the folder in its paths.
    fn relative(&self, text: &str) -> String {
        text.replace(&format!("{}/", self.0.path().display()), "")
    }
}

/// `function(paths, options)`, the paths below `files`.
fn call(files: &Files, function: &str, paths: &[&str], options: &[(&str, ScalarValue)]) -> Call {
    let paths = paths.iter().map(|path| ScalarValue::from(files.path(path).as_str()));
    let paths = paths.collect::<Vec<_>>();
    let path = match paths.as_slice() {
        [path] => path.clone(),
        paths => ScalarValue::List(ScalarValue::new_list_nullable(
            paths,
            &arrow::datatypes::DataType::Utf8,
        )),
    };
    let named = options.iter().map(|(name, value)| ((*name).to_owned(), value.clone()));
    Call { function: function.to_owned(), positional: vec![path], named: named.collect() }
}

fn local() -> FileAccess {
    FileAccess::new(FileAccessOptions { allow_local_paths: true, ..Default::default() }).unwrap()
}

/// The lines of the answer to `sql`, in which the call is the table `t`.
async fn answer(call: Call, sql: &str) -> Result<Vec<String>> {
    // Small enough that what can be cut is cut, and that there is more than one batch.
    let config = SessionConfig::new()
        .with_target_partitions(4)
        .with_batch_size(3)
        .with_repartition_file_min_size(1);
    let context = SessionContext::new_with_config(config);
    let table = open(call, &context.state(), &local()).await?;
    context.register_table("t", table).unwrap();
    let batches: Vec<RecordBatch> = context.sql(sql).await?.collect().await?;
    check_elsewhere(&context, sql).await;
    let table = pretty_format_batches(&batches).unwrap().to_string();
    let lines = table.lines().filter(|line| line.starts_with('|')).skip(1);
    let cells = |line: &str| {
        let cells = line.trim_matches('|').split('|').map(str::trim);
        cells.collect::<Vec<_>>().join("|")
    };
    Ok(lines.map(cells).collect())
}

/// Rows of `t`, sorted as text because files are read in parallel.
async fn rows(call: Call) -> Result<Vec<String>> {
    let mut rows = answer(call, "SELECT * FROM t").await?;
    rows.sort_unstable();
    Ok(rows)
}

/// `name TYPE` of each column.
async fn columns(call: Call) -> Vec<String> {
    let state = SessionContext::new().state();
    let table = open(call, &state, &local()).await.unwrap();
    let schema = table.schema();
    let shown = schema.fields().iter();
    shown.map(|field| format!("{} {}", field.name(), field.data_type())).collect()
}

async fn compressed(compression: FileCompressionType, content: &str) -> Vec<u8> {
    let content = Ok::<_, DataFusionError>(Bytes::copy_from_slice(content.as_bytes()));
    let stream = compression.convert_to_compress_stream(stream::iter([content]).boxed()).unwrap();
    stream.try_collect::<Vec<_>>().await.unwrap().concat()
}

#[track_caller]
fn assert_error(error: &Error, kind: ErrorKind, message: &str) {
    assert_eq!((error.kind, error.message.as_str()), (kind, message));
}

fn yes() -> ScalarValue {
    ScalarValue::from(true)
}

fn no() -> ScalarValue {
    ScalarValue::from(false)
}

fn text(text: &str) -> ScalarValue {
    ScalarValue::Utf8View(Some(text.to_owned()))
}
