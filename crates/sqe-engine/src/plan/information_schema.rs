//! `information_schema`: DataFusion's own views over a listing of all catalogs made for the
//! statement. A table that cannot be loaded is left out instead of failing the listing.

use std::sync::Arc;

use arrow::datatypes::{Schema, SchemaRef};
use async_trait::async_trait;
use datafusion::catalog::information_schema::InformationSchemaProvider;
use datafusion::catalog::{
    CatalogProvider, CatalogProviderList, MemoryCatalogProvider, MemoryCatalogProviderList,
    MemorySchemaProvider, SchemaProvider, Session, TableProvider,
};
use datafusion::common::{Result as DfResult, internal_err};
use datafusion::logical_expr::{Expr, TableType};
use datafusion::physical_plan::ExecutionPlan;
use futures::StreamExt;
use tracing::warn;

use super::Planner;
use crate::catalogs::{INFORMATION_SCHEMA, TableName};
use crate::{Error, ErrorKind, Result, TableEntry, TableKind};

/// How many tables are loaded at the same time.
const CONCURRENT_LOADS: usize = 16;

/// One view of `information_schema`. Errors: `NotFound`.
pub(super) async fn table(
    planner: &Planner<'_>,
    name: &TableName,
) -> Result<Arc<dyn TableProvider>> {
    let with_columns = matches!(name.table.as_str(), "columns" | "views");
    let listing = listing(planner, with_columns).await?;
    let provider = InformationSchemaProvider::new(Arc::new(listing));
    provider.table(&name.table).await?.ok_or_else(|| {
        Error::new(ErrorKind::NotFound, format!("table {:?} not found", name.to_string()))
    })
}

async fn listing(planner: &Planner<'_>, with_columns: bool) -> Result<MemoryCatalogProviderList> {
    let list = MemoryCatalogProviderList::new();
    for catalog in planner.catalogs().names() {
        let provider = MemoryCatalogProvider::new();
        let schemas = match planner.catalogs().schemas(&catalog).await {
            Ok(schemas) => schemas,
            Err(error) => {
                warn!(catalog, %error, "catalog is left out of information_schema");
                continue;
            }
        };
        for schema in schemas.into_iter().filter(|schema| schema != INFORMATION_SCHEMA) {
            let tables = schema_listing(planner, &catalog, &schema, with_columns).await;
            provider.register_schema(&schema, tables)?;
        }
        list.register_catalog(catalog, Arc::new(provider));
    }
    Ok(list)
}

async fn schema_listing(
    planner: &Planner<'_>,
    catalog: &str,
    schema: &str,
    with_columns: bool,
) -> Arc<MemorySchemaProvider> {
    let listed = Arc::new(MemorySchemaProvider::new());
    let entries = planner.catalogs().tables(catalog, schema).await.unwrap_or_else(|error| {
        warn!(catalog, schema, %error, "schema is left out of information_schema");
        Vec::new()
    });
    let loads = entries.into_iter().map(|entry| async move {
        let table = Listed::load(planner, catalog, schema, &entry, with_columns).await;
        (entry.name, table)
    });
    let mut loads = futures::stream::iter(loads).buffered(CONCURRENT_LOADS);
    while let Some((name, table)) = loads.next().await {
        let registered = match table {
            Ok(table) => listed.register_table(name, Arc::new(table)).map_err(Error::from),
            Err(error) => Err(error),
        };
        if let Err(error) = registered {
            warn!(catalog, schema, %error, "table is left out of information_schema");
        }
    }
    drop(loads);
    listed
}

/// A table that is only described.
#[derive(Debug)]
struct Listed {
    schema: SchemaRef,
    kind: TableType,
    definition: Option<String>,
}

impl Listed {
    async fn load(
        planner: &Planner<'_>,
        catalog: &str,
        schema: &str,
        entry: &TableEntry,
        with_columns: bool,
    ) -> Result<Self> {
        let kind = match entry.kind {
            TableKind::View => TableType::View,
            TableKind::Table | TableKind::System => TableType::Base,
        };
        if !with_columns {
            return Ok(Self { schema: Arc::new(Schema::empty()), kind, definition: None });
        }
        let name = TableName {
            catalog: catalog.to_owned(),
            schema: schema.to_owned(),
            table: entry.name.clone(),
        };
        let source = planner.load(&name).await?;
        let provider = datafusion::datasource::source_as_provider(&source)?;
        let definition = provider.get_table_definition().map(str::to_owned);
        Ok(Self { schema: source.schema(), kind, definition })
    }
}

#[async_trait]
impl TableProvider for Listed {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn table_type(&self) -> TableType {
        self.kind
    }

    fn get_table_definition(&self) -> Option<&str> {
        self.definition.as_deref()
    }

    async fn scan(
        &self,
        _: &dyn Session,
        _: Option<&Vec<usize>>,
        _: &[Expr],
        _: Option<usize>,
    ) -> DfResult<Arc<dyn ExecutionPlan>> {
        internal_err!("a listed table was scanned")
    }
}
