//! The stores that one user has for the files of tables, kept from one statement to the next.
//!
//! A store is used again only after the server let the user load the table once more.

use std::time::Duration;

use iceberg::TableIdent;
use moka::future::Cache;

use crate::storage::Storage;

/// Rights that were granted since the keys were made take effect after this time at most.
const REUSED_FOR: Duration = Duration::from_secs(300);

/// Tables of one user whose stores are kept.
const MAX_TABLES: u64 = 1000;

#[derive(Clone)]
struct Access {
    /// The location of the table for which the keys were made.
    location: String,
    storage: Storage,
}

/// The stores of one user.
pub(super) struct AccessCache {
    tables: Cache<TableIdent, Access>,
}

impl AccessCache {
    pub(super) fn new() -> Self {
        let builder = Cache::builder().max_capacity(MAX_TABLES).time_to_live(REUSED_FOR);
        Self { tables: builder.build() }
    }

    /// The store of a table that is at `location`.
    pub(super) async fn get(&self, ident: &TableIdent, location: &str) -> Option<Storage> {
        let access = self.tables.get(ident).await?;
        (access.location == location).then_some(access.storage)
    }

    pub(super) async fn put(&self, ident: &TableIdent, location: &str, storage: Storage) {
        let access = Access { location: location.to_owned(), storage };
        self.tables.insert(ident.clone(), access).await;
    }

    pub(super) async fn forget(&self, ident: &TableIdent) {
        self.tables.invalidate(ident).await;
    }
}
