//! How much of its files a scan reads.

use std::collections::BTreeSet;

use arrow::datatypes::DataType;
use datafusion::physical_expr::utils::collect_columns;
use datafusion_datasource::PartitionedFile;
use datafusion_datasource::file_groups::FileGroup;
use datafusion_datasource::file_scan_config::FileScanConfig;

/// Bytes of a value whose type does not tell.
const TYPICAL_BYTES: u64 = 32;

/// Values in a list or a map.
const TYPICAL_LENGTH: u64 = 4;

/// About how many bytes a scan of Parquet files reads from disk: its share of the columns in the
/// size of its files.
///
/// Columns count by what the statistics say of their size, else by their types.
pub fn task_bytes(config: &FileScanConfig) -> u64 {
    let files = config.file_groups.iter().flat_map(FileGroup::iter);
    let bytes: u64 = files.map(PartitionedFile::effective_size).sum();
    let source = &config.file_source;
    let mut read = BTreeSet::new();
    match source.projection() {
        Some(projection) => {
            let columns = projection.iter().flat_map(|projected| collect_columns(&projected.expr));
            read.extend(columns.map(|column| column.index()));
        }
        None => read.extend(0..config.file_schema().fields().len()),
    }
    let filter = source.filter();
    read.extend(filter.iter().flat_map(collect_columns).map(|column| column.index()));

    let statistics = config.statistics();
    let rows = statistics.num_rows.get_value().map(|rows| *rows as u64);
    let weight = |(index, data_type): (usize, &DataType)| {
        let known = statistics.column_statistics.get(index);
        let known = known.and_then(|column| column.byte_size.get_value());
        match (rows, known) {
            (Some(_), Some(bytes)) => (*bytes as u64).max(1),
            (Some(rows), None) => typical_bytes(data_type).saturating_mul(rows.max(1)),
            (None, _) => typical_bytes(data_type),
        }
    };
    let (mut all, mut wanted) = (0_u128, 0_u128);
    for (index, field) in config.file_schema().fields().iter().enumerate() {
        let weight = u128::from(weight((index, field.data_type())));
        all += weight;
        wanted += if read.contains(&index) { weight } else { 0 };
    }
    u64::try_from(u128::from(bytes) * wanted / all.max(1)).unwrap_or(bytes)
}

fn typical_bytes(data_type: &DataType) -> u64 {
    match data_type {
        DataType::Struct(fields) => {
            fields.iter().map(|field| typical_bytes(field.data_type())).sum()
        }
        DataType::List(field) | DataType::LargeList(field) | DataType::Map(field, _) => {
            TYPICAL_LENGTH.saturating_mul(typical_bytes(field.data_type()))
        }
        other => other.primitive_width().map_or(TYPICAL_BYTES, |width| width as u64),
    }
}
