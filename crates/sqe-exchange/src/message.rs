//! What is on the wire, as protocol-buffer messages. They have no compatibility promise: only nodes
//! of one build speak with each other.

use std::collections::HashMap;

/// A task, sealed for one run of one worker.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct FragmentMessage {
    #[prost(message, optional, tag = "1")]
    pub(crate) task: Option<TaskKeyMessage>,
    #[prost(uint64, tag = "2")]
    pub(crate) task_count: u64,
    #[prost(bytes = "vec", tag = "3")]
    pub(crate) plan: Vec<u8>,
    #[prost(string, tag = "4")]
    pub(crate) user: String,
    #[prost(map = "string, string", tag = "5")]
    pub(crate) options: HashMap<String, String>,
    #[prost(map = "string, string", tag = "6")]
    pub(crate) headers: HashMap<String, String>,
    #[prost(message, repeated, tag = "7")]
    pub(crate) grants: Vec<GrantMessage>,
    #[prost(uint64, tag = "8")]
    pub(crate) expires_unix_millis: u64,
    #[prost(uint64, tag = "9")]
    pub(crate) query_start_unix_nanos: u64,
    #[prost(string, tag = "10")]
    pub(crate) trace_parent: String,
    /// As plans name it.
    #[prost(string, tag = "11")]
    pub(crate) worker: String,
}

/// The access to one store.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct GrantMessage {
    #[prost(uint64, tag = "1")]
    pub(crate) storage: u64,
    #[prost(bytes = "vec", tag = "2")]
    pub(crate) grant: Vec<u8>,
}

/// A task of a query.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct TaskKeyMessage {
    #[prost(bytes = "vec", tag = "1")]
    pub(crate) query: Vec<u8>,
    #[prost(uint64, tag = "2")]
    pub(crate) stage: u64,
    #[prost(uint64, tag = "3")]
    pub(crate) task: u64,
}

/// The right to fetch partitions of a task once, sealed for one run of one worker.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct TicketMessage {
    #[prost(message, optional, tag = "1")]
    pub(crate) task: Option<TaskKeyMessage>,
    #[prost(uint64, tag = "2")]
    pub(crate) partition_start: u64,
    #[prost(uint64, tag = "3")]
    pub(crate) partition_end: u64,
    #[prost(oneof = "HeadMessage", tags = "4, 5, 6")]
    pub(crate) head: Option<HeadMessage>,
    #[prost(uint64, tag = "7")]
    pub(crate) expires_unix_millis: u64,
}

/// What the task puts on top of its plan for this consumer.
#[derive(Clone, PartialEq, prost::Oneof)]
pub(crate) enum HeadMessage {
    #[prost(bool, tag = "4")]
    Plain(bool),
    #[prost(uint64, tag = "5")]
    Broadcast(u64),
    #[prost(bytes, tag = "6")]
    Repartition(Vec<u8>),
}

/// From the coordinator to a task, sealed with its place in the order of messages.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct ControlMessage {
    #[prost(oneof = "Control", tags = "1, 2")]
    pub(crate) control: Option<Control>,
}

#[derive(Clone, PartialEq, prost::Oneof)]
pub(crate) enum Control {
    /// The answer to a [`Report::Renew`].
    #[prost(message, tag = "1")]
    Renewed(RenewedMessage),
    /// The query is over before its end, for this reason.
    #[prost(message, tag = "2")]
    Cancel(ErrorMessage),
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct RenewedMessage {
    #[prost(uint64, tag = "1")]
    pub(crate) storage: u64,
    #[prost(oneof = "RenewedOutcome", tags = "2, 3")]
    pub(crate) outcome: Option<RenewedOutcome>,
}

#[derive(Clone, PartialEq, prost::Oneof)]
pub(crate) enum RenewedOutcome {
    #[prost(bytes, tag = "2")]
    Grant(Vec<u8>),
    #[prost(message, tag = "3")]
    Error(ErrorMessage),
}

/// From a task to the coordinator.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct ReportMessage {
    #[prost(oneof = "Report", tags = "1, 2, 3, 4")]
    pub(crate) report: Option<Report>,
}

