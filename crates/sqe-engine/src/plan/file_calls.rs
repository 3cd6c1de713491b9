//! Calls of `read_parquet`, `read_csv` and `read_json` in FROM clauses. Their files are listed and
//! their schemas inferred before planning, which is synchronous and may not wait for a store.

use std::collections::HashMap;
use std::sync::Arc;

use datafusion::common::DFSchema;
use datafusion::datasource::provider_as_source;
use datafusion::error::Result as DfResult;
use datafusion::logical_expr::planner::{
    PlannedRelation, RelationPlanner, RelationPlannerContext, RelationPlanning,
};
use datafusion::logical_expr::{Expr, LogicalPlanBuilder, TableSource};
use datafusion::scalar::ScalarValue;
use datafusion::sql::parser::Statement as DfStatement;
use datafusion::sql::planner::{PlannerContext, SqlToRel};
use futures::future::try_join_all;
use sqlparser::ast::{
    BinaryOperator, Expr as SqlExpr, FunctionArg, FunctionArgExpr, FunctionArgOperator, TableFactor,
};

use super::context::Context;
use super::{Planner, SourceRecorder, ident_name};
use crate::table_functions::{self, Call};
use crate::{Error, ErrorKind, Result};

/// The tables of a statement's calls, by the text of the call.
#[derive(Default)]
pub(super) struct FileCalls(HashMap<String, Arc<dyn TableSource>>);

impl std::fmt::Debug for FileCalls {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

/// Opens the files of every call in `statement`.
pub(super) async fn open(planner: &Planner<'_>, statement: &DfStatement) -> Result<FileCalls> {
    let mut calls: HashMap<String, Call> = HashMap::new();
    crate::parse::visit_relations(statement, |factor| {
        if let Some((function, args)) = call_of(factor) {
            let call = constant_call(planner, function, args)?;
            calls.insert(call_text(factor), call);
        }
        Ok(())
    })?;
    if !calls.is_empty() {
        SourceRecorder::record_unversioned(planner.state);
    }
    let access = planner.session.engine().file_access();
    let opened = calls.into_iter().map(|(text, call)| async move {
        let table = table_functions::open(call, planner.state, access).await?;
        Ok::<_, Error>((text, provider_as_source(table)))
    });
    Ok(FileCalls(try_join_all(opened).await?.into_iter().collect()))
}

/// The function and the arguments of a table factor that reads files.
fn call_of(factor: &TableFactor) -> Option<(String, &[FunctionArg])> {
    let (name, args) = match factor {
        TableFactor::Table { name, args: Some(args), .. } => (name, &args.args),
        TableFactor::Function { name, args, .. } => (name, args),
        _ => return None,
    };
    let [part] = name.0.as_slice() else { return None };
    let name = ident_name(part.as_ident()?);
    table_functions::NAMES.contains(&name.as_str()).then_some((name, args.as_slice()))
}

fn call_text(factor: &TableFactor) -> String {
    match call_of(factor) {
        Some((function, args)) => {
            let args: Vec<String> = args.iter().map(ToString::to_string).collect();
            format!("{function}({})", args.join(", "))
        }
        None => String::new(),
    }
}

fn constant_call(planner: &Planner<'_>, function: String, args: &[FunctionArg]) -> Result<Call> {
    let mut call = Call { function, positional: Vec::new(), named: Vec::new() };
    for arg in args {
        match arg {
            FunctionArg::Named { name, arg: FunctionArgExpr::Expr(value), operator } => {
                let named = matches!(
                    operator,
                    FunctionArgOperator::RightArrow
                        | FunctionArgOperator::Equals
                        | FunctionArgOperator::Assignment
                );
                if !named {
                    return Err(bad_argument(arg));
                }
                call.named.push((ident_name(name), constant(planner, value)?));
            }
            FunctionArg::Unnamed(FunctionArgExpr::Expr(SqlExpr::BinaryOp {
                left,
                op: BinaryOperator::Eq,
                right,
            })) if matches!(**left, SqlExpr::Identifier(_)) => {
                let SqlExpr::Identifier(name) = &**left else { return Err(bad_argument(arg)) };
                call.named.push((ident_name(name), constant(planner, right)?));
            }
            FunctionArg::Unnamed(FunctionArgExpr::Expr(value)) => {
                call.positional.push(constant(planner, value)?);
            }
            _ => return Err(bad_argument(arg)),
        }
    }
    Ok(call)
}

fn bad_argument(arg: &FunctionArg) -> Error {
    Error::new(ErrorKind::InvalidStatement, format!("argument {arg} is not a constant"))
        .with_hint("write options as name => value")
}

/// Evaluates a constant expression.
fn constant(planner: &Planner<'_>, value: &SqlExpr) -> Result<ScalarValue> {
    use datafusion::optimizer::simplify_expressions::ExprSimplifier;
    let context = Context::new(planner.state, HashMap::new(), FileCalls::default());
    let sql = SqlToRel::new(&context);
    let schema = DFSchema::empty();
    let planned = sql.sql_to_expr(value.clone(), &schema, &mut PlannerContext::new())?;
    let simplify = datafusion::logical_expr::simplify::SimplifyContext::builder().build();
    let simplifier = ExprSimplifier::new(simplify);
    let simplified = simplifier.coerce(planned, &schema).and_then(|e| simplifier.simplify(e))?;
    match simplified {
        Expr::Literal(value, _) => Ok(value),
        _ => Err(Error::new(
            ErrorKind::InvalidStatement,
            format!("argument {value} is not a constant"),
        )),
    }
}

impl RelationPlanner for FileCalls {
    fn plan_relation(
        &self,
        relation: TableFactor,
        _: &mut dyn RelationPlannerContext,
    ) -> DfResult<RelationPlanning> {
        let Some((function, _)) = call_of(&relation) else {
            return Ok(RelationPlanning::Original(Box::new(relation)));
        };
        let Some(source) = self.0.get(&call_text(&relation)) else {
            return Ok(RelationPlanning::Original(Box::new(relation)));
        };
        let alias = match &relation {
            TableFactor::Table { alias, .. } | TableFactor::Function { alias, .. } => alias.clone(),
            _ => None,
        };
        let plan = LogicalPlanBuilder::scan(function, Arc::clone(source), None)?.build()?;
        Ok(RelationPlanning::Planned(Box::new(PlannedRelation::new(plan, alias))))
    }
}
