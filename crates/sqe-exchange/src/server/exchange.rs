//! `DoExchange`: a task arrives, is accepted, and lives until its coordinator ends it.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use arrow_flight::FlightData;
use datafusion::error::Result;
use datafusion_distributed::{
    CoordinatorToWorkerMsg, MaybeEncoded, SetPlanRequest, WorkerToCoordinatorMsg,
};
use futures::stream::{self, BoxStream};
use futures::{FutureExt, StreamExt};
use http::{HeaderMap, HeaderName, HeaderValue};
use prost::Message;
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Status, Streaming};

use super::renewals::Renewal;
use super::sessions::OpenedTask;
use super::tasks::{NotTaken, Running};
use super::{Inner, refused};
use crate::control_envelope;
use crate::envelope;
use crate::error::RemoteError;
use crate::fragment::Fragment;
use crate::message::{
    Control, ControlMessage, RenewedOutcome, Report, ReportMessage, TaskMetricsMessage,
};
use crate::query::{Query, after};

/// A stranger who connects and says nothing is sent away after this time.
const FIRST_MESSAGE_TIMEOUT: Duration = Duration::from_secs(10);

/// The metrics of a task that is over are there at once.
const METRICS_TIMEOUT: Duration = Duration::from_secs(2);

/// Reports on their way to the coordinator.
const QUEUE: usize = 16;

type Answers = BoxStream<'static, Result<FlightData, Status>>;

pub(super) async fn run(
    inner: &Arc<Inner>,
    mut requests: Streaming<FlightData>,
) -> Result<Answers, Status> {
    let first = timeout(FIRST_MESSAGE_TIMEOUT, requests.message()).await;
    let first = first.map_err(|_| refused("fragment"))??.ok_or_else(|| refused("fragment"))?;
    let sealed = first.app_metadata;
    let fragment = Fragment::open(&inner.keys, inner.incarnation, &sealed);
    let fragment = fragment.map_err(|_| refused("fragment"))?;
    let is_new = envelope::nonce(&sealed)
        .is_some_and(|nonce| inner.tasks.is_new(nonce, fragment.expires_at));
    if !is_new {
        return Err(refused("fragment"));
    }
    drop(sealed);

    let mut query = Query::new(fragment.user.clone(), fragment.expires_at);
    query.options = fragment.options.clone();
    query.trace_parent = fragment.trace_parent.clone();
    let busy = |why| {
        let failed = Report::Failed(inner.errors.busy(why).into());
        Ok(stream::iter([Ok(message(failed))]).boxed())
    };
    let running = match inner.tasks.take(fragment.key, query) {
        Ok(running) => running,
        Err(NotTaken::Busy) => return busy("too many tasks run on it"),
        Err(NotTaken::Draining) => return busy("it is about to stop"),
        Err(NotTaken::Replayed) => return Err(refused("fragment")),
    };
    let (reports, answers) = mpsc::channel(QUEUE);
    let task = RunningTask { inner: Arc::clone(inner), running, reports, sequence: 0 };
    inner.conversations.spawn(task.run(fragment, requests));
    Ok(ReceiverStream::new(answers).map(Ok).boxed())
}

fn message(report: Report) -> FlightData {
    let report = ReportMessage { report: Some(report) }.encode_to_vec();
    FlightData { app_metadata: report.into(), ..FlightData::default() }
}

struct RunningTask {
    inner: Arc<Inner>,
    running: Running,
    reports: mpsc::Sender<FlightData>,
    /// Of the next message from the coordinator.
    sequence: u64,
}

impl RunningTask {
    async fn run(mut self, fragment: Fragment, requests: Streaming<FlightData>) {
        let (renewal, wanted) = Renewal::new(Arc::clone(&self.inner.errors));
        let (end, ended) = oneshot::channel();
        match self.start(fragment, Arc::clone(&renewal), ended).await {
            Ok(reports) => {
                self.running.task.is_ready.send_replace(true);
                self.report(Report::Accepted(true)).await;
                self.listen(requests, wanted, &renewal).await;
                renewal.close();
                // Ends the task for datafusion-distributed, which gives its metrics then.
                drop(end);
                if let Some(metrics) = metrics(reports).await {
                    let metrics = self.count(metrics);
                    self.report(Report::Metrics(metrics)).await;
                }
            }
            Err(error) => {
                self.running.task.query.fail(error.clone());
                self.report(Report::Failed(error.into())).await;
            }
        }
    }

