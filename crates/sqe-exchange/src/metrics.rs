//! The metrics of plan nodes as messages. What an operator counts in a form of its own is left out.

use std::mem::discriminant;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use datafusion::common::format::MetricType;
use datafusion::physical_plan::metrics::{
    Count, Gauge, Label, Metric, MetricValue, MetricsSet, PruningMetrics, RatioMergeStrategy,
    RatioMetrics, Time, Timestamp,
};
use datafusion_distributed::TaskMetrics;

use crate::message::{MetricMessage, MetricsMessage, TaskMetricsMessage};
use crate::query::TaskTotals;

/// How a kind of metric is written: as numbers, with its name where it has one of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u32)]
enum Kind {
    OutputRows = 1,
    ElapsedCompute,
    SpillCount,
    SpilledBytes,
    OutputBytes,
    OutputBatches,
    SpilledRows,
    CurrentMemoryUsage,
    Count,
    Gauge,
    PeakMemoryUsage,
    Time,
    StartTimestamp,
    EndTimestamp,
    Pruning,
    Ratio,
}

const KINDS: [Kind; 16] = [
    Kind::OutputRows,
    Kind::ElapsedCompute,
    Kind::SpillCount,
    Kind::SpilledBytes,
    Kind::OutputBytes,
    Kind::OutputBatches,
    Kind::SpilledRows,
    Kind::CurrentMemoryUsage,
    Kind::Count,
    Kind::Gauge,
    Kind::PeakMemoryUsage,
    Kind::Time,
    Kind::StartTimestamp,
    Kind::EndTimestamp,
    Kind::Pruning,
    Kind::Ratio,
];

const STRATEGIES: [RatioMergeStrategy; 3] = [
    RatioMergeStrategy::AddPartAddTotal,
    RatioMergeStrategy::AddPartSetTotal,
    RatioMergeStrategy::SetPartAddTotal,
];

pub(crate) fn to_message(metrics: &MetricsSet) -> MetricsMessage {
    let metrics = metrics.iter().filter_map(|metric| {
        let (kind, values) = to_numbers(metric.value())?;
        Some(MetricMessage {
            kind: kind as u32,
            name: metric.value().name().to_owned(),
            values: values.into_iter().map(|value| value as u64).collect(),
            partition: metric.partition().map(|partition| partition as u64),
            labels: metric
                .labels()
                .iter()
                .map(|label| (label.name().to_owned(), label.value().to_owned()))
                .collect(),
            is_detail: metric.metric_type() == MetricType::Dev,
        })
    });
    MetricsMessage { metrics: metrics.collect() }
}

pub(crate) fn from_message(message: MetricsMessage) -> MetricsSet {
    let mut metrics = MetricsSet::new();
    for message in message.metrics {
        let partition = message.partition.map(|partition| partition as usize);
        let Some(value) = from_numbers(&message) else { continue };
        let labels = message.labels.into_iter().map(|(name, value)| Label::new(name, value));
        let metric_type = if message.is_detail { MetricType::Dev } else { MetricType::Summary };
        let metric = Metric::new_with_labels(value, partition, labels.collect());
        metrics.push(Arc::new(metric.with_type(metric_type)));
    }
    metrics
}

impl From<TaskMetrics> for TaskMetricsMessage {
    fn from(metrics: TaskMetrics) -> Self {
        Self {
            nodes: metrics.pre_order_plan_metrics.iter().map(to_message).collect(),
            task: Some(to_message(&metrics.task_metrics)),
            ..Self::default()
        }
    }
}

impl From<TaskMetricsMessage> for TaskMetrics {
    fn from(message: TaskMetricsMessage) -> Self {
        Self {
            pre_order_plan_metrics: message.nodes.into_iter().map(from_message).collect(),
            task_metrics: from_message(message.task.unwrap_or_default()),
        }
    }
}

impl TaskMetricsMessage {
    /// What the task did in all.
    pub(crate) fn totals(&self) -> TaskTotals {
        let sum = |counts: fn(&MetricMessage) -> bool| {
            let metrics = self.nodes.iter().flat_map(|node| &node.metrics);
            metrics.filter(|metric| counts(metric)).filter_map(|metric| metric.values.first()).sum()
        };
        TaskTotals {
            rows: self.rows,
            exchanged_bytes: self.exchanged_bytes,
            read_bytes: sum(|metric| metric.name == "bytes_scanned"),
            spilled_bytes: sum(|metric| metric.kind == Kind::SpilledBytes as u32),
        }
    }
}

