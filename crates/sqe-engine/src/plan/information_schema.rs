//! `information_schema`: DataFusion's own views over a listing of all catalogs made for the
//! statement with the rights of the user. What cannot be listed or loaded is left out instead of
//! failing the rest.

use std::fmt;
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
use futures::{StreamExt, stream};
use tracing::{debug, warn};

use super::Planner;
use crate::catalogs::{INFORMATION_SCHEMA, TableName};
use crate::{Error, ErrorKind, Result, TableEntry, TableKind};

/// How many catalogs, schemas and tables are asked for at the same time.
const CONCURRENT: usize = 16;

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
    let mut schemas = Vec::new();
    for (catalog, names) in schemas_of_all(planner).await {
        let provider = Arc::new(MemoryCatalogProvider::new());
        list.register_catalog(catalog.clone(), Arc::clone(&provider) as _);
        for schema in names.into_iter().filter(|schema| schema != INFORMATION_SCHEMA) {
            let tables = Arc::new(MemorySchemaProvider::new());
            provider.register_schema(&schema, Arc::clone(&tables) as _)?;
            schemas.push(Place { catalog: catalog.clone(), schema, tables });
        }
    }
    let entries = stream::iter(schemas).map(|place| async move {
        let entries = planner.catalogs().tables(&place.catalog, &place.schema).await;
        let entries = entries.unwrap_or_else(|error| left_out(&place.to_string(), &error));
        entries.into_iter().map(|entry| (place.clone(), entry)).collect::<Vec<_>>()
    });
    let entries: Vec<_> = entries.buffer_unordered(CONCURRENT).collect().await;
    let loads = stream::iter(entries.into_iter().flatten()).map(|(place, entry)| async move {
        let table = Listed::load(planner, &place, &entry, with_columns).await;
        let registered = table.and_then(|table| {
            Ok(place.tables.register_table(entry.name.clone(), Arc::new(table))?)
        });
        if let Err(error) = registered {
            left_out::<()>(&format!("{place}.{}", entry.name), &error);
        }
    });
    loads.buffer_unordered(CONCURRENT).collect::<()>().await;
    Ok(list)
}

async fn schemas_of_all(planner: &Planner<'_>) -> Vec<(String, Vec<String>)> {
    let catalogs = stream::iter(planner.catalogs().names()).map(|catalog| async move {
        let schemas = planner.catalogs().schemas(&catalog).await;
        let schemas = schemas.unwrap_or_else(|error| left_out(&catalog, &error));
        (catalog, schemas)
    });
    catalogs.buffer_unordered(CONCURRENT).collect().await
}

/// A schema, and the list of its tables.
#[derive(Clone)]
struct Place {
    catalog: String,
    schema: String,
    tables: Arc<MemorySchemaProvider>,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.catalog, self.schema)
    }
}

/// Nothing, for what cannot be listed. That something is not for a user is how it should be.
fn left_out<T>(what: &str, error: &Error) -> Vec<T> {
    match error.kind {
        ErrorKind::PermissionDenied => debug!(what, %error, "left out of information_schema"),
        _ => warn!(what, %error, "left out of information_schema"),
    }
    Vec::new()
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
        place: &Place,
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
            catalog: place.catalog.clone(),
            schema: place.schema.clone(),
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
