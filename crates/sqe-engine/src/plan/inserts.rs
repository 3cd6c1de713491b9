//! INSERT: what the planner does not say or do about the columns of its target.

use std::collections::HashMap;
use std::ops::ControlFlow;
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema};
use datafusion::common::DFSchema;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::error::Result as DfResult;
use datafusion::execution::SessionState;
use datafusion::logical_expr::{
    Cast, Expr, ExprSchemable, LogicalPlan, Projection, TableSource, Values, WriteOp,
};
use datafusion::sql::parser::Statement as DfStatement;
use sqlparser::ast::{
    CastKind, DataType as SqlType, Expr as SqlExpr, Insert, Query, SetExpr, Spanned,
    Statement as SqlStatement, TableObject, Value, VisitMut, VisitorMut,
};

use super::exact_casts;
use super::{ident_name, resolve_name};
use crate::catalogs::TableName;
use crate::suggest::hint_nearest;
use crate::{Error, ErrorKind, Location, Result};

/// Checks the columns that an INSERT names and the length of its rows, and lets text stand for a
/// uuid in them.
pub(super) fn prepare(
    state: &SessionState,
    statement: &mut DfStatement,
    tables: &HashMap<TableName, Result<Arc<dyn TableSource>>>,
) -> Result<()> {
    let insert = match statement {
        DfStatement::Statement(inner) => match inner.as_mut() {
            SqlStatement::Insert(insert) => insert,
            _ => return Ok(()),
        },
        DfStatement::Explain(explain) => return prepare(state, &mut explain.statement, tables),
        _ => return Ok(()),
    };
    let TableObject::TableName(name) = &insert.table else { return Ok(()) };
    if let Some(Ok(target)) = tables.get(&resolve_name(state, name)?) {
        let schema = target.schema();
        let columns = columns(insert, &schema)?;
        if let Some(SetExpr::Values(values)) = insert.source.as_mut().map(|s| s.body.as_mut()) {
            for row in &mut values.rows {
                check_length(&row.content, &columns)?;
                for (value, column) in row.content.iter_mut().zip(&columns) {
                    if *column.data_type() == DataType::FixedSizeBinary(16) && is_text(value) {
                        cast(value, SqlType::Uuid);
                    }
                }
            }
        }
    }
    if let Some(source) = &mut insert.source {
        let _ = source.visit(&mut WrittenCasts);
    }
    Ok(())
}

fn columns<'a>(insert: &Insert, schema: &'a Schema) -> Result<Vec<&'a Field>> {
    let all = || schema.fields().iter().map(AsRef::as_ref);
    if insert.columns.is_empty() {
        return Ok(all().collect());
    }
    let named = insert.columns.iter().map(|name| {
        let written = name.0.first().and_then(|part| part.as_ident()).map(ident_name);
        let written = written.unwrap_or_else(|| name.to_string());
        all().find(|column| *column.name() == written).ok_or_else(|| {
            let message = format!("column {written:?} not found");
            let error = at(Error::new(ErrorKind::NotFound, message), name);
            hint_nearest(error, &written, all().map(|column| column.name().as_str()))
        })
    });
    named.collect()
}

fn check_length(row: &[SqlExpr], columns: &[&Field]) -> Result<()> {
    let (got, expected) = (row.len(), columns.len());
    if got == expected {
        return Ok(());
    }
    let names: Vec<&str> = columns.iter().map(|column| column.name().as_str()).collect();
    let message = format!("got {got} values, expected {expected}");
    let error = Error::new(ErrorKind::InvalidStatement, message)
        .with_hint(format!("the columns are {}", names.join(", ")));
    Err(match row.first() {
        Some(first) => at(error, first),
        None => error,
    })
}

fn at(error: Error, what: &impl Spanned) -> Error {
    let start = what.span().start;
    match start.line {
        0 => error,
        line => error.at(Location { line, column: start.column }),
    }
}

fn is_text(value: &SqlExpr) -> bool {
    matches!(value, SqlExpr::Value(value) if matches!(value.value, Value::SingleQuotedString(_)))
}

fn cast(value: &mut SqlExpr, data_type: SqlType) {
    let expr = Box::new(std::mem::replace(value, SqlExpr::Value(Value::Null.with_empty_span())));
    *value = SqlExpr::Cast { kind: CastKind::Cast, expr, data_type, array: false, format: None };
}

/// The planner casts values to the columns of the target. A cast that the user wrote is written
/// twice, so that it is not taken for one of those.
struct WrittenCasts;

impl VisitorMut for WrittenCasts {
    type Break = std::convert::Infallible;

    fn pre_visit_query(&mut self, query: &mut Query) -> ControlFlow<Self::Break> {
        if let SetExpr::Values(values) = query.body.as_mut() {
            for value in values.rows.iter_mut().flat_map(|row| &mut row.content) {
                if let SqlExpr::Cast { data_type, .. } = value {
                    let data_type = data_type.clone();
                    cast(value, data_type);
                }
            }
        }
        ControlFlow::Continue(())
    }
}

/// A number with a fraction is not cut off to fit into a column of whole numbers.
pub(super) fn keep_fractions(plan: LogicalPlan) -> Result<LogicalPlan> {
    let mut dml = match plan {
        LogicalPlan::Dml(dml) if matches!(dml.op, WriteOp::Insert(_)) => dml,
        other => return Ok(other),
    };
    let LogicalPlan::Projection(projection) = dml.input.as_ref() else {
        return Ok(LogicalPlan::Dml(dml));
    };
    let mut names = HashMap::new();
    let mut columns = Vec::with_capacity(projection.expr.len());
    for expr in projection.expr.clone() {
        let Expr::Alias(mut alias) = expr else {
            columns.push(expr);
            continue;
        };
        if let Some(column) = alias.expr.column_refs().into_iter().next() {
            names.insert(column.name.clone(), alias.name.clone());
        }
        *alias.expr = whole(*alias.expr, &alias.name, projection.input.schema())?;
        columns.push(Expr::Alias(alias));
    }
    let input = Arc::unwrap_or_clone(Arc::clone(&projection.input));
    let input = input.transform_up(|node| match node {
        LogicalPlan::Values(values) => Ok(Transformed::yes(whole_values(values, &names)?)),
        other => Ok(Transformed::no(other)),
    })?;
    let projection = Projection::try_new(columns, Arc::new(input.data))?;
    dml.input = Arc::new(LogicalPlan::Projection(projection));
    Ok(LogicalPlan::Dml(dml))
}

fn whole_values(values: Values, names: &HashMap<String, String>) -> DfResult<LogicalPlan> {
    let Values { schema, values } = values;
    let rows = values.into_iter().map(|row| {
        let row = row.into_iter().zip(schema.fields()).map(|(value, column)| {
            let name = names.get(column.name()).unwrap_or(column.name());
            whole(value, name, &DFSchema::empty())
        });
        row.collect()
    });
    let values = rows.collect::<DfResult<_>>()?;
    Ok(LogicalPlan::Values(Values { schema, values }))
}

/// `value` with its outermost cast checked, if that is one of a fraction to a whole number or to a
/// REAL.
fn whole(value: Expr, column: &str, schema: &DFSchema) -> DfResult<Expr> {
    let Expr::Cast(Cast { expr, field }) = value else { return Ok(value) };
    let (from, to) = (expr.get_type(schema)?, field.data_type());
    let number = from.is_floating() || from.is_decimal();
    Ok(match number && (to.is_integer() || *to == DataType::Float32) {
        true => exact_casts::checked(*expr, column, to)?,
        false => Expr::Cast(Cast { expr, field }),
    })
}
