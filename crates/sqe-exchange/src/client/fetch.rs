//! Partitions of a task: one request brings many of them, mixed, and each becomes a stream.
//!
//! Whoever reads one partition must not wait for the reader of another, or joins that read one
//! after the other would stand still. So the queues have no length of their own; what lies in all
//! of them together is bounded in bytes, and beyond that nothing more is taken from the worker.

use std::ops::Range;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use arrow::record_batch::RecordBatch;
use arrow_flight::decode::FlightRecordBatchStream;
use arrow_flight::error::FlightError;
use arrow_flight::{FlightData, Ticket as FlightTicket};
use datafusion::common::runtime::SpawnedTask;
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::TaskContext;
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryReservation};
use datafusion::physical_plan::metrics::{Count, ExecutionPlanMetricsSet, MetricBuilder};
use datafusion_distributed::{DistributedConfig, ExecuteTaskRequest, ProducerHead};
use futures::stream::BoxStream;
use futures::{Stream, StreamExt};
use prost::Message;
use tokio::sync::{Notify, mpsc};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tonic::Streaming;

use super::{Channel, Inner};
use crate::address::WorkerAddress;
use crate::error::RemoteError;
use crate::message::{End, PartMessage};
use crate::query::Query;
use crate::ticket::{Head, Ticket};

/// A request is sent when its first partition is read, or after this time: by then the worker
/// would soon forget the task.
const EAGER_AFTER: Duration = Duration::from_secs(240);

/// The worker answers the first message of a request within this time, or the time of the query.
const FIRST_ANSWER_TIMEOUT: Duration = Duration::from_secs(30);

type Rows = BoxStream<'static, Result<RecordBatch>>;
/// A message, or the end of the rows. A queue that ends without it was cut off.
type Item = Result<Option<FlightData>, RemoteError>;

/// The streams of the requested partitions, in their order.
pub(super) fn partitions(
    channel: &Channel,
    request: ExecuteTaskRequest,
    metrics: &ExecutionPlanMetricsSet,
    task: &Arc<TaskContext>,
    query: Arc<Query>,
) -> Result<Vec<Rows>> {
    let config = DistributedConfig::from_session_config(task.session_config())?;
    let partitions = request.target_partition_start..request.target_partition_end;
    let head = match request.producer_head {
        ProducerHead::None => Head::Plain,
        ProducerHead::BroadcastExec { output_partitions } => Head::Broadcast { output_partitions },
        ProducerHead::RepartitionExec { partitioning } => {
            Head::Repartition(partitioning.encode(task)?)
        }
    };
    let ticket = Ticket {
        key: request.task_key,
        partitions: partitions.clone(),
        head,
        expires_at: query.expires_at,
    };
    let shared = Arc::new(Shared {
        exchange: Arc::clone(&channel.exchange),
        worker: channel.worker.clone(),
        query,
        budget: config.worker_connection_buffer_budget_bytes,
        buffered: MemoryConsumer::new("WorkerConnection").register(task.memory_pool()),
        drained: Notify::new(),
        wanted: Notify::new(),
        unread: AtomicUsize::new(partitions.len()),
        unwanted: CancellationToken::new(),
        messages: MetricBuilder::new(metrics).global_counter("messages"),
        bytes: MetricBuilder::new(metrics).global_counter("bytes_transferred"),
    });
    let (senders, receivers): (Vec<_>, Vec<_>) =
        partitions.clone().map(|_| mpsc::unbounded_channel()).unzip();
    let demultiplexer = Demultiplexer { shared: Arc::clone(&shared), partitions, senders };
    let task = Arc::new(SpawnedTask::spawn(demultiplexer.run(ticket)));
    let streams = receivers.into_iter().map(|receiver| {
        let queue = Queue {
            shared: Arc::clone(&shared),
            receiver,
            is_wanted: false,
            _task: Arc::clone(&task),
        };
        rows(queue)
    });
    Ok(streams.collect())
}

