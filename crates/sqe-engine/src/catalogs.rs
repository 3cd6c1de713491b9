//! Every table a statement can name: the Iceberg catalogs, the catalogs `tpch` and `system`, and in
//! each catalog the schema `information_schema`.

use std::collections::BTreeMap;
use std::sync::Arc;

use datafusion::catalog::TableProvider;
use sqe_iceberg::cache::ManifestCache;
use sqe_iceberg::catalog::Catalog;
use sqe_iceberg::provider::IcebergTable;
use sqe_iceberg::{NamespaceIdent, TableIdent, ViewMetadata};

use crate::suggest::hint_nearest;
use crate::{Error, ErrorKind, Result, TableEntry, TableKind, runtime, tpch};

/// The schema that describes the others.
pub(crate) const INFORMATION_SCHEMA: &str = "information_schema";

/// A name with all its parts.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct TableName {
    pub(crate) catalog: String,
    pub(crate) schema: String,
    pub(crate) table: String,
}

impl std::fmt::Display for TableName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{}.{}", self.catalog, self.schema, self.table)
    }
}

impl TableName {
    /// The name inside its Iceberg catalog.
    pub(crate) fn ident(&self) -> Result<TableIdent> {
        Ok(TableIdent::new(namespace(&self.schema)?, self.table.clone()))
    }
}

/// What a name stands for.
pub(crate) enum Relation {
    Table(Arc<dyn TableProvider>),
    View(ViewMetadata),
}

/// The catalogs of an engine as one user sees them.
#[derive(Debug)]
pub(crate) struct Catalogs {
    iceberg: BTreeMap<String, Arc<dyn Catalog>>,
    manifests: ManifestCache,
}

impl Catalogs {
    pub(crate) fn new(
        iceberg: BTreeMap<String, Arc<dyn Catalog>>,
        manifests: ManifestCache,
    ) -> Self {
        Self { iceberg, manifests }
    }

    /// The names of all catalogs, sorted.
    pub(crate) fn names(&self) -> Vec<String> {
        let mut names: Vec<String> = self.iceberg.keys().cloned().collect();
        names.extend([tpch::CATALOG, runtime::CATALOG].map(str::to_owned));
        names.sort();
        names
    }

    /// The Iceberg catalog of a name. Errors: `NotFound`; `Unsupported` for one that cannot be
    /// written to.
    pub(crate) fn writable(&self, catalog: &str) -> Result<&Arc<dyn Catalog>> {
        match catalog {
            tpch::CATALOG | runtime::CATALOG => {
                let message = format!("the catalog {catalog:?} is read-only");
                Err(Error::new(ErrorKind::Unsupported, message))
            }
            _ => self.get(catalog),
        }
    }

    fn get(&self, catalog: &str) -> Result<&Arc<dyn Catalog>> {
        self.iceberg.get(catalog).ok_or_else(|| {
            let error = Error::new(ErrorKind::NotFound, format!("catalog {catalog:?} not found"));
            hint_nearest(error, catalog, self.names().iter().map(String::as_str))
        })
    }

    /// The names of the schemas of a catalog, sorted.
    pub(crate) async fn schemas(&self, catalog: &str) -> Result<Vec<String>> {
        let mut names: Vec<String> = match catalog {
            tpch::CATALOG => tpch::SCHEMAS.map(str::to_owned).to_vec(),
            runtime::CATALOG => vec![runtime::SCHEMA.to_owned()],
            _ => {
                let namespaces = self.get(catalog)?.list_namespaces().await?;
                namespaces.iter().map(schema_name).collect()
            }
        };
        names.push(INFORMATION_SCHEMA.to_owned());
        names.sort();
        Ok(names)
    }

    /// Whether a catalog has a schema. One that the user may not look at may be there: what is done
    /// with it tells.
    pub(crate) async fn has_schema(&self, catalog: &str, schema: &str) -> Result<bool> {
        if schema == INFORMATION_SCHEMA {
            return Ok(true);
        }
        if catalog == tpch::CATALOG {
            return Ok(tpch::is_schema(schema));
        }
        if catalog == runtime::CATALOG {
            return Ok(schema == runtime::SCHEMA);
        }
        match self.get(catalog)?.namespace_properties(&namespace(schema)?).await {
            Ok(_) => Ok(true),
            Err(error) if error.kind() == sqe_iceberg::ErrorKind::NotFound => Ok(false),
            // Whoever may use its tables need not be allowed to read its properties.
            Err(error) if error.kind() == sqe_iceberg::ErrorKind::Forbidden => Ok(true),
            Err(error) => Err(error.into()),
        }
    }

    /// `NotFound` for a schema, with the nearest name.
    pub(crate) async fn schema_not_found(&self, catalog: &str, schema: &str) -> Error {
        let message = format!("schema {:?} not found", format!("{catalog}.{schema}"));
        let error = Error::new(ErrorKind::NotFound, message);
        match self.schemas(catalog).await {
            Ok(names) => hint_nearest(error, schema, names.iter().map(String::as_str)),
            Err(_) => error,
        }
    }

