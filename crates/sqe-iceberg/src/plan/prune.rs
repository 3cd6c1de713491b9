//! Leaving out what cannot hold a row that a statement asks for.
//!
//! The filters become one `PruningPredicate` of DataFusion over the bounds of manifests and files.
//! Leaving out nothing is always right, so whatever cannot be evaluated keeps its file.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray, UInt64Array};
use arrow::datatypes::SchemaRef;
use datafusion::catalog::Session;
use datafusion::common::pruning::PruningStatistics;
use datafusion::common::{Column, DFSchema};
use datafusion::physical_expr::conjunction;
use datafusion::physical_optimizer::pruning::{PruningPredicate, PruningPredicateBuilder};
use datafusion::prelude::Expr;
use datafusion::scalar::ScalarValue;
use iceberg::spec::{
    FieldSummary, ManifestFile, PartitionSpec, PrimitiveLiteral, TableMetadata, Transform,
};

use super::bounds::{Bounds, ColumnType};
use super::data_file::DataFile;
use super::statistics::column_types;
use crate::{transform, value};

/// The filters of a statement in the form that manifests and files are held against.
pub(crate) struct Pruner<'a> {
    predicate: Arc<PruningPredicate>,
    columns: HashMap<String, ColumnType>,
    metadata: &'a TableMetadata,
}

impl<'a> Pruner<'a> {
    /// `None` where the filters say nothing about whole files. `schema` is the current one.
    pub(crate) fn new(
        filters: &[Expr],
        session: &dyn Session,
        schema: &SchemaRef,
        metadata: &'a TableMetadata,
    ) -> Option<Self> {
        let df_schema = DFSchema::try_from(Arc::clone(schema)).ok()?;
        let filters = filters
            .iter()
            .filter_map(|filter| session.create_physical_expr(filter.clone(), &df_schema).ok());
        let max_in_list_size = session.config_options().execution.parquet.max_in_list_size;
        let predicate = PruningPredicateBuilder::new()
            .with_file_schema(Arc::clone(schema))
            .with_max_in_list_size(max_in_list_size)
            .build(conjunction(filters))?;
        let names = schema.fields().iter().map(|field| field.name().clone());
        let by_name = names.zip(column_types(schema, metadata));
        let by_name = by_name.filter_map(|(name, column)| Some((name, column?)));
        Some(Self { predicate, columns: by_name.collect(), metadata })
    }

    /// Whether a data manifest can list a file with a matching row.
    pub(crate) fn manifests(&self, manifests: &[&ManifestFile]) -> Vec<bool> {
        self.keep(manifests)
    }

    /// Whether a file can hold a matching row.
    pub(crate) fn files(&self, files: &[Arc<DataFile>]) -> Vec<bool> {
        self.keep(files)
    }

    fn keep<C: Container>(&self, containers: &[C]) -> Vec<bool> {
        if containers.is_empty() {
            return Vec::new();
        }
        self.predicate.prune(&Containers { containers, pruner: self }).unwrap_or_else(|error| {
            tracing::debug!(%error, "pruning predicate not evaluated");
            vec![true; containers.len()]
        })
    }

    /// The fields of a spec whose source is `column`, with their position.
    fn partition_fields(
        &self,
        spec_id: i32,
        column: &ColumnType,
    ) -> impl Iterator<Item = (usize, Transform)> + use<'_> {
        let spec: Option<&PartitionSpec> =
            self.metadata.partition_spec_by_id(spec_id).map(|spec| &**spec);
        let source = column.field_id;
        let fields = spec.map_or(&[][..], |spec| spec.fields()).iter().enumerate();
        fields
            .filter(move |(_, field)| field.source_id == source)
            .map(|(index, field)| (index, field.transform))
    }
}

/// A manifest or a file.
trait Container {
    /// Rows, where that is known.
    fn records(&self) -> Option<u64>;

    fn bounds(&self, column: &ColumnType, pruner: &Pruner<'_>) -> Bounds;

    /// The values of a column after partitioning, where there is exactly one.
    fn partition<'a>(
        &'a self,
        column: &ColumnType,
        pruner: &Pruner<'_>,
    ) -> Vec<(Transform, &'a PrimitiveLiteral)>;
}

impl Container for &ManifestFile {
    fn records(&self) -> Option<u64> {
        None
    }

    fn bounds(&self, column: &ColumnType, pruner: &Pruner<'_>) -> Bounds {
        let summaries: &[FieldSummary] = self.partitions.as_deref().unwrap_or_default();
        let fields = pruner.partition_fields(self.partition_spec_id, column);
        fields.fold(Bounds::default(), |bounds, (index, transform)| match summaries.get(index) {
            Some(summary) => bounds.and(Bounds::of_summary(transform, summary, column)),
            None => bounds,
        })
    }

