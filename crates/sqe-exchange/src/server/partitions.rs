//! `DoGet`: partitions of a task, mixed in one stream, each with its schema first and its end last.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use arrow_flight::FlightData;
use arrow_flight::error::FlightError;
use datafusion::common::runtime::SpawnedTask;
use datafusion::error::DataFusionError;
use datafusion::execution::SendableRecordBatchStream;
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryReservation};
use datafusion_distributed::ExecuteTaskRequest;
use futures::stream::{self, BoxStream};
use futures::{StreamExt, TryStreamExt};
use prost::Message;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::Status;

use super::tasks::Task;
use super::{Inner, refused};
use crate::batches;
use crate::envelope;
use crate::error::{Errors, RemoteError};
use crate::message::{End, PartMessage};
use crate::ticket::Ticket;

/// A consumer may ask before the task has come, which takes the coordinator a moment.
const TASK_TIMEOUT: Duration = Duration::from_secs(20);

/// Messages of a partition that wait for the network.
const QUEUE: usize = 2;

type Messages = BoxStream<'static, Result<FlightData, Status>>;

pub(super) async fn serve(inner: &Arc<Inner>, sealed: &[u8]) -> Result<Messages, Status> {
    let ticket = Ticket::open(&inner.keys, inner.incarnation, sealed);
    let ticket = ticket.map_err(|_| refused("ticket"))?;
    let is_new =
        envelope::nonce(sealed).is_some_and(|nonce| inner.tasks.is_new(nonce, ticket.expires_at));
    if !is_new {
        return Err(refused("ticket"));
    }
    let partitions = ticket.partitions.clone();
    let task = match inner.tasks.ready(&ticket.key, TASK_TIMEOUT).await {
        Ok(task) => task,
        Err(failure) => {
            let gone = || inner.errors.timed_out("the task is not on its worker");
            return Ok(all_failed(partitions, &failure.unwrap_or_else(gone)));
        }
    };
    let request = ExecuteTaskRequest {
        task_key: ticket.key,
        target_partition_start: partitions.start,
        target_partition_end: partitions.end,
        producer_head: ticket.head.into(),
    };
    let (streams, context) = match inner.worker.execute_task(request).await {
        Ok(executed) => executed,
        Err(error) => return Ok(all_failed(partitions, &inner.errors.to_remote(&error))),
    };
    let queued = MemoryConsumer::new("NetworkBoundary").register(context.memory_pool());
    let queued = Arc::new(queued);
    let (queues, producers): (Vec<_>, Vec<_>) = partitions
        .zip(streams)
        .map(|(partition, rows)| {
            let (queue, messages) = mpsc::channel(QUEUE);
            let producer = Producer {
                partition: partition as u64,
                task: Arc::clone(&task),
                errors: Arc::clone(&inner.errors),
                queue,
                queued: Arc::clone(&queued),
            };
            (ReceiverStream::new(messages), SpawnedTask::spawn(producer.run(rows)))
        })
        .unzip();
    let messages = stream::select_all(queues).map(move |message| {
        queued.shrink(size(&message));
        // The producers end with the stream.
        let _ = &producers;
        Ok(message)
    });
    Ok(messages.boxed())
}

fn all_failed(partitions: std::ops::Range<usize>, error: &RemoteError) -> Messages {
    let ends =
        partitions.map(|partition| Ok(end(partition as u64, End::Failed(error.clone().into()))));
    stream::iter(ends.collect::<Vec<_>>()).boxed()
}

fn end(partition: u64, end: End) -> FlightData {
    let part = PartMessage { partition, end: Some(end) }.encode_to_vec();
    FlightData { app_metadata: part.into(), ..FlightData::default() }
}

fn size(message: &FlightData) -> usize {
    message.data_header.len() + message.data_body.len()
}

/// Computes and encodes one partition, a little ahead of the network.
struct Producer {
    partition: u64,
    task: Arc<Task>,
    errors: Arc<dyn Errors>,
    queue: mpsc::Sender<FlightData>,
    queued: Arc<MemoryReservation>,
}

impl Producer {
    async fn run(self, rows: SendableRecordBatchStream) {
        let (task, schema) = (Arc::clone(&self.task), rows.schema());
        let rows = rows.inspect_ok(move |batch| {
            task.rows.fetch_add(batch.num_rows() as u64, Ordering::Relaxed);
        });
        let mut messages = batches::encode(schema, rows);
        let query = Arc::clone(&self.task.query);
        let ended = loop {
            let message = tokio::select! {
                biased;
                () = self.queue.closed() => return,
                () = query.over().cancelled() => {
                    let over = || self.errors.timed_out("the query is over");
                    break End::Failed(query.failure().unwrap_or_else(over).into());
                }
                message = messages.next() => message,
            };
            match message {
                Some(Ok(message)) => {
                    if !self.send(message).await {
                        return;
                    }
                }
                Some(Err(error)) => break End::Failed(self.remote(error).into()),
                None => break End::Complete(true),
            }
        };
        let _ = self.queue.send(end(self.partition, ended)).await;
    }

    async fn send(&self, mut message: FlightData) -> bool {
        let part = PartMessage { partition: self.partition, end: None };
        message.app_metadata = part.encode_to_vec().into();
        let bytes = size(&message);
        self.task.bytes.fetch_add(bytes as u64, Ordering::Relaxed);
        self.queued.grow(bytes);
        let sent = self.queue.send(message).await.is_ok();
        if !sent {
            self.queued.shrink(bytes);
        }
        sent
    }

    fn remote(&self, error: FlightError) -> RemoteError {
        match error {
            FlightError::ExternalError(error) => match error.downcast::<DataFusionError>() {
                Ok(error) => self.errors.to_remote(&error),
                Err(error) => self.errors.broken(&error.to_string()),
            },
            FlightError::Arrow(error) => self.errors.to_remote(&error.into()),
            other => self.errors.broken(&format!("rows that cannot be sent: {other}")),
        }
    }
}
