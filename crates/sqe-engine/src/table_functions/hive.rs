//! Columns whose values are in the paths of files: `year=2024/month=05/data.parquet`.
//!
//! A column is `BIGINT` if all its values are whole numbers as they are usually written, `DATE` if
//! all are days, else a string, so that `month=05` keeps its zero. `__HIVE_DEFAULT_PARTITION__` is
//! NULL. Values are decoded from `%41` escapes, as Hive and Spark write them.

use std::sync::Arc;

use arrow::compute::kernels::cast_utils::Parser;
use arrow::datatypes::{DataType, Field, FieldRef, Int64Type};
use datafusion::scalar::ScalarValue;

use super::{
    kinds::Kinds,
    options::{Options, invalid},
    paths::{Found, percent_decoded},
};
use crate::Result;

/// How Hive writes NULL.
const NULL: &str = "__HIVE_DEFAULT_PARTITION__";

/// Columns that come from the paths of files, with their values for each file.
#[derive(Debug, Default)]
pub(super) struct PathColumns {
    pub(super) fields: Vec<FieldRef>,
    /// One list per file, as long as `fields`.
    pub(super) values: Vec<Vec<ScalarValue>>,
}

impl PathColumns {
    /// The columns that the options ask for: those of `key=value` folders and `filename`.
    ///
    /// Errors: `InvalidStatement` if `hive_partitioning` is demanded and the keys of two files
    /// differ.
    pub(super) fn of(found: &[Found], options: &Options<'_>) -> Result<Self> {
        let mut columns = match options.boolean("hive_partitioning")? {
            Some(false) => Self::none(found),
            Some(true) => Self::hive(found)?,
            // Keys that differ are no partitions but names that happen to hold `=`.
            None => Self::hive(found).unwrap_or_else(|_| Self::none(found)),
        };
        if options.boolean("filename")? == Some(true) {
            columns.fields.push(Arc::new(Field::new("filename", DataType::Utf8, false)));
            for (values, found) in columns.values.iter_mut().zip(found) {
                values.push(ScalarValue::Utf8(Some(found.path.clone())));
            }
        }
        Ok(columns)
    }

    fn none(found: &[Found]) -> Self {
        Self { fields: Vec::new(), values: vec![Vec::new(); found.len()] }
    }

    fn hive(found: &[Found]) -> Result<Self> {
        let parts = found.iter().map(|found| pairs(&found.path)).collect::<Vec<_>>();
        let keys = |pairs: &[(String, Option<String>)]| {
            pairs.iter().map(|(key, _)| key.clone()).collect::<Vec<_>>()
        };
        let Some(first) = parts.first() else { return Ok(Self::none(found)) };
        let names = keys(first);
        if let Some(index) = parts.iter().position(|other| keys(other) != names) {
            return Err(invalid(format!(
                "files are in folders of different partitions: {} has [{}], {} has [{}]",
                found[0].path,
                names.join(", "),
                found[index].path,
                keys(&parts[index]).join(", "),
            )));
        }
        let mut columns = Self::none(found);
        for (index, name) in names.into_iter().enumerate() {
            let values = parts.iter().map(|pairs| pairs[index].1.as_deref());
            let data_type = data_type(values.clone().flatten());
            for (row, value) in columns.values.iter_mut().zip(values) {
                row.push(match value {
                    Some(value) => ScalarValue::try_from_string(value.to_owned(), &data_type)?,
                    None => ScalarValue::try_from(&data_type)?,
                });
            }
            columns.fields.push(Arc::new(Field::new(name, data_type, true)));
        }
        Ok(columns)
    }
}

/// Keys and values of the folders of a path; `None` for NULL.
fn pairs(path: &str) -> Vec<(String, Option<String>)> {
    let folders = path.rsplit_once('/').map_or("", |(folders, _)| folders);
    let pairs = folders.split('/').filter_map(|folder| folder.split_once('='));
    pairs
        .filter(|(key, _)| !key.is_empty())
        .map(|(key, value)| {
            let value = (value != NULL).then(|| percent_decoded(value));
            (percent_decoded(key), value)
        })
        .collect()
}

fn data_type<'a>(mut values: impl Iterator<Item = &'a str> + Clone) -> DataType {
    let usual =
        |text: &str| Int64Type::parse(text).is_some_and(|number| number.to_string() == text);
    if values.clone().next().is_none() {
        DataType::Utf8
    } else if values.clone().all(usual) {
        DataType::Int64
    } else if values.all(|text| Kinds::of(text) == Kinds::DATE) {
        DataType::Date32
    } else {
        DataType::Utf8
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(values: &[&str], expected: DataType) {
        assert_eq!(data_type(values.iter().copied()), expected, "{values:?}");
    }

    #[test]
    fn types() {
        check(&["2024", "-7", "0"], DataType::Int64);
        check(&["01", "2"], DataType::Utf8);
        check(&["+1"], DataType::Utf8);
        check(&["99999999999999999999"], DataType::Utf8);
        check(&["2024-02-29"], DataType::Date32);
        check(&["2024-02-30"], DataType::Utf8);
        check(&["2024", "2024-01-01"], DataType::Utf8);
        check(&[""], DataType::Utf8);
        check(&[], DataType::Utf8);
    }

    #[test]
    fn keys_and_values() {
        let some = |key: &str, value: &str| (key.to_owned(), Some(value.to_owned()));
        assert_eq!(pairs("a=1/b%3D=x%2Fy/c=z=.csv"), [some("a", "1"), some("b=", "x/y")]);
        assert_eq!(pairs("/t/a=__HIVE_DEFAULT_PARTITION__/f"), [("a".to_owned(), None)]);
        assert_eq!(pairs("f=1"), []);
        assert_eq!(pairs("=1/f"), []);
    }
}
