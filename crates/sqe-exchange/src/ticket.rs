//! The right to fetch partitions of a task.

use std::ops::Range;
use std::time::SystemTime;

use datafusion_distributed::{MaybeEncoded, ProducerHead, TaskKey};
use prost::Message;
use uuid::Uuid;

use crate::address::WorkerAddress;
use crate::envelope::{self, Purpose, Refused};
use crate::fragment::{from_unix_millis, key_message, key_of, unix_millis};
use crate::keys::FragmentKeys;
use crate::message::{HeadMessage, TicketMessage};

/// What a consumer asks of a worker. Each is good for one request.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Ticket {
    pub(crate) key: TaskKey,
    pub(crate) partitions: Range<usize>,
    pub(crate) head: Head,
    pub(crate) expires_at: SystemTime,
}

/// What the task puts on top of its plan for this consumer.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Head {
    Plain,
    Broadcast {
        output_partitions: usize,
    },
    /// By an encoded partitioning.
    Repartition(Vec<u8>),
}

impl Ticket {
    /// Sealed for one run of one worker.
    pub(crate) fn seal(
        self,
        keys: &FragmentKeys,
        worker: &WorkerAddress,
    ) -> Result<Vec<u8>, Refused> {
        let message = TicketMessage {
            task: Some(key_message(self.key)),
            partition_start: self.partitions.start as u64,
            partition_end: self.partitions.end as u64,
            head: Some(match self.head {
                Head::Plain => HeadMessage::Plain(true),
                Head::Broadcast { output_partitions } => {
                    HeadMessage::Broadcast(output_partitions as u64)
                }
                Head::Repartition(partitioning) => HeadMessage::Repartition(partitioning),
            }),
            expires_unix_millis: unix_millis(self.expires_at),
        };
        let plain = message.encode_to_vec();
        envelope::seal(keys, Purpose::Ticket, worker.incarnation().as_bytes(), &plain)
    }

    /// What was sealed for this run and has not expired.
    pub(crate) fn open(
        keys: &FragmentKeys,
        incarnation: Uuid,
        sealed: &[u8],
    ) -> Result<Self, Refused> {
        let plain = envelope::open(keys, Purpose::Ticket, incarnation.as_bytes(), sealed)?;
        let message = TicketMessage::decode(plain.as_slice()).map_err(|_| Refused)?;
        let number = |number: u64| usize::try_from(number).map_err(|_| Refused);
        let (start, end) = (number(message.partition_start)?, number(message.partition_end)?);
        let expires_at = from_unix_millis(message.expires_unix_millis);
        if start > end || expires_at <= SystemTime::now() {
            return Err(Refused);
        }
        let head = match message.head.ok_or(Refused)? {
            HeadMessage::Plain(_) => Head::Plain,
            HeadMessage::Broadcast(partitions) => {
                Head::Broadcast { output_partitions: number(partitions)? }
            }
            HeadMessage::Repartition(partitioning) => Head::Repartition(partitioning),
        };
        Ok(Self { key: key_of(message.task)?, partitions: start..end, head, expires_at })
    }
}

impl From<Head> for ProducerHead {
    fn from(head: Head) -> Self {
        match head {
            Head::Plain => Self::None,
            Head::Broadcast { output_partitions } => Self::BroadcastExec { output_partitions },
            Head::Repartition(partitioning) => {
                Self::RepartitionExec { partitioning: MaybeEncoded::Encoded(partitioning) }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn it_comes_back_as_it_was() {
        let keys = FragmentKeys::random();
        let worker = WorkerAddress::new("http://w:1", Uuid::from_u128(1)).unwrap();
        let check = |partitions: Range<usize>, head: Head, good: bool| {
            let ticket = Ticket {
                key: TaskKey { query_id: Uuid::from_u128(9), stage_id: 1, task_number: 0 },
                partitions,
                head,
                // Whole milliseconds, which is what travels.
                expires_at: from_unix_millis(unix_millis(SystemTime::now()) + 60_000),
            };
            let sealed = ticket.clone().seal(&keys, &worker).unwrap();
            let opened = Ticket::open(&keys, worker.incarnation(), &sealed);
            assert_eq!(opened, if good { Ok(ticket) } else { Err(Refused) });
            assert_eq!(Ticket::open(&keys, Uuid::from_u128(2), &sealed), Err(Refused));
        };
        check(0..4, Head::Plain, true);
        check(4..8, Head::Broadcast { output_partitions: 2 }, true);
        check(0..0, Head::Repartition(vec![1, 2, 3]), true);
        #[allow(clippy::reversed_empty_ranges)]
        check(3..2, Head::Plain, false);
    }

    #[test]
    fn it_expires() {
        let keys = FragmentKeys::random();
        let worker = WorkerAddress::new("http://w:1", Uuid::from_u128(1)).unwrap();
        let ticket = Ticket {
            key: TaskKey { query_id: Uuid::from_u128(9), stage_id: 1, task_number: 0 },
            partitions: 0..1,
            head: Head::Plain,
            expires_at: SystemTime::now() - Duration::from_secs(1),
        };
        let sealed = ticket.seal(&keys, &worker).unwrap();
        assert_eq!(Ticket::open(&keys, worker.incarnation(), &sealed), Err(Refused));
    }
}
