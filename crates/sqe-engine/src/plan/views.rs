//! Views: the SQL text that the catalog holds, planned where it is named.

use std::sync::Arc;

use datafusion::catalog::TableProvider;
use datafusion::datasource::ViewTable;
use datafusion::logical_expr::{LogicalPlanBuilder, col, ident};
use sqe_iceberg::ViewMetadata;

use super::{CYCLE, Planner};
use crate::catalogs::TableName;
use crate::{Error, ErrorKind, Result, parse};

/// The dialect under which views are stored.
pub(crate) const DIALECT: &str = "sqe";

/// The text of a view. Errors: `Unsupported` where it has none in our dialect.
pub(crate) fn text<'a>(name: &TableName, view: &'a ViewMetadata) -> Result<&'a str> {
    use sqe_iceberg::spec::ViewRepresentation::Sql;
    let mut representations = view.current_version().representations().iter();
    let ours = representations.find_map(|representation| match representation {
        Sql(sql) if sql.dialect.eq_ignore_ascii_case(DIALECT) => Some(sql.sql.as_str()),
        Sql(_) => None,
    });
    ours.ok_or_else(|| {
        let message = format!("view {:?} has no text in the dialect {DIALECT:?}", name.to_string());
        Error::new(ErrorKind::Unsupported, message)
    })
}

/// The view as a table of the statement that names it.
pub(super) async fn table(
    planner: &Planner<'_>,
    name: &TableName,
    view: &ViewMetadata,
) -> Result<Arc<dyn TableProvider>> {
    let text = text(name, view)?;
    let version = view.current_version();
    let mut state = planner.state.clone();
    let defaults = &mut state.config_mut().options_mut().catalog;
    defaults.default_catalog =
        version.default_catalog().cloned().unwrap_or_else(|| name.catalog.clone());
    defaults.default_schema = version.default_namespace().as_ref().join(".");
    let inside = planner.inside_view(name, &state)?;
    // A place in the text of the view would be taken for one in the statement.
    let without_place = |error: Error| {
        let message = match error.message.starts_with(CYCLE) {
            true => error.message,
            false => format!("view {:?}: {}", name.to_string(), error.message),
        };
        Error { message, location: None, ..error }
    };
    let query = parse::parse_query(text).map_err(without_place)?;
    let plan = Box::pin(inside.plan(query)).await.map_err(without_place)?;
    let columns = view.current_schema().as_struct().fields();
    if columns.len() != plan.schema().fields().len() {
        return Err(Error::new(
            ErrorKind::InvalidStatement,
            format!(
                "view {:?} was created with {} columns, its query now has {}",
                name.to_string(),
                columns.len(),
                plan.schema().fields().len()
            ),
        ));
    }
    let renamed = plan.schema().columns().into_iter().zip(columns).map(|(column, field)| {
        let column = match column.relation {
            Some(_) => col(column),
            None => ident(column.name),
        };
        column.alias(&field.name)
    });
    let renamed: Vec<_> = renamed.collect();
    let plan = LogicalPlanBuilder::from(plan).project(renamed)?.build()?;
    Ok(Arc::new(ViewTable::new(plan, Some(text.to_owned()))))
}
