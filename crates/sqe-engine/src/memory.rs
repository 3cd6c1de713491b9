//! The memory pool of a process: bounded, fair between operators that can spill, and safe for the
//! operators that would otherwise go on with half of their input.

use std::fmt;
use std::num::NonZeroUsize;

use datafusion::error::{DataFusionError, Result};
use datafusion::execution::memory_pool::{
    FairSpillPool, MemoryConsumer, MemoryLimit, MemoryPool, MemoryReservation, TrackConsumersPool,
    human_readable_size,
};
use tracing::debug;

use crate::convert;

/// How many of the largest operators the log names.
const NAMED_OPERATORS: NonZeroUsize = NonZeroUsize::new(5).unwrap();

/// The build side of a nested-loop join. When its memory is refused, DataFusion falls back to
/// executing its input a second time; an input that can be read once only, such as a scan whose
/// partitions share their files, then loses rows without an error. An error that is not
/// "resources exhausted" keeps it from doing so.
const NESTED_LOOP_JOIN: &str = "NestedLoopJoinLoad[";

/// What users call the operators, by the beginning of their consumers' names.
const OPERATORS: [(&str, &str); 7] = [
    ("HashJoinInput", "a hash join"),
    (NESTED_LOOP_JOIN, "a nested-loop join"),
    ("CrossJoin", "a cross join"),
    ("ExternalSorter", "a sort"),
    ("TopK", "an ORDER BY with LIMIT"),
    ("GroupedHashAggregate", "a GROUP BY"),
    ("AggregateStream", "an aggregate function"),
];

/// The key that bounds the pool.
pub(crate) const LIMIT: &str = "limits.memory";

/// A bounded pool whose errors name the operator; the log names the largest ones.
#[derive(Debug)]
pub(crate) struct BoundedPool(TrackConsumersPool<FairSpillPool>);

impl BoundedPool {
    /// A pool of `bytes`.
    pub(crate) fn new(bytes: usize) -> Self {
        Self(TrackConsumersPool::new(FairSpillPool::new(bytes), NAMED_OPERATORS))
    }

    /// Why `consumer`, which has `held` bytes, does not get `additional` ones.
    fn refusal(&self, consumer: &str, additional: usize, held: usize) -> String {
        let known = OPERATORS.iter().find(|(prefix, _)| consumer.starts_with(prefix));
        let operator = known.map_or(consumer, |(_, operator)| operator);
        let size = human_readable_size;
        let (additional, held) = (size(additional), size(held));
        let of_limit = match self.memory_limit() {
            MemoryLimit::Finite(limit) => format!(" of {}", size(limit)),
            _ => String::new(),
        };
        let all = size(self.reserved());
        format!(
            "out of memory: {operator} needs {additional} more than its {held}, and all statements \
             together hold {all}{of_limit} ({LIMIT})"
        )
    }
}

impl MemoryPool for BoundedPool {
    fn name(&self) -> &str {
        "bounded"
    }

    fn register(&self, consumer: &MemoryConsumer) {
        self.0.register(consumer);
    }

    fn unregister(&self, consumer: &MemoryConsumer) {
        self.0.unregister(consumer);
    }

    fn grow(&self, reservation: &MemoryReservation, additional: usize) {
        self.0.grow(reservation, additional);
    }

    fn shrink(&self, reservation: &MemoryReservation, shrink: usize) {
        self.0.shrink(reservation, shrink);
    }

    fn try_grow(&self, reservation: &MemoryReservation, additional: usize) -> Result<()> {
        self.0.try_grow(reservation, additional).map_err(|error| {
            let name = reservation.consumer().name();
            debug!(%error, name, "memory was refused");
            let message = self.refusal(name, additional, reservation.size());
            match name.starts_with(NESTED_LOOP_JOIN) {
                true => convert::exhausted(&message).into(),
                false => DataFusionError::ResourcesExhausted(message),
            }
        })
    }

    fn reserved(&self) -> usize {
        self.0.reserved()
    }

    fn memory_limit(&self) -> MemoryLimit {
        self.0.memory_limit()
    }
}

impl fmt::Display for BoundedPool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}({})", self.name(), self.0)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::{Error, ErrorKind};

    #[test]
    fn a_nested_loop_join_is_not_told_that_resources_are_exhausted() {
        let pool: Arc<dyn MemoryPool> = Arc::new(BoundedPool::new(100));
        let refuse = |name: &str| {
            let reservation = MemoryConsumer::new(name).register(&pool);
            reservation.try_grow(101).unwrap_err()
        };
        let sort = refuse("ExternalSorter[0]");
        assert!(matches!(sort.find_root(), DataFusionError::ResourcesExhausted(_)), "{sort}");
        let join = refuse("NestedLoopJoinLoad[0]");
        assert!(matches!(join.find_root(), DataFusionError::External(_)), "{join}");
        let (sort, join) = (Error::from(sort), Error::from(join));
        assert_eq!(join.kind, ErrorKind::ResourceExhausted);
        let expected = "out of memory: a sort needs 101.0 B more than its 0.0 B, and all \
                        statements together hold 0.0 B of 100.0 B (limits.memory)";
        assert_eq!(sort.message, expected);
        assert!(sort.hint.is_some() && sort.hint == join.hint);
    }
}
