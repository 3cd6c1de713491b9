//! The channel to one task: its fragment goes out first, then what it must know while it runs; its
//! acceptance, requests for keys and metrics come back.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use arrow_flight::FlightData;
use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::execution::TaskContext;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::metrics::MetricsSet;
use datafusion_distributed::{
    CoordinatorToWorkerMsg, MaybeEncoded, SetPlanRequest, TaskKey, TaskMetrics,
    WorkerToCoordinatorMsg,
};
use futures::stream::BoxStream;
use futures::{FutureExt, StreamExt};
use http::HeaderMap;
use prost::Message;
use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_stream::wrappers::{ReceiverStream, UnboundedReceiverStream};
use tonic::Streaming;

use super::{Channel, Inner};
use crate::address::WorkerAddress;
use crate::control_envelope;
use crate::error::RemoteError;
use crate::fragment::Fragment;
use crate::message::{
    Control, ControlMessage, RenewedMessage, RenewedOutcome, Report, ReportMessage,
};
use crate::query::Query;

/// A worker has so long to take a plan.
const ACCEPT_TIMEOUT: Duration = Duration::from_secs(30);

/// A task has so long to tell its metrics once its query is over.
const FAREWELL_TIMEOUT: Duration = Duration::from_secs(3);

/// Messages on their way to a task.
const QUEUE: usize = 16;

type Reports = BoxStream<'static, datafusion::error::Result<WorkerToCoordinatorMsg>>;

/// Sends a task, and answers with what it reports once its worker has accepted it. The task ends
/// when `over` does.
pub(super) async fn send(
    channel: &Channel,
    headers: HeaderMap,
    request: SetPlanRequest,
    over: BoxStream<'static, CoordinatorToWorkerMsg>,
    task: &Arc<TaskContext>,
    query: &Arc<Query>,
) -> Result<Reports, RemoteError> {
    let (exchange, worker) = (&channel.exchange, &channel.worker);
    let (key, errors) = (request.task_key, &exchange.errors);
    query.sent(key, worker.clone());
    let fragment = fragment(headers, request, task, query, channel).await;
    let (fragment, nodes) = fragment?;
    let sealed =
        fragment.seal(&exchange.keys).map_err(|_| errors.broken("a fragment cannot be sealed"))?;

    let (to_worker, outbox) = mpsc::channel(QUEUE);
    let first = FlightData { app_metadata: sealed.into(), ..FlightData::default() };
    // The queue is empty.
    let _ = to_worker.try_send(first);
    let began = Instant::now();
    let lost = |why: &str| exchange.lost(worker, why);
    let mut client = exchange.connections.client(worker).await.map_err(|why| lost(&why))?;
    let accepted = async {
        let answer = client.do_exchange(ReceiverStream::new(outbox)).await;
        let mut answers = answer.map_err(|status| lost(status.message()))?.into_inner();
        match next(&mut answers).await.map_err(|why| lost(&why))? {
            Some(Report::Accepted(_)) => Ok(answers),
            Some(Report::Failed(error)) => Err(RemoteError::from(error)),
            _ => Err(errors.broken("a worker did not answer a fragment")),
        }
    };
    let accepted = tokio::select! {
        accepted = timeout(ACCEPT_TIMEOUT.min(query.time_left()), accepted) => {
            accepted.unwrap_or_else(|_| Err(lost("it does not answer")))
        }
        () = query.over().cancelled() => {
            Err(query.failure().unwrap_or_else(|| errors.timed_out("the query is over")))
        }
    };
    let answers = accepted.inspect_err(|error| {
        query.change(key, |task| {
            task.ended_after = Some(began.elapsed());
            task.error = Some(error.message.clone());
        });
    })?;
    query.change(key, |task| task.accepted_after = Some(began.elapsed()));

    let (reports, inbox) = mpsc::unbounded_channel();
    let conversation = Conversation {
        exchange: Arc::clone(exchange),
        query: Arc::clone(query),
        key,
        worker: worker.clone(),
        began,
        to_worker,
        sequence: 0,
        reports,
        nodes,
    };
    // It goes on for a moment after whoever reads the reports is gone.
    exchange.farewells.spawn(conversation.run(answers, over));
    Ok(UnboundedReceiverStream::new(inbox).map(Ok).boxed())
}

/// The fragment of a task, and how many nodes its plan has.
async fn fragment(
    headers: HeaderMap,
    request: SetPlanRequest,
    task: &Arc<TaskContext>,
    query: &Query,
    channel: &Channel,
) -> Result<(Fragment, usize), RemoteError> {
    let exchange = &channel.exchange;
    let remote = |error| exchange.errors.to_remote(&error);
    let (mut grants, mut nodes) = (Vec::new(), 0);
    if let MaybeEncoded::Decoded(plan) = &request.plan {
        nodes = count_nodes(plan);
        if let Some(renewals) = &query.renewals {
            grants = renewals.grants(plan).await.map_err(remote)?;
        }
    }
    if !request.work_unit_feed_declarations.is_empty() {
        return Err(exchange.errors.broken("a plan feeds its tasks while they run"));
    }
    let headers = headers.iter().filter_map(|(name, value)| {
        Some((name.as_str().to_owned(), value.to_str().ok()?.to_owned()))
    });
    let fragment = Fragment {
        key: request.task_key,
        task_count: request.task_count,
        plan: request.plan.encode(task).map_err(remote)?,
        user: query.user.clone(),
        options: query.options.clone(),
        headers: headers.collect::<HashMap<_, _>>(),
        grants,
        expires_at: query.expires_at,
        query_start_nanos: request.query_start_time_ns as u64,
        trace_parent: query.trace_parent.clone(),
        worker: channel.worker.clone(),
    };
    Ok((fragment, nodes))
}