    /// The tables and views of a schema, sorted.
    pub(crate) async fn tables(&self, catalog: &str, schema: &str) -> Result<Vec<TableEntry>> {
        let entry = |kind| move |name: String| TableEntry { name, kind };
        if schema == INFORMATION_SCHEMA {
            let names = datafusion::catalog::information_schema::INFORMATION_SCHEMA_TABLES;
            let mut names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
            names.sort();
            return Ok(names.into_iter().map(entry(TableKind::System)).collect());
        }
        if catalog == tpch::CATALOG {
            return match tpch::is_schema(schema) {
                true => {
                    let names = tpch::TABLES.map(str::to_owned).into_iter();
                    Ok(names.map(entry(TableKind::Table)).collect())
                }
                false => Err(self.schema_not_found(catalog, schema).await),
            };
        }
        if catalog == runtime::CATALOG {
            return match schema == runtime::SCHEMA {
                true => {
                    let names = runtime::TABLES.map(str::to_owned).into_iter();
                    Ok(names.map(entry(TableKind::System)).collect())
                }
                false => Err(self.schema_not_found(catalog, schema).await),
            };
        }
        let iceberg = self.get(catalog)?;
        let namespace = namespace(schema)?;
        let listed = tokio::join!(iceberg.list_tables(&namespace), iceberg.list_views(&namespace));
        let (tables, views) = match both_or_allowed(listed) {
            Err(error) if error.kind() == sqe_iceberg::ErrorKind::NotFound => {
                return Err(self.schema_not_found(catalog, schema).await);
            }
            other => other?,
        };
        let tables = tables.into_iter().map(entry(TableKind::Table));
        let mut entries: Vec<_> =
            tables.chain(views.into_iter().map(entry(TableKind::View))).collect();
        entries.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(entries)
    }

    /// Loads a table or a view; `information_schema` is not one of its schemas, nor `system` one of
    /// its catalogs.
    /// Errors: `NotFound` with the nearest name, and whatever is wrong with the table.
    pub(crate) async fn load(&self, name: &TableName) -> Result<Relation> {
        if name.catalog == tpch::CATALOG {
            return tpch::table(&name.schema, &name.table).map(Relation::Table);
        }
        let catalog = self.get(&name.catalog)?;
        let ident = name.ident()?;
        match catalog.load_table(&ident).await {
            Ok(table) => {
                let provider = IcebergTable::try_new(table, self.manifests.clone())?;
                return Ok(Relation::Table(Arc::new(provider)));
            }
            Err(error) if error.kind() != sqe_iceberg::ErrorKind::NotFound => {
                return Err(error.into());
            }
            Err(_) => {}
        }
        match catalog.load_view(&ident).await {
            Ok(view) => Ok(Relation::View(view)),
            Err(error) if error.kind() == sqe_iceberg::ErrorKind::NotFound => {
                Err(self.not_found(name).await)
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Whether a table or view has a name already, as far as the user may know.
    pub(crate) async fn is_taken(&self, name: &TableName) -> Result<bool> {
        use sqe_iceberg::ErrorKind::{Forbidden, NotFound};
        let (catalog, ident) = (self.get(&name.catalog)?, name.ident()?);
        let is_table = match catalog.table_exists(&ident).await {
            Err(error) if error.kind() == Forbidden => false,
            other => other?,
        };
        if is_table {
            return Ok(true);
        }
        match catalog.load_view(&ident).await {
            Ok(_) => Ok(true),
            Err(error) if matches!(error.kind(), NotFound | Forbidden) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    async fn not_found(&self, name: &TableName) -> Error {
        let message = format!("table {:?} not found", name.to_string());
        let error = Error::new(ErrorKind::NotFound, message);
        match self.tables(&name.catalog, &name.schema).await {
            Ok(entries) => {
                hint_nearest(error, &name.table, entries.iter().map(|entry| entry.name.as_str()))
            }
            // A schema that is not there.
            Err(nearer) if nearer.kind == ErrorKind::NotFound => nearer,
            Err(_) => error,
        }
    }
}

/// Two listings, of which one that is not for the user is empty, but not both.
fn both_or_allowed(
    listed: (sqe_iceberg::Result<Vec<String>>, sqe_iceberg::Result<Vec<String>>),
) -> sqe_iceberg::Result<(Vec<String>, Vec<String>)> {
    let is_forbidden =
        |error: &sqe_iceberg::Error| error.kind() == sqe_iceberg::ErrorKind::Forbidden;
    match listed {
        (Ok(tables), Err(error)) if is_forbidden(&error) => Ok((tables, Vec::new())),
        (Err(error), Ok(views)) if is_forbidden(&error) => Ok((Vec::new(), views)),
        (tables, views) => Ok((tables?, views?)),
    }
}

/// The namespace of a schema; levels are separated by dots.
pub(crate) fn namespace(schema: &str) -> Result<NamespaceIdent> {
    let levels = schema.split('.').map(str::to_owned).collect();
    NamespaceIdent::from_vec(levels).map_err(|_| {
        Error::new(ErrorKind::InvalidStatement, format!("{schema:?} is not a schema name"))
    })
}

fn schema_name(namespace: &NamespaceIdent) -> String {
    namespace.as_ref().join(".")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_listing_may_be_forbidden() {
        type Listed = sqe_iceberg::Result<Vec<String>>;
        let names = || -> Listed { Ok(vec!["a".to_owned()]) };
        let failed = |kind| -> Listed { Err(sqe_iceberg::Error::new(kind, "x")) };
        let check = |tables: Listed, views: Listed, expected: Result<(usize, usize), ErrorKind>| {
            let listed = both_or_allowed((tables, views));
            let listed = listed.map(|(tables, views)| (tables.len(), views.len()));
            assert_eq!(listed.map_err(|error| Error::from(error).kind), expected);
        };
        use sqe_iceberg::ErrorKind::{Forbidden, Unavailable};
        check(names(), names(), Ok((1, 1)));
        check(names(), failed(Forbidden), Ok((1, 0)));
        check(failed(Forbidden), names(), Ok((0, 1)));
        check(failed(Forbidden), failed(Forbidden), Err(ErrorKind::PermissionDenied));
        check(names(), failed(Unavailable), Err(ErrorKind::Unavailable));
    }
}
