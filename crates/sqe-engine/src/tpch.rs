//! The `tpch` catalog: TPC-H tables of any scale, generated while they are read.

use std::sync::Arc;

use datafusion::catalog::TableProvider;

use crate::Result;

/// The name of the catalog.
pub const CATALOG: &str = "tpch";

/// The tables of each schema, sorted.
pub const TABLES: [&str; 8] =
    ["customer", "lineitem", "nation", "orders", "part", "partsupp", "region", "supplier"];

/// The schemas that listings show; any other scale works as well, such as `sf0_5` or `sf30`.
pub const SCHEMAS: [&str; 5] = ["sf0_01", "sf0_1", "sf1", "sf10", "sf100"];

/// Whether `schema` is a scale: `sf` and a number whose decimal point is an underscore.
pub fn is_schema(schema: &str) -> bool {
    let _ = schema;
    todo!()
}

/// The table of a schema. Errors: `NotFound` for a schema or a table that is not there.
pub fn table(schema: &str, table: &str) -> Result<Arc<dyn TableProvider>> {
    let _ = (schema, table);
    todo!()
}
