//! `read_parquet`, `read_csv` and `read_json` as table functions.

use std::sync::Arc;

use datafusion::catalog::TableProvider;
use datafusion::execution::SessionState;
use datafusion::scalar::ScalarValue;

use crate::Result;

/// The functions of this module, in lower case.
pub const NAMES: [&str; 3] = ["read_csv", "read_json", "read_parquet"];

/// Which files table functions may read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FileAccess {
    /// Files of this machine.
    pub allow_local_paths: bool,
    /// Object-store prefixes.
    pub allowed_prefixes: Vec<String>,
}

/// A call in a FROM clause; its arguments are constants.
#[derive(Debug, Clone)]
pub struct Call {
    /// One of [`NAMES`].
    pub function: String,
    /// Arguments without a name, in their order; a list of paths is one `List` value.
    pub positional: Vec<ScalarValue>,
    /// Arguments given as `name => value` or `name = value`, names in lower case.
    pub named: Vec<(String, ScalarValue)>,
}

/// The table that a call stands for: lists its files, infers its schema.
///
/// Errors: `PermissionDenied` for a path that `access` does not cover, `NotFound` where no file
/// matches, `InvalidStatement` for an unknown option (with the nearest name) or a bad value.
pub async fn open(
    call: Call,
    state: &SessionState,
    access: &FileAccess,
) -> Result<Arc<dyn TableProvider>> {
    let _ = (call, state, access);
    todo!()
}
