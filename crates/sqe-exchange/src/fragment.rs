//! A task with everything that its worker needs and nothing else.

use std::collections::HashMap;
use std::fmt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use datafusion_distributed::TaskKey;
use prost::Message;
use url::Url;
use uuid::Uuid;

use crate::address::WorkerAddress;
use crate::envelope::{self, Purpose, Refused};
use crate::keys::FragmentKeys;
use crate::message::{FragmentMessage, GrantMessage, TaskKeyMessage};

/// The access to one store, as bytes that whoever made them can read.
#[derive(Clone)]
pub struct Grant {
    /// The number by which the plan names the store.
    pub storage: u64,
    /// Holds keys.
    pub bytes: Vec<u8>,
}

impl fmt::Debug for Grant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Grant").field("storage", &self.storage).finish_non_exhaustive()
    }
}

/// A task on its way to a worker.
#[derive(Clone)]
pub struct Fragment {
    /// Which one.
    pub key: TaskKey,
    /// How many tasks the stage has.
    pub task_count: usize,
    /// The plan, which nobody but the worker decodes.
    pub plan: Vec<u8>,
    /// Who asked.
    pub user: String,
    /// Settings of the session that are not the default.
    pub options: HashMap<String, String>,
    /// What datafusion-distributed sends to its workers.
    pub headers: HashMap<String, String>,
    /// The stores that the plan reads.
    pub grants: Vec<Grant>,
    /// From when on it is refused, and what is left of it ends.
    pub expires_at: SystemTime,
    /// When the query began, nanoseconds since 1970.
    pub query_start_nanos: u64,
    /// W3C trace context, empty without one.
    pub trace_parent: String,
    /// Whom it is for.
    pub worker: WorkerAddress,
}

impl fmt::Debug for Fragment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fragment")
            .field("key", &self.key)
            .field("user", &self.user)
            .field("plan_bytes", &self.plan.len())
            .finish_non_exhaustive()
    }
}

impl Fragment {
    /// Sealed for the run of the worker that it is for.
    pub(crate) fn seal(self, keys: &FragmentKeys) -> Result<Vec<u8>, Refused> {
        let worker = self.worker;
        let message = FragmentMessage {
            task: Some(key_message(self.key)),
            task_count: self.task_count as u64,
            plan: self.plan,
            user: self.user,
            options: self.options,
            headers: self.headers,
            grants: self
                .grants
                .into_iter()
                .map(|grant| GrantMessage { storage: grant.storage, grant: grant.bytes })
                .collect(),
            expires_unix_millis: unix_millis(self.expires_at),
            query_start_unix_nanos: self.query_start_nanos,
            trace_parent: self.trace_parent,
            worker: worker.url().to_string(),
        };
        let plain = message.encode_to_vec();
        envelope::seal(keys, Purpose::Fragment, worker.incarnation().as_bytes(), &plain)
    }

    /// What was sealed for this run, which is `incarnation`, and has not expired.
    pub(crate) fn open(
        keys: &FragmentKeys,
        incarnation: Uuid,
        sealed: &[u8],
    ) -> Result<Self, Refused> {
        let plain = envelope::open(keys, Purpose::Fragment, incarnation.as_bytes(), sealed)?;
        let message = FragmentMessage::decode(plain.as_slice()).map_err(|_| Refused)?;
        let expires_at = from_unix_millis(message.expires_unix_millis);
        if expires_at <= SystemTime::now() {
            return Err(Refused);
        }
        let worker = Url::parse(&message.worker).map_err(|_| Refused)?;
        let grants = message.grants.into_iter();
        Ok(Self {
            key: key_of(message.task)?,
            task_count: usize::try_from(message.task_count).map_err(|_| Refused)?,
            plan: message.plan,
            user: message.user,
            options: message.options,
            headers: message.headers,
            grants: grants
                .map(|grant| Grant { storage: grant.storage, bytes: grant.grant })
                .collect(),
            expires_at,
            query_start_nanos: message.query_start_unix_nanos,
            trace_parent: message.trace_parent,
            worker: WorkerAddress::try_from(&worker).map_err(|_| Refused)?,
        })
    }
}

pub(crate) fn key_message(key: TaskKey) -> TaskKeyMessage {
    TaskKeyMessage {
        query: key.query_id.as_bytes().to_vec(),
        stage: key.stage_id as u64,
        task: key.task_number as u64,
    }
}

pub(crate) fn key_of(message: Option<TaskKeyMessage>) -> Result<TaskKey, Refused> {
    let message = message.ok_or(Refused)?;
    Ok(TaskKey {
        query_id: Uuid::from_slice(&message.query).map_err(|_| Refused)?,
        stage_id: usize::try_from(message.stage).map_err(|_| Refused)?,
        task_number: usize::try_from(message.task).map_err(|_| Refused)?,
    })
}

pub(crate) fn unix_millis(time: SystemTime) -> u64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

pub(crate) fn from_unix_millis(millis: u64) -> SystemTime {
    UNIX_EPOCH.checked_add(Duration::from_millis(millis)).unwrap_or(UNIX_EPOCH)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fragment(run: u128, expires_at: SystemTime) -> Fragment {
        Fragment {
            worker: WorkerAddress::new("http://w:1", Uuid::from_u128(run)).unwrap(),
            key: TaskKey { query_id: Uuid::from_u128(1), stage_id: 2, task_number: 3 },
            task_count: 4,
            plan: b"a plan".to_vec(),
            user: "ada".to_owned(),
            options: HashMap::from([("a".to_owned(), "b".to_owned())]),
            headers: HashMap::new(),
            grants: vec![Grant { storage: 7, bytes: b"hush".to_vec() }],
            expires_at,
            query_start_nanos: 5,
            trace_parent: String::new(),
        }
    }

    #[test]
    fn it_opens_in_the_run_that_it_is_for_until_it_expires() {
        let keys = FragmentKeys::random();
        let check = |for_run, life: i64, in_run: u128, good: bool| {
            let now = SystemTime::now();
            let life_of = Duration::from_secs(life.unsigned_abs());
            let expires_at = if life < 0 { now - life_of } else { now + life_of };
            let sealed = fragment(for_run, expires_at).seal(&keys).unwrap();
            let opened = Fragment::open(&keys, Uuid::from_u128(in_run), &sealed);
            assert_eq!(opened.is_ok(), good);
            if let Ok(opened) = opened {
                assert_eq!((opened.user.as_str(), opened.plan.as_slice()), ("ada", &b"a plan"[..]));
                assert_eq!(opened.key, fragment(for_run, expires_at).key);
                assert_eq!(opened.grants[0].bytes, b"hush");
            }
        };
        check(1, 60, 1, true);
        check(1, 60, 2, false);
        check(1, -1, 1, false);
    }

    #[test]
    fn nothing_secret_is_shown() {
        let shown = format!("{:?}", fragment(1, SystemTime::now()));
        assert!(!shown.contains("hush") && !shown.contains("a plan"), "{shown}");
        assert!(!format!("{:?}", fragment(1, SystemTime::now()).grants).contains("hush"));
    }
}
