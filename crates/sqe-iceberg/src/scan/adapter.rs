//! Expressions over the table to expressions over one file, columns found by field id.
//!
//! A column may have another name, place or narrower type in the file, or not be in it. Names are
//! never compared: a name that a dropped column had may belong to another one now.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, FieldRef, Schema, SchemaRef};
use datafusion::common::Result;
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode, TreeNodeRecursion};
use datafusion::functions::core::getfield::GetFieldFunc;
use datafusion::physical_expr::expressions::{CastExpr, Column, Literal, lit};
use datafusion::physical_expr::{PhysicalExpr, ScalarFunctionExpr};
use datafusion::physical_expr_adapter::{PhysicalExprAdapter, PhysicalExprAdapterFactory};
use datafusion::scalar::ScalarValue;

use super::ScanFile;
use super::align::{AlignExpr, Conversion, conversion};
use crate::Error;
use crate::schema::{field_id, type_without_ids};

/// Makes the adapter of one file.
#[derive(Debug)]
pub(super) struct FieldIdAdapterFactory {
    pub(super) file: Arc<ScanFile>,
}

impl PhysicalExprAdapterFactory for FieldIdAdapterFactory {
    fn create(
        &self,
        logical: SchemaRef,
        physical: SchemaRef,
    ) -> Result<Arc<dyn PhysicalExprAdapter>> {
        let location = &self.file.location;
        let mut by_id = HashMap::new();
        for (index, field) in physical.fields().iter().enumerate() {
            let Some(id) = field_id(field) else { continue };
            if by_id.insert(id, index).is_some() {
                let message = format!("data file {location} has field id {id} twice");
                return Err(Error::corrupt(message).into());
            }
        }
        if by_id.is_empty() {
            return Err(Error::unsupported(format!(
                "data file {location} has no field ids, and finding columns by a name mapping is \
                 not supported"
            ))
            .into());
        }
        Ok(Arc::new(FieldIdAdapter { file: Arc::clone(&self.file), logical, physical, by_id }))
    }
}

#[derive(Debug)]
struct FieldIdAdapter {
    file: Arc<ScanFile>,
    logical: SchemaRef,
    physical: SchemaRef,
    /// Position in the file's schema by field id.
    by_id: HashMap<i32, usize>,
}

impl PhysicalExprAdapter for FieldIdAdapter {
    fn rewrite(&self, expr: Arc<dyn PhysicalExpr>) -> Result<Arc<dyn PhysicalExpr>> {
        if let Some(column) = expr.downcast_ref::<Column>() {
            return self.column(column);
        }
        expr.transform_down(|expr| {
            let rewritten = match expr.downcast_ref::<Column>() {
                Some(column) => Some(self.guard(column, self.column(column)?)),
                None => self.struct_field(&expr)?,
            };
            Ok(match rewritten {
                Some(rewritten) => Transformed::new(rewritten, true, TreeNodeRecursion::Jump),
                None => Transformed::no(expr),
            })
        })
        .data()
    }
}

impl FieldIdAdapter {
    /// A column with the ids of all its fields.
    fn of_table(&self, column: &Column) -> Result<&Field> {
        match self.file.table.field_with_name(column.name()) {
            Ok(field) => Ok(field),
            // Only what the reader itself adds, such as row numbers.
            Err(_) => Ok(self.logical.field_with_name(column.name())?),
        }
    }

    fn column(&self, column: &Column) -> Result<Arc<dyn PhysicalExpr>> {
        let logical = self.of_table(column)?;
        let index = match field_id(logical) {
            Some(id) => match self.by_id.get(&id) {
                Some(index) => *index,
                None => return self.missing(logical, id),
            },
            // Only what the reader itself adds, such as row numbers, has no id.
            None => self.physical.index_of(column.name())?,
        };
        let physical = self.physical.field(index);
        self.convert(Arc::new(Column::new(physical.name(), index)), physical, logical)
    }

    /// A column that was added after the file was written is null in it.
    fn missing(&self, logical: &Field, id: i32) -> Result<Arc<dyn PhysicalExpr>> {
        if let Some((_, value)) = self.file.constants.iter().find(|(of, _)| *of == id) {
            return Ok(lit(value.clone()));
        }
        self.null(logical, logical.data_type())
    }

    fn null(&self, missing: &Field, data_type: &DataType) -> Result<Arc<dyn PhysicalExpr>> {
        if !missing.is_nullable() {
            let (name, location) = (missing.name(), &self.file.location);
            let message = format!("required column {name:?} is not in data file {location}");
            return Err(Error::corrupt(message).into());
        }
        Ok(lit(ScalarValue::try_new_null(&type_without_ids(data_type))?))
    }

