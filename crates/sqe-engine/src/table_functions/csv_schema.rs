//! The columns of CSV files: names from the first lines, types from a sample of the values.

use std::{
    collections::HashSet,
    io::{Cursor, Read},
    sync::Arc,
};

use arrow::{
    array::{Array, AsArray},
    datatypes::{DataType, Field, Schema, SchemaRef},
};
use datafusion::error::DataFusionError;
use futures::{StreamExt, TryStreamExt, stream};

use super::{Files, blocking, csv::Inference, fault::unreadable, kinds::Kinds, text::Compression};
use crate::{Error, ErrorKind, Result};

/// Files that are looked at at a time.
const FILES_AT_A_TIME: usize = 4;

/// Bytes that the first record must end within.
const HEAD_BYTES: u64 = 1024 * 1024;

/// Records that are looked at at a time.
const BATCH_RECORDS: usize = 1024;

/// The columns of all files.
pub(super) struct CsvSchema {
    pub(super) schema: SchemaRef,
    /// Whether the first line of each file is their names.
    pub(super) header: bool,
}

/// What was seen of a file that is not empty.
struct Sample {
    first: Vec<String>,
    /// Kinds of the first record's values.
    first_kinds: Vec<Kinds>,
    /// Kinds of all values after it.
    rest: Vec<Kinds>,
}

impl Sample {
    /// None of its values could be data of a type other than text.
    fn starts_with_header(&self) -> bool {
        let named = |kinds: &Kinds| kinds.is_empty() || *kinds == Kinds::TEXT;
        self.first_kinds.iter().all(named) && self.first.iter().any(|name| !name.is_empty())
    }
}

/// The columns of `files`. Errors: `DataCorrupt` for a file that is no CSV, `InvalidStatement` for
/// files with different columns.
pub(super) async fn infer(
    files: &Files,
    inference: &Inference,
    compression: Compression,
) -> Result<CsvSchema> {
    let samples = stream::iter(&files.found)
        .map(|found| {
            let inference = inference.clone();
            let bytes = blocking::bytes(Arc::clone(files.store()), &found.meta);
            let compression = compression.of_file(&found.path);
            async move {
                let sample = blocking::read_all(bytes, compression, move |reader| {
                    sample(reader, &inference)
                });
                sample.await.map_err(|error| unreadable(&found.path, error))
            }
        })
        // Boxed, or the compiler does not see that the futures are Send.
        .boxed()
        .buffered(FILES_AT_A_TIME)
        .try_collect::<Vec<_>>()
        .await?;
    let mut samples =
        files.found.iter().zip(samples).filter_map(|(found, sample)| Some((found, sample?)));
    let Some((first_file, first)) = samples.next() else {
        // As many columns as an empty line has.
        let schema = Arc::new(Schema::new(vec![Field::new("column0", DataType::Utf8, true)]));
        return Ok(CsvSchema { schema, header: false });
    };
    let header = inference.header.unwrap_or_else(|| first.starts_with_header());
    let mut kinds = first.rest.clone();
    let insert = |kinds: &mut Vec<Kinds>, other: &[Kinds]| {
        kinds.iter_mut().zip(other).for_each(|(kinds, other)| kinds.insert(*other));
    };
    if !header {
        insert(&mut kinds, &first.first_kinds);
    }
    for (file, sample) in samples {
        let same = match header {
            true => sample.first == first.first,
            false => sample.first.len() == first.first.len(),
        };
        if !same {
            let shown = |sample: &Sample| match header {
                true => format!("the columns {}", sample.first.join(", ")),
                false => format!("{} columns", sample.first.len()),
            };
            let (path, other) = (&first_file.path, &file.path);
            let (columns, others) = (shown(&first), shown(&sample));
            let message =
                format!("files of read_csv differ: {path} has {columns}, {other} has {others}");
            return Err(Error::new(ErrorKind::InvalidStatement, message)
                .with_hint("read files with different columns by separate calls"));
        }
        insert(&mut kinds, &sample.rest);
        if !header {
            insert(&mut kinds, &sample.first_kinds);
        }
    }
    let names = names(header.then_some(&first.first), kinds.len());
    let fields = names.into_iter().zip(kinds).map(|(name, kinds)| {
        let data_type = if inference.all_varchar { DataType::Utf8 } else { kinds.data_type() };
        Field::new(name, data_type, true)
    });
    Ok(CsvSchema { schema: Arc::new(Schema::new(fields.collect::<Vec<_>>())), header })
}