    fn partition<'a>(
        &'a self,
        _: &ColumnType,
        _: &Pruner<'_>,
    ) -> Vec<(Transform, &'a PrimitiveLiteral)> {
        Vec::new()
    }
}

impl Container for Arc<DataFile> {
    fn records(&self) -> Option<u64> {
        Some(self.records)
    }

    fn bounds(&self, column: &ColumnType, pruner: &Pruner<'_>) -> Bounds {
        let fields = pruner.partition_fields(self.spec_id, column);
        fields.fold(Bounds::of_metrics(self, column), |bounds, (index, transform)| {
            let Some(value) = self.partition.get(index) else {
                return bounds;
            };
            let value = value.as_ref();
            bounds.and(Bounds::of_partition_value(transform, value, column, self.records))
        })
    }

    fn partition<'a>(
        &'a self,
        column: &ColumnType,
        pruner: &Pruner<'_>,
    ) -> Vec<(Transform, &'a PrimitiveLiteral)> {
        let fields = pruner.partition_fields(self.spec_id, column);
        fields
            .filter_map(|(index, transform)| {
                Some((transform, self.partition.get(index)?.as_ref()?))
            })
            .collect()
    }
}

/// The statistics of several manifests or files as DataFusion asks for them.
struct Containers<'a, C> {
    containers: &'a [C],
    pruner: &'a Pruner<'a>,
}

impl<C: Container> Containers<'_, C> {
    fn bound(
        &self,
        column: &Column,
        side: impl Fn(Bounds) -> Option<ScalarValue>,
    ) -> Option<ArrayRef> {
        let column = self.pruner.columns.get(&column.name)?;
        let unknown = ScalarValue::try_new_null(&column.arrow).ok()?;
        let mut known = false;
        let values: Vec<ScalarValue> = self
            .containers
            .iter()
            .map(|container| {
                let bound = side(container.bounds(column, self.pruner));
                known |= bound.is_some();
                bound.unwrap_or_else(|| unknown.clone())
            })
            .collect();
        known.then(|| ScalarValue::iter_to_array(values).ok())?
    }
}

impl<C: Container> PruningStatistics for Containers<'_, C> {
    fn min_values(&self, column: &Column) -> Option<ArrayRef> {
        self.bound(column, |bounds| bounds.lower)
    }

    fn max_values(&self, column: &Column) -> Option<ArrayRef> {
        self.bound(column, |bounds| bounds.upper)
    }

    fn num_containers(&self) -> usize {
        self.containers.len()
    }

    fn null_counts(&self, column: &Column) -> Option<ArrayRef> {
        let column = self.pruner.columns.get(&column.name)?;
        let nulls = self.containers.iter().map(|c| c.bounds(column, self.pruner).nulls);
        Some(Arc::new(nulls.collect::<UInt64Array>()))
    }

    fn row_counts(&self) -> Option<ArrayRef> {
        Some(Arc::new(self.containers.iter().map(Container::records).collect::<UInt64Array>()))
    }

    /// Matches literals with partition values: the partitions of the literals are computed once,
    /// and a file of another partition holds none of them.
    fn contained(&self, column: &Column, values: &HashSet<ScalarValue>) -> Option<BooleanArray> {
        let column = self.pruner.columns.get(&column.name)?;
        let mut wanted = HashMap::new();
        let contained = self.containers.iter().map(|container| {
            let partition = container.partition(column, self.pruner);
            partition.into_iter().fold(None, |known, (transform, value)| {
                let wanted = wanted
                    .entry(transform)
                    .or_insert_with(|| partitions_of(transform, values, column));
                let Some((data_type, wanted)) = wanted else {
                    return known;
                };
                let Some(value) = value::to_scalar(value, data_type) else {
                    return known;
                };
                match (wanted.contains(&value), transform) {
                    (false, _) => Some(false),
                    (true, Transform::Identity) => known.or(Some(true)),
                    (true, _) => known,
                }
            })
        });
        Some(contained.collect())
    }
}

/// The partition values of literals, and their type. `None` where equality of partition values
/// does not follow from equality of literals.
fn partitions_of(
    transform: Transform,
    values: &HashSet<ScalarValue>,
    column: &ColumnType,
) -> Option<(arrow::datatypes::DataType, HashSet<ScalarValue>)> {
    let exact =
        matches!(transform, Transform::Identity | Transform::Bucket(_) | Transform::Truncate(_));
    if !exact || column.arrow.is_floating() {
        return None;
    }
    if values.iter().any(|value| value.data_type() != column.arrow) {
        return None;
    }
    let values = ScalarValue::iter_to_array(values.iter().cloned()).ok()?;
    let partitions = transform::apply(transform, &values).ok()?;
    let all = (0..partitions.len()).map(|row| ScalarValue::try_from_array(&partitions, row).ok());
    Some((partitions.data_type().clone(), all.collect::<Option<_>>()?))
}
