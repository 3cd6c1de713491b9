//! The plan node that generates rows.

use std::{fmt, sync::Arc};

use datafusion::{
    common::{
        Statistics, assert_or_internal_err, runtime::SpawnedTask, stats::Precision,
        tree_node::TreeNodeRecursion,
    },
    error::{DataFusionError, Result},
    execution::{SendableRecordBatchStream, TaskContext},
    physical_expr::{EquivalenceProperties, PhysicalExpr},
    physical_plan::{
        DisplayAs, DisplayFormatType, ExecutionPlan, Partitioning, PlanProperties,
        execution_plan::{Boundedness, EmissionType, SchedulingType},
        metrics::{BaselineMetrics, ExecutionPlanMetricsSet, MetricsSet},
        statistics::StatisticsArgs,
        stream::RecordBatchStreamAdapter,
    },
};
use futures::{TryFutureExt, stream};
use tpchgen::text::TextPool;

use super::{
    rows::Share,
    table::{Batches, Table},
};

/// Generates a TPC-H table; partition `i` of `n` makes the `i`-th of `n` shares of its rows.
#[derive(Debug, Clone)]
pub struct TpchExec {
    table: Table,
    scale: f64,
    projection: Vec<usize>,
    /// Rows that each partition makes at most.
    limit: Option<usize>,
    properties: Arc<PlanProperties>,
    metrics: ExecutionPlanMetricsSet,
}

impl TpchExec {
    pub(super) fn try_new(
        table: Table,
        scale: f64,
        shares: i32,
        projection: Vec<usize>,
        limit: Option<usize>,
    ) -> Result<Self> {
        let schema = Arc::new(table.schema().project(&projection)?);
        let properties = PlanProperties::new(
            EquivalenceProperties::new(schema),
            Partitioning::UnknownPartitioning(usize::try_from(shares).unwrap_or(1)),
            EmissionType::Incremental,
            Boundedness::Bounded,
        )
        .with_scheduling_type(SchedulingType::Cooperative);
        Ok(Self {
            table,
            scale,
            projection,
            limit,
            properties: Arc::new(properties),
            metrics: ExecutionPlanMetricsSet::new(),
        })
    }

    fn partitions(&self) -> usize {
        self.properties.partitioning.partition_count()
    }

    fn share(&self, partition: usize) -> Result<Share> {
        let partitions = self.partitions();
        assert_or_internal_err!(partition < partitions, "partition {partition} of {partitions}");
        let as_i32 = |number: usize| {
            i32::try_from(number).map_err(|error| DataFusionError::External(Box::new(error)))
        };
        Ok(Share { scale: self.scale, part: as_i32(partition + 1)?, parts: as_i32(partitions)? })
    }

    /// Rows of the partitions, each of them limited.
    fn row_count(&self, partitions: std::ops::Range<usize>) -> Result<Precision<usize>> {
        let limit = Precision::Exact(self.limit.unwrap_or(usize::MAX));
        partitions
            .map(|partition| self.share(partition))
            .try_fold(Precision::Exact(0), |sum: Precision<usize>, share| {
                Ok(sum.add(&self.table.row_count(share?).min(&limit)))
            })
    }
}

impl DisplayAs for TpchExec {
    fn fmt_as(&self, format: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (name, scale, partitions) = (self.table.name(), self.scale, self.partitions());
        match format {
            DisplayFormatType::TreeRender => write!(f, "table={name}\nscale={scale}"),
            DisplayFormatType::Default | DisplayFormatType::Verbose => {
                write!(f, "TpchExec: table={name}, scale={scale}, partitions={partitions}")?;
                let schema = self.schema();
                let columns = schema.fields().iter().map(|field| field.name().as_str());
                write!(f, ", projection=[{}]", columns.collect::<Vec<_>>().join(", "))?;
                self.limit.map_or(Ok(()), |limit| write!(f, ", limit={limit}"))
            }
        }
    }
}

impl ExecutionPlan for TpchExec {
    fn name(&self) -> &'static str {
        "TpchExec"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        Vec::new()
    }

    fn apply_expressions(
        &self,
        _f: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        Ok(TreeNodeRecursion::Continue)
    }

    fn with_new_children(
        self: Arc<Self>,
        children: Vec<Arc<dyn ExecutionPlan>>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        assert_or_internal_err!(children.is_empty(), "TpchExec has no children");
        Ok(self)
    }

    fn execute(
        &self,
        partition: usize,
        context: Arc<TaskContext>,
    ) -> Result<SendableRecordBatchStream> {
        let plan = self.clone();
        let share = self.share(partition)?;
        let batch_size = context.session_config().batch_size();
        let metrics = BaselineMetrics::new(&self.metrics, partition);
        let batches = async move {
            if plan.table.reads_comments(&plan.projection) {
                // The first use takes about a second and must not hold a runtime thread.
                SpawnedTask::spawn_blocking(TextPool::get_or_init_default)
                    .await
                    .map_err(|error| DataFusionError::ExecutionJoin(Box::new(error)))?;
            }
            let batches = plan.table.batches(share, &plan.projection, batch_size, plan.limit)?;
            Ok(yielding(batches, metrics))
        };
        let stream = batches.try_flatten_stream();
        Ok(Box::pin(RecordBatchStreamAdapter::new(self.schema(), stream)))
    }

    fn metrics(&self) -> Option<MetricsSet> {
        Some(self.metrics.clone_inner())
    }

    fn statistics_from_inputs(
        &self,
        _input_stats: &[Arc<Statistics>],
        args: &StatisticsArgs,
    ) -> Result<Arc<Statistics>> {
        let (share, partitions) = match args.partition() {
            Some(partition) => (self.share(partition)?, partition..partition + 1),
            None => (Share { scale: self.scale, part: 1, parts: 1 }, 0..self.partitions()),
        };
        let statistics = self.table.statistics(share, &self.projection);
        Ok(Arc::new(match self.limit {
            Some(_) => statistics.to_inexact().with_num_rows(self.row_count(partitions)?),
            None => statistics,
        }))
    }

    fn fetch(&self) -> Option<usize> {
        self.limit
    }

    fn with_fetch(&self, limit: Option<usize>) -> Option<Arc<dyn ExecutionPlan>> {
        let metrics = ExecutionPlanMetricsSet::new();
        Some(Arc::new(Self { limit, metrics, ..self.clone() }))
    }
}

/// The batches as a stream that lets other tasks run before each of them, because making one is
/// nothing but computing.
fn yielding(
    batches: Batches,
    metrics: BaselineMetrics,
) -> impl stream::Stream<Item = Result<arrow::array::RecordBatch>> + Send {
    stream::unfold((batches, metrics), |(mut batches, metrics)| async move {
        tokio::task::yield_now().await;
        let timer = metrics.elapsed_compute().timer();
        let batch = batches.next();
        timer.done();
        if let Some(Ok(batch)) = &batch {
            metrics.record_output(batch.num_rows());
        }
        batch.map(|batch| (batch, (batches, metrics)))
    })
}
