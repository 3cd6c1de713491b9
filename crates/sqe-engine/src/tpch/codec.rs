//! Generated tables on their way to other nodes: as bytes, and in parts.

use std::num::NonZeroUsize;
use std::sync::Arc;

use datafusion::common::{Result, internal_datafusion_err};
use datafusion::physical_plan::ExecutionPlan;
use prost::Message;

use super::exec::Shares;
use super::{SCALES, TpchExec, table::Table};

/// All that there is to say of rows that are generated.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct TpchMessage {
    #[prost(string, tag = "1")]
    table: String,
    #[prost(double, tag = "2")]
    scale: f64,
    /// Shares are counted from 0.
    #[prost(int32, tag = "3")]
    first_share: i32,
    #[prost(int32, tag = "4")]
    end_share: i32,
    #[prost(int32, tag = "5")]
    all_shares: i32,
    #[prost(uint32, tag = "6")]
    partitions: u32,
    /// Columns by their place in the table.
    #[prost(uint32, repeated, tag = "7")]
    projection: Vec<u32>,
    #[prost(uint64, optional, tag = "8")]
    limit: Option<u64>,
}

impl TpchMessage {
    pub(crate) fn of(exec: &TpchExec) -> Result<Self> {
        let Shares { own, all } = &exec.shares;
        let projection = exec.projection.iter().map(|column| number(*column));
        Ok(Self {
            table: exec.table.name().to_owned(),
            scale: exec.scale,
            first_share: own.start,
            end_share: own.end,
            all_shares: *all,
            partitions: number(exec.partitions())?,
            projection: projection.collect::<Result<_>>()?,
            limit: exec.limit.map(|limit| limit as u64),
        })
    }

    /// Errors: internal for what no plan has.
    pub(crate) fn exec(self) -> Result<Arc<dyn ExecutionPlan>> {
        let own = self.first_share..self.end_share;
        let partitions = self.partitions as usize;
        let are_shares = 0 <= own.start && own.end <= self.all_shares && own.len() <= partitions;
        let table = Table::from_name(&self.table).filter(|_| are_shares);
        let table = table.filter(|_| SCALES.contains(&self.scale)).ok_or_else(|| {
            internal_datafusion_err!("a share of a generated table does not decode: {self:?}")
        })?;
        let shares = Shares { own, all: self.all_shares };
        let projection = self.projection.iter().map(|column| *column as usize).collect();
        let limit = self.limit.map(|limit| usize::try_from(limit).unwrap_or(usize::MAX));
        Ok(Arc::new(TpchExec::try_new(table, self.scale, shares, partitions, projection, limit)?))
    }
}

fn number(count: usize) -> Result<u32> {
    u32::try_from(count).map_err(|error| internal_datafusion_err!("{count}: {error}"))
}

impl TpchExec {
    /// Parts of it for so many tasks, with as many partitions.
    ///
    /// A whole table is divided anew into as many shares as all tasks have partitions. A table that
    /// cannot be divided, and a part of one, gives each task some of its shares, or none.
    pub(crate) fn split(&self, tasks: NonZeroUsize) -> Result<Vec<Arc<dyn ExecutionPlan>>> {
        let (count, partitions) = (tasks.get(), self.partitions());
        let anew = i32::try_from(count.saturating_mul(self.shares.count())).ok();
        let shares = match anew.filter(|_| self.shares.is_whole() && self.table.divides()) {
            Some(all) => Shares::all(all),
            None => self.shares.clone(),
        };
        let parts = (0..count).map(|task| {
            let bound = |task: usize| {
                let behind = shares.count() * task / count;
                // At most as many as there are shares.
                shares.own.start + i32::try_from(behind).unwrap_or(0)
            };
            let shares = Shares { own: bound(task)..bound(task + 1), all: shares.all };
            let (projection, limit) = (self.projection.clone(), self.limit);
            let part =
                Self::try_new(self.table, self.scale, shares, partitions, projection, limit)?;
            Ok(Arc::new(part) as _)
        });
        parts.collect()
    }
}
