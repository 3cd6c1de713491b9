//! From the configuration of a catalog to the catalog as one user sees it.

use std::fmt;
use std::sync::Arc;

use super::Catalog;
use crate::token::TokenSource;

/// A configured catalog, which opens for one user at a time.
pub trait CatalogSource: fmt::Debug + Send + Sync {
    /// The catalog with the authority of the user whose tokens these are. Asks nobody anything.
    fn open(&self, tokens: Arc<dyn TokenSource>) -> Arc<dyn Catalog>;
}

/// A catalog that knows no users: everybody sees the same.
#[derive(Debug, Clone)]
pub struct SharedCatalog(pub Arc<dyn Catalog>);

impl CatalogSource for SharedCatalog {
    fn open(&self, _tokens: Arc<dyn TokenSource>) -> Arc<dyn Catalog> {
        Arc::clone(&self.0)
    }
}
