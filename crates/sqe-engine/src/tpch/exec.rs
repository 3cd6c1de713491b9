//! The plan node that generates rows.

use std::{fmt, ops::Range, sync::Arc};

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
        stream::{EmptyRecordBatchStream, RecordBatchStreamAdapter},
    },
};
use futures::{TryFutureExt, stream};
use tpchgen::text::TextPool;

use super::{
    rows::Share,
    table::{Batches, Table},
};

/// Generates shares of a TPC-H table, one per partition; partitions beyond them make no rows.
#[derive(Debug, Clone)]
pub struct TpchExec {
    pub(super) table: Table,
    pub(super) scale: f64,
    pub(super) shares: Shares,
    pub(super) projection: Vec<usize>,
    /// Rows that each partition makes at most.
    pub(super) limit: Option<usize>,
    properties: Arc<PlanProperties>,
    metrics: ExecutionPlanMetricsSet,
}

/// Some of the equal shares that a table is divided into.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Shares {
    /// Those that are made, counted from 0.
    pub(super) own: Range<i32>,
    /// All that there are.
    pub(super) all: i32,
}

impl Shares {
    pub(super) fn all(all: i32) -> Self {
        Self { own: 0..all, all }
    }

    pub(super) fn is_whole(&self) -> bool {
        self.own == (0..self.all)
    }

    pub(super) fn count(&self) -> usize {
        self.own.len()
    }
}

impl TpchExec {
    pub(super) fn try_new(
        table: Table,
        scale: f64,
        shares: Shares,
        partitions: usize,
        projection: Vec<usize>,
        limit: Option<usize>,
    ) -> Result<Self> {
        let schema = Arc::new(table.schema().project(&projection)?);
        let properties = PlanProperties::new(
            EquivalenceProperties::new(schema),
            Partitioning::UnknownPartitioning(partitions),
            EmissionType::Incremental,
            Boundedness::Bounded,
        )
        .with_scheduling_type(SchedulingType::Cooperative);
        Ok(Self {
            table,
            scale,
            shares,
            projection,
            limit,
            properties: Arc::new(properties),
            metrics: ExecutionPlanMetricsSet::new(),
        })
    }

    pub(super) fn partitions(&self) -> usize {
        self.properties.partitioning.partition_count()
    }

    /// What a partition makes, if it makes anything.
    fn share(&self, partition: usize) -> Result<Option<Share>> {
        let partitions = self.partitions();
        assert_or_internal_err!(partition < partitions, "partition {partition} of {partitions}");
        let share = self.shares.own.clone().nth(partition);
        Ok(share.map(|share| Share { scale: self.scale, part: share + 1, parts: self.shares.all }))
    }

    /// Rows of the partitions, each of them limited.
    fn row_count(&self, partitions: Range<usize>) -> Result<Precision<usize>> {
        let limit = Precision::Exact(self.limit.unwrap_or(usize::MAX));
        partitions.map(|partition| self.share(partition)).try_fold(
            Precision::Exact(0),
            |sum: Precision<usize>, share| {
                let rows = share?.map_or(Precision::Exact(0), |share| self.table.row_count(share));
                Ok(sum.add(&rows.min(&limit)))
            },
        )
    }

    /// Those of all rows that its shares have, as if there were no limit.
    fn whole_statistics(&self) -> Result<Statistics> {
        let whole = Share { scale: self.scale, part: 1, parts: 1 };
        let statistics = self.table.statistics(whole, &self.projection);
        if self.shares.is_whole() {
            return Ok(statistics);
        }
        let unlimited = Self { limit: None, ..self.clone() };
        let rows = unlimited.row_count(0..self.partitions())?;
        let bytes = statistics.total_byte_size.get_value().copied().unwrap_or(0) as u128;
        let bytes = bytes * self.shares.count() as u128 / self.shares.all.max(1) as u128;
        let mut statistics = statistics.to_inexact().with_num_rows(rows);
        statistics.total_byte_size = Precision::Inexact(bytes as usize);
        Ok(statistics)
    }

    /// About how many bytes of rows it makes without a limit.
    pub(crate) fn bytes(&self) -> u64 {
        let statistics = self.whole_statistics().ok();
        let bytes =
            statistics.and_then(|statistics| statistics.total_byte_size.get_value().copied());
        bytes.unwrap_or(0) as u64
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
                if !self.shares.is_whole() {
                    let Shares { own, all } = &self.shares;
                    write!(f, ", shares={}..{} of {all}", own.start, own.end)?;
                }
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
        let Some(share) = self.share(partition)? else {
            return Ok(Box::pin(EmptyRecordBatchStream::new(self.schema())));
        };
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
        let (statistics, partitions) = match args.partition() {
            Some(partition) => {
                let statistics = match self.share(partition)? {
                    Some(share) => self.table.statistics(share, &self.projection),
                    None => Statistics::new_unknown(&self.schema())
                        .with_num_rows(Precision::Exact(0))
                        .with_total_byte_size(Precision::Exact(0)),
                };
                (statistics, partition..partition + 1)
            }
            None => (self.whole_statistics()?, 0..self.partitions()),
        };
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