/// Reads the first records of a file. `None` if there are none.
fn sample(
    mut reader: Box<dyn Read + Send>,
    inference: &Inference,
) -> Result<Option<Sample>, DataFusionError> {
    let mut head = Vec::new();
    reader.by_ref().take(HEAD_BYTES).read_to_end(&mut head)?;
    let width = inference.dialect.width(&head)?;
    if width == 0 {
        return Ok(None);
    }
    let texts = (0..width).map(|index| Field::new(index.to_string(), DataType::Utf8, true));
    let texts = Arc::new(Schema::new(texts.collect::<Vec<_>>()));
    let records = inference
        .dialect
        .reader(texts)
        .with_batch_size(BATCH_RECORDS)
        .build(Cursor::new(head).chain(reader))?;
    let mut sample = None;
    // One more than asked for, because the first one may be a header.
    let mut wanted = inference.sample.map_or(usize::MAX, |records| records.saturating_add(1));
    for batch in records {
        let batch = batch?;
        let columns = batch.columns().iter().map(|column| column.as_string::<i32>());
        let columns = columns.collect::<Vec<_>>();
        let kinds = |column: usize, row: usize| {
            let column = columns[column];
            let text = if column.is_null(row) { "" } else { column.value(row) };
            match inference.dialect.is_null(text) {
                true => Kinds::default(),
                false => Kinds::of(text),
            }
        };
        let rows = batch.num_rows().min(wanted);
        let mut next = 0;
        let seen = sample.get_or_insert_with(|| {
            next = 1;
            Sample {
                first: columns.iter().map(|column| column.value(0).to_owned()).collect(),
                first_kinds: (0..width).map(|column| kinds(column, 0)).collect(),
                rest: vec![Kinds::default(); width],
            }
        });
        for (column, rest) in seen.rest.iter_mut().enumerate() {
            (next..rows).for_each(|row| rest.insert(kinds(column, row)));
        }
        wanted -= rows;
        if wanted == 0 {
            break;
        }
    }
    Ok(sample)
}

/// Names of the columns: those of the header, made unique with `_1`, or `column0`, with as many
/// digits as the last one has.
fn names(header: Option<&Vec<String>>, width: usize) -> Vec<String> {
    let digits = width.saturating_sub(1).to_string().len();
    let mut names = Vec::with_capacity(width);
    let mut taken = HashSet::with_capacity(width);
    for index in 0..width {
        let name = header.and_then(|header| header.get(index)).map_or("", String::as_str);
        let name = match name {
            "" => format!("column{index:0digits$}"),
            name => name.to_owned(),
        };
        let mut unique = name.clone();
        let mut copies = 0;
        while !taken.insert(unique.clone()) {
            copies += 1;
            unique = format!("{name}_{copies}");
        }
        names.push(unique);
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_there_and_unique() {
        let check = |header: &[&str], expected: &[&str]| {
            let header = header.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
            assert_eq!(names(Some(&header), header.len()), expected);
        };
        check(&["a", "b"], &["a", "b"]);
        check(&["", "a", "a", "a"], &["column0", "a", "a_1", "a_2"]);
        check(&["a_1", "a", "a"], &["a_1", "a", "a_2"]);
        assert_eq!(names(None, 11)[9..], ["column09", "column10"]);
    }
}