/// What the demultiplexer and the streams share.
struct Shared {
    exchange: Arc<Inner>,
    worker: WorkerAddress,
    query: Arc<Query>,
    /// Bytes that may lie in the queues; one message of any size always may.
    budget: usize,
    buffered: MemoryReservation,
    /// Bytes left a queue.
    drained: Notify,
    /// A stream is read.
    wanted: Notify,
    /// Streams that are still held by somebody.
    unread: AtomicUsize,
    /// Nobody holds a stream any more.
    unwanted: CancellationToken,
    messages: Count,
    bytes: Count,
}

struct Demultiplexer {
    shared: Arc<Shared>,
    partitions: Range<usize>,
    senders: Vec<mpsc::UnboundedSender<Item>>,
}

impl Demultiplexer {
    async fn run(mut self, ticket: Ticket) {
        let shared = Arc::clone(&self.shared);
        let first_read = timeout(EAGER_AFTER, shared.wanted.notified());
        tokio::select! {
            biased;
            // The request is made even so: a task whose partitions go to several consumers waits
            // for all of them to have taken theirs.
            () = shared.unwanted.cancelled() => {
                let _ = self.request(ticket).await;
                return;
            }
            () = shared.query.over().cancelled() => {}
            _ = first_read => {}
        }
        if let Err(error) = self.receive(ticket).await {
            let error = shared.query.failure().unwrap_or(error);
            for sender in &self.senders {
                let _ = sender.send(Err(error.clone()));
            }
        }
    }

    async fn receive(&mut self, ticket: Ticket) -> Result<(), RemoteError> {
        let shared = Arc::clone(&self.shared);
        let stop = async {
            tokio::select! {
                () = shared.query.over().cancelled() => true,
                () = shared.unwanted.cancelled() => false,
            }
        };
        tokio::pin!(stop);
        let mut messages = tokio::select! {
            biased;
            failed = &mut stop => return self.stopped(failed),
            messages = self.request(ticket) => messages?,
        };
        let mut open = self.senders.len();
        while open > 0 {
            while shared.buffered.size() >= shared.budget {
                tokio::select! {
                    biased;
                    failed = &mut stop => return self.stopped(failed),
                    () = shared.drained.notified() => {}
                }
            }
            let message = tokio::select! {
                biased;
                failed = &mut stop => return self.stopped(failed),
                message = messages.message() => message,
            };
            let message = match message {
                Ok(Some(message)) => message,
                Ok(None) => return Err(self.lost("it ended a stream before its end")),
                Err(status) => return Err(self.failed(&status)),
            };
            open -= usize::from(self.deliver(message)?);
        }
        Ok(())
    }

    /// Why nothing more comes. Where nobody reads, nobody hears it.
    fn stopped(&self, failed: bool) -> Result<(), RemoteError> {
        match failed {
            true => {
                let over = || self.shared.exchange.errors.timed_out("the query is over");
                Err(self.shared.query.failure().unwrap_or_else(over))
            }
            false => Ok(()),
        }
    }

    async fn request(&self, ticket: Ticket) -> Result<Streaming<FlightData>, RemoteError> {
        let shared = &self.shared;
        let errors = &shared.exchange.errors;
        let sealed = ticket
            .seal(&shared.exchange.keys, &shared.worker)
            .map_err(|_| errors.broken("a ticket cannot be sealed"))?;
        let client = shared.exchange.connections.client(&shared.worker).await;
        let mut client = client.map_err(|why| self.lost(&why))?;
        let limit = FIRST_ANSWER_TIMEOUT.min(shared.query.time_left());
        match timeout(limit, client.do_get(FlightTicket::new(sealed))).await {
            Ok(Ok(answer)) => Ok(answer.into_inner()),
            Ok(Err(status)) => Err(self.failed(&status)),
            Err(_) => Err(self.lost("it does not answer")),
        }
    }