fn to_numbers(value: &MetricValue) -> Option<(Kind, Vec<usize>)> {
    let nanos = |time: &Timestamp| {
        let nanos = time.value().and_then(|time| time.timestamp_nanos_opt());
        nanos.and_then(|nanos| usize::try_from(nanos).ok()).into_iter().collect()
    };
    Some(match value {
        MetricValue::OutputRows(count) => (Kind::OutputRows, vec![count.value()]),
        MetricValue::ElapsedCompute(time) => (Kind::ElapsedCompute, vec![time.value()]),
        MetricValue::SpillCount(count) => (Kind::SpillCount, vec![count.value()]),
        MetricValue::SpilledBytes(count) => (Kind::SpilledBytes, vec![count.value()]),
        MetricValue::OutputBytes(count) => (Kind::OutputBytes, vec![count.value()]),
        MetricValue::OutputBatches(count) => (Kind::OutputBatches, vec![count.value()]),
        MetricValue::SpilledRows(count) => (Kind::SpilledRows, vec![count.value()]),
        MetricValue::CurrentMemoryUsage(gauge) => (Kind::CurrentMemoryUsage, vec![gauge.value()]),
        MetricValue::Count { count, .. } => (Kind::Count, vec![count.value()]),
        MetricValue::Gauge { gauge, .. } => (Kind::Gauge, vec![gauge.value()]),
        MetricValue::PeakMemoryUsage { gauge, .. } => (Kind::PeakMemoryUsage, vec![gauge.value()]),
        MetricValue::Time { time, .. } => (Kind::Time, vec![time.value()]),
        MetricValue::StartTimestamp(time) => (Kind::StartTimestamp, nanos(time)),
        MetricValue::EndTimestamp(time) => (Kind::EndTimestamp, nanos(time)),
        MetricValue::PruningMetrics { pruning_metrics: pruning, .. } => {
            (Kind::Pruning, vec![pruning.pruned(), pruning.matched(), pruning.fully_matched()])
        }
        MetricValue::Ratio { ratio_metrics: ratio, .. } => {
            let strategy = discriminant(ratio.merge_strategy());
            let strategy = STRATEGIES.iter().position(|known| discriminant(known) == strategy);
            (Kind::Ratio, vec![ratio.part(), ratio.total(), strategy.unwrap_or_default()])
        }
        MetricValue::Custom { .. } => return None,
    })
}

fn from_numbers(message: &MetricMessage) -> Option<MetricValue> {
    let kind = *KINDS.iter().find(|kind| **kind as u32 == message.kind)?;
    let number = |at: usize| message.values.get(at).map_or(0, |value| *value as usize);
    let name = || message.name.clone().into();
    let count = || {
        let count = Count::new();
        count.add(number(0));
        count
    };
    let gauge = || {
        let gauge = Gauge::new();
        gauge.set(number(0));
        gauge
    };
    let time = || {
        let time = Time::new();
        time.add_duration(std::time::Duration::from_nanos(number(0) as u64));
        time
    };
    let timestamp = || {
        let timestamp = Timestamp::new();
        let nanos = message.values.first().and_then(|nanos| i64::try_from(*nanos).ok());
        if let Some(nanos) = nanos {
            let moment: DateTime<Utc> = DateTime::from_timestamp_nanos(nanos);
            timestamp.set(moment);
        }
        timestamp
    };
    Some(match kind {
        Kind::OutputRows => MetricValue::OutputRows(count()),
        // A time of zero would be shown as one nanosecond.
        Kind::ElapsedCompute => MetricValue::ElapsedCompute(time()),
        Kind::SpillCount => MetricValue::SpillCount(count()),
        Kind::SpilledBytes => MetricValue::SpilledBytes(count()),
        Kind::OutputBytes => MetricValue::OutputBytes(count()),
        Kind::OutputBatches => MetricValue::OutputBatches(count()),
        Kind::SpilledRows => MetricValue::SpilledRows(count()),
        Kind::CurrentMemoryUsage => MetricValue::CurrentMemoryUsage(gauge()),
        Kind::Count => MetricValue::Count { name: name(), count: count() },
        Kind::Gauge => MetricValue::Gauge { name: name(), gauge: gauge() },
        Kind::PeakMemoryUsage => MetricValue::PeakMemoryUsage { name: name(), gauge: gauge() },
        Kind::Time => MetricValue::Time { name: name(), time: time() },
        Kind::StartTimestamp => MetricValue::StartTimestamp(timestamp()),
        Kind::EndTimestamp => MetricValue::EndTimestamp(timestamp()),
        Kind::Pruning => {
            let pruning = PruningMetrics::new();
            pruning.add_pruned(number(0));
            pruning.add_matched(number(1));
            pruning.add_fully_matched(number(2));
            MetricValue::PruningMetrics { name: name(), pruning_metrics: pruning }
        }
        Kind::Ratio => {
            let strategy = STRATEGIES.get(number(2)).cloned().unwrap_or_default();
            let ratio = RatioMetrics::new().with_merge_strategy(strategy);
            ratio.set_part(number(0));
            ratio.set_total(number(1));
            MetricValue::Ratio { name: name(), ratio_metrics: ratio }
        }
    })
}

#[cfg(test)]
mod tests {
    use datafusion::physical_plan::metrics::{ExecutionPlanMetricsSet, MetricBuilder};

    use super::*;

    #[test]
    fn metrics_come_back_as_they_were() {
        let set = ExecutionPlanMetricsSet::new();
        let build = || MetricBuilder::new(&set);
        build().output_rows(1).add(7);
        build().spilled_bytes(0).add(8);
        build().global_counter("files_read").add(9);
        build().with_new_label("file", "a").counter("row_groups", 2).add(10);
        build().peak_memory_usage("build_mem_used", 0).set(11);
        build().elapsed_compute(0).add_duration(std::time::Duration::from_nanos(12));
        build().start_timestamp(0).record();
        let before = set.clone_inner();
        let after = from_message(to_message(&before));
        let shown = |set: &MetricsSet| {
            set.iter()
                .map(|m| format!("{:?} {:?} {:?}", m.value(), m.partition(), m.labels()))
                .collect::<Vec<_>>()
        };
        assert_eq!(shown(&after), shown(&before));
    }
}