fn count_nodes(plan: &Arc<dyn ExecutionPlan>) -> usize {
    let mut nodes = 0;
    // The closure never fails.
    let _ = plan.apply(|_| {
        nodes += 1;
        Ok(TreeNodeRecursion::Continue)
    });
    nodes
}

/// What the task says next; `None` where it is done. Errors: why it cannot be heard.
async fn next(answers: &mut Streaming<FlightData>) -> Result<Option<Report>, String> {
    match answers.message().await {
        Ok(Some(message)) => match ReportMessage::decode(message.app_metadata) {
            Ok(message) => Ok(message.report),
            Err(error) => Err(error.to_string()),
        },
        Ok(None) => Ok(None),
        Err(status) => Err(status.message().to_owned()),
    }
}

/// What goes on between a coordinator and a task that was accepted.
struct Conversation {
    exchange: Arc<Inner>,
    query: Arc<Query>,
    key: TaskKey,
    worker: WorkerAddress,
    began: Instant,
    to_worker: mpsc::Sender<FlightData>,
    /// Of the next message to the task.
    sequence: u64,
    reports: mpsc::UnboundedSender<WorkerToCoordinatorMsg>,
    nodes: usize,
}

impl Conversation {
    async fn run(
        mut self,
        mut answers: Streaming<FlightData>,
        over: BoxStream<'static, CoordinatorToWorkerMsg>,
    ) {
        // Nothing is sent on it but its end.
        let mut over = over.for_each(|_| std::future::ready(())).boxed().fuse();
        let _ = self.reports.send(WorkerToCoordinatorMsg::LoadInfoEos);
        let ended_early = loop {
            tokio::select! {
                () = &mut over => break None,
                report = next(&mut answers) => match report {
                    Ok(Some(Report::Renew(storage))) => self.renew(storage).await,
                    Ok(Some(Report::Failed(error))) => break Some(RemoteError::from(error)),
                    Ok(Some(_)) => {}
                    Ok(None) => break Some(self.lost("it ended a task")),
                    Err(why) => break Some(self.lost(&why)),
                },
            }
        };
        if let Some(error) = ended_early {
            self.query.change(self.key, |task| task.error = Some(error.message.clone()));
            self.query.fail(error);
            // The consumers of the task end by that; the query ends when they have.
            over.await;
        }
        self.say_farewell(answers).await;
        self.query.change(self.key, |task| task.ended_after = Some(self.began.elapsed()));
    }

    fn lost(&self, why: &str) -> RemoteError {
        self.exchange.lost(&self.worker, why)
    }

    async fn renew(&mut self, storage: u64) {
        let errors = Arc::clone(&self.exchange.errors);
        let renewed = match &self.query.renewals {
            Some(renewals) => renewals.renew(storage).await,
            None => Err(errors.to_local(errors.broken("keys are asked of a worker"))),
        };
        let outcome = match renewed {
            Ok(grant) => RenewedOutcome::Grant(grant),
            Err(error) => RenewedOutcome::Error(errors.to_remote(&error).into()),
        };
        self.tell(Control::Renewed(RenewedMessage { storage, outcome: Some(outcome) })).await;
    }

    async fn tell(&mut self, control: Control) {
        let message = ControlMessage { control: Some(control) }.encode_to_vec();
        let sealed = control_envelope::seal(&self.exchange.keys, self.key, self.sequence, &message);
        self.sequence += 1;
        if let Ok(sealed) = sealed {
            let data = FlightData { app_metadata: sealed.into(), ..FlightData::default() };
            // A task that is gone is noticed by its silence.
            let _ = self.to_worker.send(data).await;
        }
    }

    /// Tells the task that the query is over, and why if that is before its end, and waits a
    /// moment for its metrics. Whatever fails now cannot change the answer of the query.
    async fn say_farewell(&mut self, mut answers: Streaming<FlightData>) {
        if let Some(reason) = self.query.failure() {
            self.tell(Control::Cancel(reason.into())).await;
        }
        // The end of the requests is the end of the query for the task.
        self.to_worker = mpsc::channel(1).0;
        let metrics = async {
            loop {
                match next(&mut answers).await {
                    Ok(Some(Report::Metrics(metrics))) => break Some(metrics),
                    Ok(Some(_)) => {}
                    Ok(None) | Err(_) => break None,
                }
            }
        };
        let metrics = timeout(FAREWELL_TIMEOUT, metrics).await.ok().flatten();
        let metrics = match metrics {
            Some(message) => {
                let totals = message.totals();
                self.query.change(self.key, |task| task.totals = totals);
                message.into()
            }
            // Whoever waits for the metrics of all tasks gets as many as there are nodes.
            None => TaskMetrics {
                pre_order_plan_metrics: vec![MetricsSet::new(); self.nodes],
                task_metrics: MetricsSet::new(),
            },
        };
        let _ = self.reports.send(WorkerToCoordinatorMsg::TaskMetrics(metrics));
    }
}