    fn convert(
        &self,
        expr: Arc<dyn PhysicalExpr>,
        physical: &Field,
        logical: &Field,
    ) -> Result<Arc<dyn PhysicalExpr>> {
        let wanted = logical.data_type();
        match conversion(physical.data_type(), wanted) {
            Conversion::None => Ok(expr),
            Conversion::Cast => Ok(Arc::new(CastExpr::new(expr, wanted.clone(), None))),
            Conversion::Align => Ok(Arc::new(AlignExpr::new(expr, Arc::new(logical.clone())))),
            Conversion::Impossible => {
                let (name, location) = (logical.name(), &self.file.location);
                let found = physical.data_type();
                let message = format!(
                    "column {name:?} of data file {location} has the type {found}, which cannot \
                     be read as {wanted}"
                );
                Err(Error::corrupt(message).into())
            }
        }
    }

    /// Hides a column that may hold a NaN from pruning by the statistics of row groups and pages:
    /// they leave a NaN out, and in comparisons it is larger than every number.
    fn guard(&self, column: &Column, expr: Arc<dyn PhysicalExpr>) -> Arc<dyn PhysicalExpr> {
        let Ok(logical) = self.of_table(column) else {
            return expr;
        };
        let may_be_nan = field_id(logical).is_some_and(|id| self.file.may_be_nan.contains(&id));
        if !may_be_nan || expr.downcast_ref::<Literal>().is_some() {
            return expr;
        }
        Arc::new(AlignExpr::new(expr, Arc::new(logical.clone())))
    }

    /// `s['a']['b']` with the names that the fields have in the file, so that the reader reads no
    /// more of the struct than that. `None` where the whole column has to be looked at.
    fn struct_field(&self, expr: &Arc<dyn PhysicalExpr>) -> Result<Option<Arc<dyn PhysicalExpr>>> {
        let Some((column, names)) = path(expr) else {
            return Ok(None);
        };
        let top = self.of_table(column)?;
        let Some(index) = field_id(top).and_then(|id| self.by_id.get(&id)) else {
            return Ok(None);
        };
        let physical_top = self.physical.field(*index);
        let Some(logical) = names.iter().try_fold(top, |field, name| child(field, name)) else {
            return Ok(None);
        };
        let (mut of_table, mut of_file) = (top, physical_top);
        let mut names_in_file = Vec::with_capacity(names.len());
        for name in &names {
            let Some(next) = child(of_table, name) else {
                return Ok(None);
            };
            of_table = next;
            let DataType::Struct(fields) = of_file.data_type() else {
                return Ok(None);
            };
            let id = field_id(next);
            match fields.iter().find(|field| id.is_some() && field_id(field) == id) {
                Some(found) => of_file = found,
                None => return Ok(Some(self.null(next, logical.data_type())?)),
            }
            names_in_file.push(of_file.name().as_str());
        }
        let column: Arc<dyn PhysicalExpr> = Arc::new(Column::new(physical_top.name(), *index));
        let field = get_field(expr, column, &names_in_file, &self.physical)?;
        self.convert(field, of_file, logical).map(Some)
    }
}

/// The field of a struct by its name in the table.
fn child<'a>(field: &'a Field, name: &str) -> Option<&'a Field> {
    let DataType::Struct(fields) = field.data_type() else {
        return None;
    };
    fields.iter().find(|field: &&FieldRef| field.name() == name).map(|field| &**field)
}

/// The column and the names of `get_field(get_field(column, name), name, ..)`.
fn path(expr: &Arc<dyn PhysicalExpr>) -> Option<(&Column, Vec<&str>)> {
    let access = ScalarFunctionExpr::try_downcast_func::<GetFieldFunc>(expr.as_ref())?;
    let (base, names) = access.args().split_first()?;
    let (column, mut path) = match base.downcast_ref::<Column>() {
        Some(column) => (column, Vec::new()),
        None => path(base)?,
    };
    for name in names {
        path.push(name.downcast_ref::<Literal>()?.value().try_as_str()??);
    }
    Some((column, path))
}

/// The function of `like`, which is a `get_field`, of `column` and `names`.
fn get_field(
    like: &Arc<dyn PhysicalExpr>,
    column: Arc<dyn PhysicalExpr>,
    names: &[&str],
    schema: &Schema,
) -> Result<Arc<dyn PhysicalExpr>> {
    let Some(like) = ScalarFunctionExpr::try_downcast_func::<GetFieldFunc>(like.as_ref()) else {
        return datafusion::common::internal_err!("{like} is not a field access");
    };
    let args = std::iter::once(column).chain(names.iter().map(|name| lit(*name))).collect();
    let function = Arc::new(like.fun().clone());
    let options = Arc::new(like.config_options().clone());
    Ok(Arc::new(ScalarFunctionExpr::try_new(function, args, schema, options)?))
}