#[derive(Clone, PartialEq, prost::Oneof)]
pub(crate) enum Report {
    /// The plan is decoded and can be executed.
    #[prost(bool, tag = "1")]
    Accepted(bool),
    /// The task is not possible, or what it runs in failed.
    #[prost(message, tag = "2")]
    Failed(ErrorMessage),
    /// The keys of a store end.
    #[prost(uint64, tag = "3")]
    Renew(u64),
    /// What the task did, after its end.
    #[prost(message, tag = "4")]
    Metrics(TaskMetricsMessage),
}

/// An error with its kind. What the kinds are is the business of those who make errors.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct ErrorMessage {
    #[prost(uint32, tag = "1")]
    pub(crate) kind: u32,
    #[prost(string, tag = "2")]
    pub(crate) message: String,
    #[prost(string, optional, tag = "3")]
    pub(crate) hint: Option<String>,
    #[prost(bool, tag = "4")]
    pub(crate) is_lost_worker: bool,
}

/// What comes with each message of a `DoGet`.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct PartMessage {
    #[prost(uint64, tag = "1")]
    pub(crate) partition: u64,
    /// Set on the last message of the partition, which brings no rows.
    #[prost(oneof = "End", tags = "2, 3")]
    pub(crate) end: Option<End>,
}

#[derive(Clone, PartialEq, prost::Oneof)]
pub(crate) enum End {
    /// All rows have been sent. A stream that ends without it was cut off.
    #[prost(bool, tag = "2")]
    Complete(bool),
    #[prost(message, tag = "3")]
    Failed(ErrorMessage),
}

/// The metrics of a task: of its plan's nodes in pre-order, and its own.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct TaskMetricsMessage {
    #[prost(message, repeated, tag = "1")]
    pub(crate) nodes: Vec<MetricsMessage>,
    #[prost(message, optional, tag = "2")]
    pub(crate) task: Option<MetricsMessage>,
    /// Rows that were given to consumers.
    #[prost(uint64, tag = "3")]
    pub(crate) rows: u64,
    #[prost(uint64, tag = "4")]
    pub(crate) exchanged_bytes: u64,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct MetricsMessage {
    #[prost(message, repeated, tag = "1")]
    pub(crate) metrics: Vec<MetricMessage>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct MetricMessage {
    #[prost(uint32, tag = "1")]
    pub(crate) kind: u32,
    #[prost(string, tag = "2")]
    pub(crate) name: String,
    #[prost(uint64, repeated, tag = "3")]
    pub(crate) values: Vec<u64>,
    #[prost(uint64, optional, tag = "4")]
    pub(crate) partition: Option<u64>,
    #[prost(map = "string, string", tag = "5")]
    pub(crate) labels: HashMap<String, String>,
    #[prost(bool, tag = "6")]
    pub(crate) is_detail: bool,
}

/// What a worker tells of itself, sealed for the challenge of one coordinator.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct WorkerMessage {
    #[prost(string, tag = "1")]
    pub(crate) url: String,
    #[prost(string, tag = "2")]
    pub(crate) build: String,
    #[prost(uint64, tag = "3")]
    pub(crate) cores: u64,
    #[prost(uint64, tag = "4")]
    pub(crate) memory_bytes: u64,
    #[prost(uint64, tag = "5")]
    pub(crate) memory_used_bytes: u64,
    #[prost(uint64, tag = "6")]
    pub(crate) running_tasks: u64,
    #[prost(bool, tag = "7")]
    pub(crate) is_draining: bool,
}

/// The coordinator's answer: what the worker must prove to know the key with next time.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct ChallengeMessage {
    #[prost(bytes = "vec", tag = "1")]
    pub(crate) challenge: Vec<u8>,
}
