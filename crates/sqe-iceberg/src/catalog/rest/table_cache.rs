//! Parsed metadata of tables, shared by all users of a catalog.
//!
//! An entry is only reached with the server's word that it is the current state of a table that
//! this user may load: by its entity tag, in the answer to this user's own request.

use std::sync::Arc;

use iceberg::TableIdent;
use iceberg::spec::TableMetadataRef;
use moka::future::Cache;

/// Metadata takes about this much memory for each byte of its JSON.
const MEMORY_PER_BYTE: u64 = 2;

/// A state of a table.
#[derive(Debug)]
pub(super) struct CachedTable {
    pub(super) etag: String,
    pub(super) metadata_location: String,
    pub(super) metadata: TableMetadataRef,
    /// Length of its JSON.
    pub(super) json_bytes: u64,
}

/// A bounded cache of the last known state of each table.
pub(super) struct TableCache {
    tables: Cache<TableIdent, Arc<CachedTable>>,
}

impl TableCache {
    /// A cache that holds about `max_bytes` of metadata.
    pub(super) fn new(max_bytes: u64) -> Self {
        let tables = Cache::builder()
            .max_capacity(max_bytes)
            .weigher(|ident: &TableIdent, table: &Arc<CachedTable>| {
                let names = ident.name.len() + table.metadata_location.len() + table.etag.len();
                let fixed = (size_of::<CachedTable>() + names) as u64;
                let bytes = table.json_bytes.saturating_mul(MEMORY_PER_BYTE).saturating_add(fixed);
                u32::try_from(bytes).unwrap_or(u32::MAX)
            })
            .build();
        Self { tables }
    }

    pub(super) async fn get(&self, ident: &TableIdent) -> Option<Arc<CachedTable>> {
        self.tables.get(ident).await
    }

    pub(super) async fn put(&self, ident: &TableIdent, table: Arc<CachedTable>, catalog: &str) {
        self.tables.insert(ident.clone(), table).await;
        metrics::gauge!("sqe_catalog_table_cache_bytes", "catalog" => catalog.to_owned())
            .set(self.tables.weighted_size() as f64);
    }

    /// Counts a table whose state was known, or had to be parsed.
    pub(super) fn count(&self, hit: bool, catalog: &str) {
        let outcome = if hit { "hit" } else { "miss" };
        let labels = [("catalog", catalog.to_owned()), ("outcome", outcome.to_owned())];
        metrics::counter!("sqe_catalog_table_cache_requests_total", &labels).increment(1);
    }

    #[cfg(test)]
    pub(super) async fn size_bytes(&self) -> u64 {
        self.tables.run_pending_tasks().await;
        self.tables.weighted_size()
    }
}
