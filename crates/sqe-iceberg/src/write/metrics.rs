//! What a data file says about its columns: sizes, counts and bounds, from the statistics that
//! Parquet keeps of its row groups.
//!
//! NaN values are not in those statistics and are counted while rows are written; see `nan.rs`.

use std::cmp::Ordering;
use std::collections::HashMap;

use iceberg::spec::{DataFileBuilder, Datum, NestedFieldRef, PrimitiveType, Schema, Type};
use parquet::basic::Type as PhysicalType;
use parquet::file::metadata::{ColumnChunkMetaData, ParquetMetaData};

use super::bounds::{lower_bound, upper_bound};
use super::options::{Properties, invalid};
use crate::Result;

const DEFAULT_MODE: &str = "write.metadata.metrics.default";
const MODE_OF_COLUMN: &str = "write.metadata.metrics.column.";
const MAX_INFERRED: &str = "write.metadata.metrics.max-inferred-column-defaults";
/// Manifests of tables with more columns would be larger than what their statistics save.
const DEFAULT_MAX_INFERRED: usize = 100;

/// What is recorded of a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum MetricsMode {
    /// Its size.
    None,
    /// Also the counts of values, nulls and NaNs.
    Counts,
    /// Also bounds; of strings the first characters, of binaries the first bytes.
    Truncate(usize),
    /// Also whole bounds.
    Full,
}

/// A column without children.
#[derive(Debug, Clone)]
pub(super) struct Leaf {
    pub(super) id: i32,
    pub(super) data_type: PrimitiveType,
    /// Inside a list or a map, where bounds would mean nothing.
    pub(super) repeated: bool,
    pub(super) mode: MetricsMode,
}

/// The leaves of `schema` in the order of their Parquet columns.
/// Errors: `InvalidArgument` for a property with a mode that does not exist.
pub(super) fn leaves(schema: &Schema, properties: &HashMap<String, String>) -> Result<Vec<Leaf>> {
    let properties = Properties(properties);
    let mut leaves = Vec::new();
    for field in schema.as_struct().fields() {
        collect_leaves(field, false, &mut leaves);
    }
    let default = properties.get(DEFAULT_MODE).map(|mode| parse_mode(DEFAULT_MODE, mode));
    let default = default.transpose()?;
    let inferred = properties.parse(MAX_INFERRED)?.unwrap_or(DEFAULT_MAX_INFERRED);
    for (index, leaf) in leaves.iter_mut().enumerate() {
        let name = schema.name_by_field_id(leaf.id).unwrap_or_default();
        let key = format!("{MODE_OF_COLUMN}{name}");
        leaf.mode = match (properties.get(&key), default) {
            (Some(mode), _) => parse_mode(&key, mode)?,
            (None, Some(mode)) => mode,
            (None, None) if index < inferred => MetricsMode::Truncate(16),
            (None, None) => MetricsMode::None,
        };
    }
    Ok(leaves)
}

fn collect_leaves(field: &NestedFieldRef, repeated: bool, leaves: &mut Vec<Leaf>) {
    match field.field_type.as_ref() {
        Type::Primitive(data_type) => leaves.push(Leaf {
            id: field.id,
            data_type: data_type.clone(),
            repeated,
            mode: MetricsMode::None,
        }),
        Type::Struct(fields) => {
            fields.fields().iter().for_each(|field| collect_leaves(field, repeated, leaves));
        }
        Type::List(list) => collect_leaves(&list.element_field, true, leaves),
        Type::Map(map) => {
            collect_leaves(&map.key_field, true, leaves);
            collect_leaves(&map.value_field, true, leaves);
        }
    }
}

fn parse_mode(key: &str, mode: &str) -> Result<MetricsMode> {
    let lower = mode.trim().to_ascii_lowercase();
    let length = lower.strip_prefix("truncate(").and_then(|rest| rest.strip_suffix(')'));
    match (lower.as_str(), length.and_then(|length| length.parse().ok())) {
        ("none", _) => Ok(MetricsMode::None),
        ("counts", _) => Ok(MetricsMode::Counts),
        ("full", _) => Ok(MetricsMode::Full),
        (_, Some(length)) if length > 0 => Ok(MetricsMode::Truncate(length)),
        _ => Err(invalid(key, mode)),
    }
}

