//! The memory pool of a process: bounded, fair between operators that can spill, and safe for the
//! operators that would otherwise go on with half of their input.

use std::fmt;
use std::num::NonZeroUsize;

use datafusion::error::{DataFusionError, Result};
use datafusion::execution::memory_pool::{
    FairSpillPool, MemoryConsumer, MemoryLimit, MemoryPool, MemoryReservation, TrackConsumersPool,
};

use crate::{Error, ErrorKind};

/// How many of the largest operators an error names.
const NAMED_OPERATORS: NonZeroUsize = NonZeroUsize::new(5).unwrap();

/// The build side of a nested-loop join. When its memory is refused, DataFusion falls back to
/// executing its input a second time; an input that can be read once only, such as a scan whose
/// partitions share their files, then loses rows without an error. An error that is not
/// "resources exhausted" keeps it from doing so.
const NESTED_LOOP_JOIN: &str = "NestedLoopJoinLoad[";

/// A bounded pool whose errors name the largest operators.
#[derive(Debug)]
pub(crate) struct BoundedPool(TrackConsumersPool<FairSpillPool>);

impl BoundedPool {
    /// A pool of `bytes`.
    pub(crate) fn new(bytes: usize) -> Self {
        Self(TrackConsumersPool::new(FairSpillPool::new(bytes), NAMED_OPERATORS))
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
            match reservation.consumer().name().starts_with(NESTED_LOOP_JOIN) {
                true => final_refusal(&error),
                false => error,
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

fn final_refusal(error: &DataFusionError) -> DataFusionError {
    Error::new(ErrorKind::ResourceExhausted, error.strip_backtrace()).into()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

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
        assert_eq!(Error::from(join).kind, ErrorKind::ResourceExhausted);
    }
}
