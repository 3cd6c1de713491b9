//! The envelope of messages to a task: sealed for the task and for its place in their order, so
//! that none can be left out, repeated or sent to another task.

use datafusion_distributed::TaskKey;

use crate::envelope::{self, Purpose, Refused};
use crate::keys::FragmentKeys;

pub(crate) fn seal(
    keys: &FragmentKeys,
    task: TaskKey,
    sequence: u64,
    plain: &[u8],
) -> Result<Vec<u8>, Refused> {
    envelope::seal(keys, Purpose::Control, &recipient(task, sequence), plain)
}

pub(crate) fn open(
    keys: &FragmentKeys,
    task: TaskKey,
    sequence: u64,
    sealed: &[u8],
) -> Result<Vec<u8>, Refused> {
    envelope::open(keys, Purpose::Control, &recipient(task, sequence), sealed)
}

fn recipient(task: TaskKey, sequence: u64) -> Vec<u8> {
    let numbers = [task.stage_id as u64, task.task_number as u64, sequence];
    let numbers = numbers.map(u64::to_be_bytes).concat();
    [task.query_id.as_bytes().as_slice(), &numbers].concat()
}