/// Puts the metrics of a finished Parquet file into `file`. `nans`: by field id, of the columns
/// whose NaN values were counted.
pub(super) fn describe(
    file: &mut DataFileBuilder,
    leaves: &[Leaf],
    parquet: &ParquetMetaData,
    nans: &HashMap<i32, u64>,
) -> Result<()> {
    let mut sizes = HashMap::new();
    let (mut values, mut nulls, mut nan_values) = (HashMap::new(), HashMap::new(), HashMap::new());
    let (mut lower_bounds, mut upper_bounds) = (HashMap::new(), HashMap::new());
    for (index, leaf) in leaves.iter().enumerate() {
        let chunks: Vec<_> = parquet.row_groups().iter().map(|group| group.column(index)).collect();
        sizes.insert(leaf.id, sum(&chunks, |chunk| Some(chunk.compressed_size() as u64)));
        if leaf.mode == MetricsMode::None {
            continue;
        }
        values.insert(leaf.id, sum(&chunks, |chunk| Some(chunk.num_values() as u64)));
        nulls.insert(leaf.id, sum(&chunks, null_count));
        nan_values.insert(leaf.id, nans.get(&leaf.id).copied());
        if leaf.mode == MetricsMode::Counts || leaf.repeated {
            continue;
        }
        let (lower, upper) = range(leaf, &chunks)?;
        lower_bounds.insert(leaf.id, lower.map(|lower| lower_bound(lower, leaf.mode)));
        upper_bounds.insert(leaf.id, upper.and_then(|upper| upper_bound(upper, leaf.mode)));
    }
    let groups = parquet.row_groups().iter();
    file.record_count(groups.clone().map(|group| group.num_rows() as u64).sum())
        .column_sizes(known(sizes))
        .value_counts(known(values))
        .null_value_counts(known(nulls))
        .nan_value_counts(known(nan_values))
        .lower_bounds(known(lower_bounds))
        .upper_bounds(known(upper_bounds))
        .split_offsets(Some(groups.map(|group| group.column(0).byte_range().0 as i64).collect()));
    Ok(())
}

fn known<T>(values: HashMap<i32, Option<T>>) -> HashMap<i32, T> {
    values.into_iter().filter_map(|(id, value)| Some((id, value?))).collect()
}

fn sum(
    chunks: &[&ColumnChunkMetaData],
    of: impl Fn(&ColumnChunkMetaData) -> Option<u64>,
) -> Option<u64> {
    chunks.iter().map(|chunk| of(chunk)).sum()
}

fn null_count(chunk: &ColumnChunkMetaData) -> Option<u64> {
    chunk.statistics()?.null_count_opt()
}

/// The least and the greatest value of all row groups. `None` where a row group does not say, or
/// where there is no value but nulls and NaNs.
fn range(leaf: &Leaf, chunks: &[&ColumnChunkMetaData]) -> Result<(Option<Datum>, Option<Datum>)> {
    let (mut least, mut greatest): (Option<Datum>, Option<Datum>) = (None, None);
    for chunk in chunks {
        let statistics = chunk.statistics();
        let min = statistics.and_then(|statistics| statistics.min_bytes_opt());
        let max = statistics.and_then(|statistics| statistics.max_bytes_opt());
        let (Some(min), Some(max)) = (min, max) else {
            let only_nulls = null_count(chunk) == Some(chunk.num_values() as u64);
            // Floats without a range are all NaN, which bounds do not cover.
            let only_nans = matches!(leaf.data_type, PrimitiveType::Float | PrimitiveType::Double);
            if only_nulls || only_nans && statistics.is_some() {
                continue;
            }
            return Ok((None, None));
        };
        let min = datum(leaf, chunk.column_type(), min)?;
        let max = datum(leaf, chunk.column_type(), max)?;
        if least.as_ref().is_none_or(|least| min.partial_cmp(least) == Some(Ordering::Less)) {
            least = Some(min);
        }
        if greatest.as_ref().is_none_or(|most| max.partial_cmp(most) == Some(Ordering::Greater)) {
            greatest = Some(max);
        }
    }
    Ok((least, greatest))
}

/// Parquet and Iceberg write single values alike, except for decimals in integers.
fn datum(leaf: &Leaf, physical: PhysicalType, bytes: &[u8]) -> Result<Datum> {
    let integer = matches!(physical, PhysicalType::INT32 | PhysicalType::INT64);
    if integer && matches!(leaf.data_type, PrimitiveType::Decimal { .. }) {
        let big_endian: Vec<u8> = bytes.iter().rev().copied().collect();
        return Ok(Datum::try_from_bytes(&big_endian, leaf.data_type.clone())?);
    }
    Ok(Datum::try_from_bytes(bytes, leaf.data_type.clone())?)
}