    /// Decodes the plan in a session of the task.
    async fn start(
        &self,
        fragment: Fragment,
        renewal: Arc<Renewal>,
        ended: oneshot::Receiver<()>,
    ) -> Result<BoxStream<'static, Result<WorkerToCoordinatorMsg>>, RemoteError> {
        let mut headers = headers(fragment.headers);
        let query = Arc::clone(&self.running.task.query);
        let opened = OpenedTask { query, grants: fragment.grants, renewal };
        self.inner.opened.put(fragment.key, opened, &mut headers);
        let target_worker_url = fragment.worker.url().clone();
        let request = SetPlanRequest {
            task_key: fragment.key,
            task_count: fragment.task_count,
            plan: MaybeEncoded::Encoded(fragment.plan),
            work_unit_feed_declarations: Vec::new(),
            target_worker_url,
            query_start_time_ns: fragment.query_start_nanos as usize,
        };
        // Nothing comes on it but its end.
        let over = ended.into_stream().filter_map(async |_| None::<Result<CoordinatorToWorkerMsg>>);
        let started = self.inner.worker.coordinator_channel(headers, request, over.boxed()).await;
        started.map_err(|error| self.inner.errors.to_remote(&error))
    }

    /// Follows the coordinator until it ends the task, goes away, or time is up.
    async fn listen(
        &mut self,
        mut requests: Streaming<FlightData>,
        mut wanted: mpsc::UnboundedReceiver<u64>,
        renewal: &Renewal,
    ) {
        let query = Arc::clone(&self.running.task.query);
        let expiry = tokio::time::sleep_until(after(query.time_left()));
        tokio::pin!(expiry);
        loop {
            tokio::select! {
                request = requests.message() => match request {
                    Ok(Some(request)) => match self.open(&request) {
                        Some(Control::Renewed(renewed)) => {
                            let answer = match renewed.outcome {
                                Some(RenewedOutcome::Grant(grant)) => Ok(grant),
                                Some(RenewedOutcome::Error(error)) => Err(error.into()),
                                None => Err(self.inner.errors.broken("an empty answer")),
                            };
                            renewal.answer(renewed.storage, &answer);
                        }
                        Some(Control::Cancel(reason)) => return query.fail(reason.into()),
                        None => {
                            let _ = refused("control message");
                            return query.fail(self.inner.errors.broken("a forged message"));
                        }
                    },
                    Ok(None) => return,
                    Err(status) => {
                        let why = format!("its coordinator is gone: {}", status.message());
                        return query.fail(self.inner.errors.timed_out(&why));
                    }
                },
                Some(storage) = wanted.recv() => self.report(Report::Renew(storage)).await,
                () = self.reports.closed() => return,
                () = query.over().cancelled() => return,
                () = &mut expiry => {
                    return query.fail(self.inner.errors.timed_out("the query took too long"));
                }
            }
        }
    }

    fn open(&mut self, request: &FlightData) -> Option<Control> {
        let (keys, key) = (&self.inner.keys, self.running.key);
        let plain = control_envelope::open(keys, key, self.sequence, &request.app_metadata).ok()?;
        self.sequence += 1;
        ControlMessage::decode(plain.as_slice()).ok()?.control
    }

    fn count(&self, mut metrics: TaskMetricsMessage) -> TaskMetricsMessage {
        use std::sync::atomic::Ordering::Relaxed;
        metrics.rows = self.running.task.rows.load(Relaxed);
        metrics.exchanged_bytes = self.running.task.bytes.load(Relaxed);
        metrics
    }

    async fn report(&self, report: Report) {
        // A coordinator that is gone needs no reports.
        let _ = self.reports.send(message(report)).await;
    }
}

async fn metrics(
    mut reports: BoxStream<'static, Result<WorkerToCoordinatorMsg>>,
) -> Option<TaskMetricsMessage> {
    let found = async {
        while let Some(report) = reports.next().await {
            if let Ok(WorkerToCoordinatorMsg::TaskMetrics(metrics)) = report {
                return Some(metrics.into());
            }
        }
        None
    };
    timeout(METRICS_TIMEOUT, found).await.ok().flatten()
}

fn headers(headers: HashMap<String, String>) -> HeaderMap {
    let headers = headers.into_iter().filter_map(|(name, value)| {
        let name = HeaderName::try_from(name).ok()?;
        Some((name, HeaderValue::try_from(value).ok()?))
    });
    headers.collect()
}
