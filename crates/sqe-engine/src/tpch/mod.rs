//! The `tpch` catalog: TPC-H tables of any scale, generated while they are read.
//!
//! The rows are those of the `tpchgen` crate, which are those of the reference `dbgen`; names and
//! types of the columns are those of the Parquet files that `tpchgen-cli` writes. Nothing is
//! stored: each partition of a scan generates its own share of the rows, so a scale may be larger
//! than memory and disk. The first scan that reads a comment column builds the text that comments are
//! cut from, 300 MiB that stay for the life of the process.

mod codec;
mod column;
mod exec;
mod provider;
mod rows;
mod table;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use datafusion::catalog::TableProvider;

use self::{provider::TpchProvider, table::Table};
use crate::{Error, ErrorKind, Result};

pub(crate) use self::codec::TpchMessage;
pub use self::exec::TpchExec;

/// The name of the catalog.
pub const CATALOG: &str = "tpch";

/// The tables of each schema, sorted.
pub const TABLES: [&str; 8] =
    ["customer", "lineitem", "nation", "orders", "part", "partsupp", "region", "supplier"];

/// The schemas that listings show; any other scale works as well, such as `sf0_5` or `sf30`.
pub const SCHEMAS: [&str; 5] = ["sf0_01", "sf0_1", "sf1", "sf10", "sf100"];

/// The scales that the generator can do: with less than ten suppliers, keys have nothing to point
/// to, and TPC-H itself ends at 100,000.
const SCALES: std::ops::RangeInclusive<f64> = 0.001..=100_000.0;

/// Whether `schema` is a scale: `sf` and a number whose decimal point is an underscore.
pub fn is_schema(schema: &str) -> bool {
    scale(schema).is_some()
}

/// The table of a schema. Errors: `NotFound` for a schema or a table that is not there.
pub fn table(schema: &str, table: &str) -> Result<Arc<dyn TableProvider>> {
    let scale = scale(schema).ok_or_else(|| {
        Error::new(ErrorKind::NotFound, format!("schema {CATALOG}.{schema} not found"))
            .with_hint("schemas are scales from sf0_001 to sf100000, such as sf0_1, sf1 or sf10")
    })?;
    let table = Table::from_name(table).ok_or_else(|| {
        Error::new(ErrorKind::NotFound, format!("table {CATALOG}.{schema}.{table} not found"))
            .with_hint(format!("the tables are {}", TABLES.join(", ")))
    })?;
    Ok(Arc::new(TpchProvider::new(table, scale)))
}

/// The scale that a schema's name stands for.
fn scale(schema: &str) -> Option<f64> {
    let number = schema.strip_prefix("sf")?;
    let (whole, fraction) = number.split_once('_').unwrap_or((number, "0"));
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    let leading_zero = whole.len() > 1 && whole.starts_with('0');
    if !digits(whole) || !digits(fraction) || leading_zero {
        return None;
    }
    format!("{whole}.{fraction}").parse().ok().filter(|scale| SCALES.contains(scale))
}