    /// Puts a message where its partition is read; true if it was the last of that one.
    fn deliver(&self, message: FlightData) -> Result<bool, RemoteError> {
        let shared = &self.shared;
        let broken = |what| shared.exchange.errors.broken(what);
        let part = PartMessage::decode(message.app_metadata.clone())
            .map_err(|_| broken("a message that belongs to no partition"))?;
        let index = usize::try_from(part.partition).ok();
        let index = index.and_then(|partition| partition.checked_sub(self.partitions.start));
        let sender = index.and_then(|index| self.senders.get(index));
        let sender = sender.ok_or_else(|| broken("a message of a partition nobody asked for"))?;
        match part.end {
            None => {
                let bytes = size(&message);
                shared.messages.add(1);
                shared.bytes.add(bytes);
                shared.buffered.grow(bytes);
                if sender.send(Ok(Some(message))).is_err() {
                    // Others may still be read.
                    shared.buffered.shrink(bytes);
                }
                Ok(false)
            }
            Some(End::Complete(_)) => {
                let _ = sender.send(Ok(None));
                Ok(true)
            }
            Some(End::Failed(error)) => {
                let error = RemoteError::from(error);
                let _ = sender.send(Err(shared.query.failure().unwrap_or(error)));
                Ok(true)
            }
        }
    }

    fn lost(&self, why: &str) -> RemoteError {
        self.shared.exchange.lost(&self.shared.worker, why)
    }

    fn failed(&self, status: &tonic::Status) -> RemoteError {
        self.lost(status.message())
    }
}

fn size(message: &FlightData) -> usize {
    message.data_header.len() + message.data_body.len() + message.app_metadata.len()
}

/// What came of one partition and is not read yet.
struct Queue {
    shared: Arc<Shared>,
    receiver: mpsc::UnboundedReceiver<Item>,
    is_wanted: bool,
    /// Ends with the last of the queues.
    _task: Arc<SpawnedTask<()>>,
}

impl Stream for Queue {
    type Item = Item;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if !self.is_wanted {
            self.is_wanted = true;
            self.shared.wanted.notify_one();
        }
        let polled = self.receiver.poll_recv(context);
        if let Poll::Ready(Some(Ok(Some(message)))) = &polled {
            self.shared.buffered.shrink(size(message));
            self.shared.drained.notify_one();
        }
        polled
    }
}

impl Drop for Queue {
    fn drop(&mut self) {
        self.receiver.close();
        while let Ok(item) = self.receiver.try_recv() {
            if let Ok(Some(message)) = item {
                self.shared.buffered.shrink(size(&message));
            }
        }
        self.shared.drained.notify_one();
        if self.shared.unread.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.shared.unwanted.cancel();
        }
    }
}

/// The rows of a partition, of which a missing end is an error.
fn rows(queue: Queue) -> Rows {
    let shared = Arc::clone(&queue.shared);
    let messages = futures::stream::try_unfold(queue, async |mut queue| match queue.next().await {
        Some(Ok(Some(message))) => Ok(Some((message, queue))),
        Some(Ok(None)) => Ok(None),
        Some(Err(error)) => Err(external(error)),
        None => {
            let Shared { exchange, worker, .. } = queue.shared.as_ref();
            let why = "its rows were cut off";
            Err(external(exchange.lost(worker, why)))
        }
    });
    let rows = FlightRecordBatchStream::new_from_flight_data(messages.boxed());
    rows.map(move |batch| batch.map_err(|error| internal(error, &shared.exchange))).boxed()
}

fn external(error: RemoteError) -> FlightError {
    FlightError::ExternalError(Box::new(error))
}

fn internal(error: FlightError, exchange: &Inner) -> DataFusionError {
    let error = match error {
        FlightError::ExternalError(error) => match error.downcast::<RemoteError>() {
            Ok(error) => *error,
            Err(error) => exchange.errors.broken(&error.to_string()),
        },
        other => exchange.errors.broken(&format!("rows that cannot be read: {other}")),
    };
    exchange.errors.to_local(error)
}
