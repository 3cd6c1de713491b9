//! The table properties that say how files are written.

use std::collections::HashMap;
use std::str::FromStr;

use iceberg::spec::TableMetadata;
use parquet::basic::{BrotliLevel, Compression, GzipLevel, ZstdLevel};
use parquet::file::properties::{EnabledStatistics, WriterProperties};

use super::metrics::{Leaf, MetricsMode, leaves};
use crate::{Error, Result};

const DEFAULT_TARGET_FILE_BYTES: u64 = 512 << 20;
const DEFAULT_ROW_GROUP_BYTES: usize = 128 << 20;
/// Narrow tables reach this before their bytes; readers split work at row groups.
const MAX_ROW_GROUP_ROWS: usize = 1 << 20;
const DEFAULT_ZSTD_LEVEL: i32 = 3;

/// How the files of one table are written.
#[derive(Debug)]
pub(super) struct WriteOptions {
    /// A file is closed when its encoded size reaches this.
    pub(super) target_file_bytes: u64,
    /// Location of the data files, without a final slash.
    pub(super) data_location: String,
    /// The leaf columns in the order of the Parquet file, with what is recorded of each.
    pub(super) leaves: Vec<Leaf>,
    /// How Parquet is encoded.
    pub(super) parquet: WriterProperties,
}

impl WriteOptions {
    /// Errors: `InvalidArgument` for a property that cannot be understood, `Unsupported` for a
    /// format that is not built.
    pub(super) fn of(metadata: &TableMetadata) -> Result<Self> {
        let properties = Properties(metadata.properties());
        if let Some(format) = properties.get("write.format.default")
            && !format.eq_ignore_ascii_case("parquet")
        {
            return Err(Error::unsupported(format!(
                "table property write.format.default={format}"
            )));
        }
        let location = metadata.location().trim_end_matches('/');
        let data_location = properties
            .get("write.data.path")
            .map(|path| path.trim_end_matches('/').to_owned())
            .unwrap_or_else(|| format!("{location}/data"));
        let leaves = leaves(metadata.current_schema(), metadata.properties())?;
        let target = properties.parse("write.target-file-size-bytes")?;
        Ok(Self {
            target_file_bytes: target.unwrap_or(DEFAULT_TARGET_FILE_BYTES).max(1),
            data_location,
            parquet: properties.parquet(&leaves)?,
            leaves,
        })
    }
}

/// Table properties by name.
pub(super) struct Properties<'a>(pub(super) &'a HashMap<String, String>);

impl Properties<'_> {
    pub(super) fn get(&self, key: &str) -> Option<&str> {
        self.0.get(key).map(String::as_str)
    }

    pub(super) fn parse<T: FromStr>(&self, key: &str) -> Result<Option<T>> {
        self.get(key).map(|value| value.parse().map_err(|_| invalid(key, value))).transpose()
    }

    fn parquet(&self, leaves: &[Leaf]) -> Result<WriterProperties> {
        let row_group_bytes = self
            .parse("write.parquet.row-group-size-bytes")?
            .unwrap_or(DEFAULT_ROW_GROUP_BYTES)
            .max(1);
        // Statistics must be long enough for the bounds that are made of them: a character has up
        // to four bytes.
        let statistics_bytes = leaves.iter().try_fold(64, |longest, leaf| match leaf.mode {
            MetricsMode::Full => None,
            MetricsMode::Truncate(length) => Some(longest.max(length.saturating_mul(4))),
            MetricsMode::None | MetricsMode::Counts => Some(longest),
        });
        Ok(WriterProperties::builder()
            .set_created_by(concat!("sqe version ", env!("CARGO_PKG_VERSION")).to_owned())
            .set_compression(self.compression()?)
            .set_max_row_group_bytes(Some(row_group_bytes))
            .set_max_row_group_row_count(Some(MAX_ROW_GROUP_ROWS))
            .set_statistics_enabled(EnabledStatistics::Page)
            .set_statistics_truncate_length(statistics_bytes)
            .build())
    }

    fn compression(&self) -> Result<Compression> {
        const CODEC: &str = "write.parquet.compression-codec";
        const LEVEL: &str = "write.parquet.compression-level";
        let level: Option<i32> = self.parse(LEVEL)?;
        let out_of_range = |_| invalid(LEVEL, &level.unwrap_or_default().to_string());
        let unsigned = || level.map(|l| u32::try_from(l).unwrap_or(u32::MAX));
        let codec = self.get(CODEC).unwrap_or("zstd");
        Ok(match codec.to_ascii_lowercase().as_str() {
            "zstd" => {
                let level = level.unwrap_or(DEFAULT_ZSTD_LEVEL);
                Compression::ZSTD(ZstdLevel::try_new(level).map_err(out_of_range)?)
            }
            "gzip" => Compression::GZIP(match unsigned() {
                Some(level) => GzipLevel::try_new(level).map_err(out_of_range)?,
                None => GzipLevel::default(),
            }),
            "brotli" => Compression::BROTLI(match unsigned() {
                Some(level) => BrotliLevel::try_new(level).map_err(out_of_range)?,
                None => BrotliLevel::default(),
            }),
            "snappy" => Compression::SNAPPY,
            "lz4" | "lz4_raw" => Compression::LZ4_RAW,
            "uncompressed" | "none" => Compression::UNCOMPRESSED,
            _ => return Err(invalid(CODEC, codec)),
        })
    }
}

/// The error of a table property whose value cannot be used.
pub(super) fn invalid(key: &str, value: &str) -> Error {
    Error::invalid(format!("table property {key} has the value {value:?}, which cannot be used"))
}
