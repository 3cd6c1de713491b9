//! What DataFusion's SQL planner asks for while it plans one statement.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::datatypes::{DataType, SchemaRef, TimeUnit};
use datafusion::catalog::TableFunctionArgs;
use datafusion::catalog::cte_worktable::CteWorkTable;
use datafusion::common::config::ConfigOptions;
use datafusion::common::file_options::file_type::FileType;
use datafusion::common::{DFSchema, Result, TableReference, plan_datafusion_err};
use datafusion::datasource::file_format::format_as_file_type;
use datafusion::datasource::provider_as_source;
use datafusion::execution::SessionState;
use datafusion::logical_expr::planner::{
    ContextProvider, ExprPlanner, RelationPlanner, TypePlanner,
};
use datafusion::logical_expr::simplify::SimplifyContext;
use datafusion::logical_expr::{
    AggregateUDF, Expr, HigherOrderUDF, ScalarUDF, TableSource, WindowUDF,
};
use datafusion::optimizer::simplify_expressions::ExprSimplifier;
use datafusion::scalar::ScalarValue;

use super::file_calls::FileCalls;
use super::repeated_rows::RepeatedRows;
use super::types::IcebergTypes;
use crate::catalogs::TableName;
use crate::suggest::hint_nearest;
use crate::{Error, ErrorKind};

/// The functions and settings of a session, and the tables of one statement.
pub(super) struct Context<'a> {
    state: &'a SessionState,
    tables: HashMap<TableName, crate::Result<Arc<dyn TableSource>>>,
    relation_planners: Vec<Arc<dyn RelationPlanner>>,
}

impl<'a> Context<'a> {
    pub(super) fn new(
        state: &'a SessionState,
        tables: HashMap<TableName, crate::Result<Arc<dyn TableSource>>>,
        calls: FileCalls,
    ) -> Self {
        let mut relation_planners = state.relation_planners().to_vec();
        relation_planners.push(Arc::new(calls));
        relation_planners.push(Arc::new(RepeatedRows));
        Self { state, tables, relation_planners }
    }
}

/// Table functions take timestamps of nanoseconds only.
fn in_nanoseconds(arg: Expr) -> Result<Expr> {
    match arg {
        Expr::Literal(value @ ScalarValue::TimestampMicrosecond(..), metadata) => {
            let zone = match value.data_type() {
                DataType::Timestamp(_, zone) => zone,
                _ => None,
            };
            let value = value.cast_to(&DataType::Timestamp(TimeUnit::Nanosecond, zone))?;
            Ok(Expr::Literal(value, metadata))
        }
        other => Ok(other),
    }
}

impl ContextProvider for Context<'_> {
    fn get_table_source(&self, name: TableReference) -> Result<Arc<dyn TableSource>> {
        let name = super::resolve(self.state, name);
        match self.tables.get(&name) {
            Some(Ok(source)) => Ok(Arc::clone(source)),
            Some(Err(error)) => Err(error.clone().into()),
            None => {
                let message = format!("table {:?} not found", name.to_string());
                Err(Error::new(ErrorKind::NotFound, message).into())
            }
        }
    }

    fn get_table_function_source(
        &self,
        name: &str,
        args: Vec<Expr>,
    ) -> Result<Arc<dyn TableSource>> {
        let functions = self.state.table_functions();
        let Some(function) = functions.get(name) else {
            let message = format!("table function {name:?} not found");
            let error = Error::new(ErrorKind::NotFound, message);
            let known = functions.keys().map(String::as_str).chain(crate::table_functions::NAMES);
            return Err(hint_nearest(error, name, known).into());
        };
        let simplify = SimplifyContext::builder()
            .with_config_options(Arc::clone(self.state.config_options()))
            .with_query_execution_start_time(
                self.state.execution_props().query_execution_start_time,
            )
            .build();
        let simplifier = ExprSimplifier::new(simplify);
        let schema = DFSchema::empty();
        let constant =
            |arg| simplifier.coerce(arg, &schema).and_then(|arg| simplifier.simplify(arg));
        let args = args.into_iter().map(|arg| constant(arg).and_then(in_nanoseconds));
        let args = args.collect::<Result<Vec<_>>>()?;
        let table =
            function.create_table_provider_with_args(TableFunctionArgs::new(&args, self.state))?;
        Ok(provider_as_source(table))
    }

    fn get_file_type(&self, extension: &str) -> Result<Arc<dyn FileType>> {
        let format = self.state.get_file_format_factory(&extension.to_lowercase());
        format
            .map(format_as_file_type)
            .ok_or_else(|| plan_datafusion_err!("file format {extension:?} is not known"))
    }

    fn create_cte_work_table(&self, name: &str, schema: SchemaRef) -> Result<Arc<dyn TableSource>> {
        Ok(provider_as_source(Arc::new(CteWorkTable::new(name, schema))))
    }

    fn get_expr_planners(&self) -> &[Arc<dyn ExprPlanner>] {
        self.state.expr_planners()
    }

    fn get_relation_planners(&self) -> &[Arc<dyn RelationPlanner>] {
        &self.relation_planners
    }

    fn get_type_planner(&self) -> Option<Arc<dyn TypePlanner>> {
        Some(Arc::new(IcebergTypes::new(self.state)))
    }

    fn get_function_meta(&self, name: &str) -> Option<Arc<ScalarUDF>> {
        self.state.scalar_functions().get(name).cloned()
    }

    fn get_higher_order_meta(&self, name: &str) -> Option<Arc<HigherOrderUDF>> {
        self.state.higher_order_functions().get(name).cloned()
    }

    fn get_aggregate_meta(&self, name: &str) -> Option<Arc<AggregateUDF>> {
        self.state.aggregate_functions().get(name).cloned()
    }

    fn get_window_meta(&self, name: &str) -> Option<Arc<WindowUDF>> {
        self.state.window_functions().get(name).cloned()
    }

    fn get_variable_type(&self, _: &[String]) -> Option<DataType> {
        None
    }

    fn options(&self) -> &ConfigOptions {
        self.state.config_options()
    }

    fn udf_names(&self) -> Vec<String> {
        self.state.scalar_functions().keys().cloned().collect()
    }

    fn higher_order_function_names(&self) -> Vec<String> {
        self.state.higher_order_functions().keys().cloned().collect()
    }

    fn udaf_names(&self) -> Vec<String> {
        self.state.aggregate_functions().keys().cloned().collect()
    }

    fn udwf_names(&self) -> Vec<String> {
        self.state.window_functions().keys().cloned().collect()
    }
}
