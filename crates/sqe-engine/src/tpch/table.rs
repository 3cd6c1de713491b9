//! The eight tables: what they hold at a scale and how their batches are made.

use std::sync::{Arc, LazyLock};

use arrow::{
    array::{RecordBatch, RecordBatchOptions},
    datatypes::{Schema, SchemaRef},
};
use datafusion::{
    common::{ColumnStatistics, Statistics, stats::Precision},
    error::Result,
};
use tpchgen::{
    distribution::Distributions,
    generators::{
        Customer, CustomerGenerator, LineItem, Nation, Order, OrderGenerator, Part, PartGenerator,
        PartSupp, PartSuppGenerator, Region, Supplier, SupplierGenerator,
    },
    text::TextPool,
};

use super::{
    TABLES,
    rows::{Row, Share},
};

/// Rows per order on average: one to seven, all equally likely.
const LINES_PER_ORDER: i64 = 4;

/// Rows per part in `partsupp`.
const SUPPLIERS_PER_PART: i64 = 4;

/// Stands in for the text of comments in scans that do not read them.
static NO_TEXTS: LazyLock<TextPool> =
    LazyLock::new(|| TextPool::new(4096, Distributions::static_default()));

/// Batches of a share, made one by one.
pub(super) type Batches = Box<dyn Iterator<Item = Result<RecordBatch>> + Send>;

/// A table of TPC-H.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Table {
    Customer,
    LineItem,
    Nation,
    Orders,
    Part,
    PartSupp,
    Region,
    Supplier,
}

impl Table {
    /// In the order of [`TABLES`].
    const ALL: [Self; 8] = [
        Self::Customer,
        Self::LineItem,
        Self::Nation,
        Self::Orders,
        Self::Part,
        Self::PartSupp,
        Self::Region,
        Self::Supplier,
    ];

    pub(super) fn from_name(name: &str) -> Option<Self> {
        let index = TABLES.iter().position(|known| *known == name)?;
        Some(Self::ALL[index])
    }

    pub(super) fn name(self) -> &'static str {
        TABLES[self as usize]
    }

    /// All columns, none of them nullable.
    pub(super) fn schema(self) -> SchemaRef {
        fn of<R: Row>() -> SchemaRef {
            let fields = R::columns().0.into_iter().map(|column| column.field).collect::<Vec<_>>();
            Arc::new(Schema::new(fields))
        }
        match self {
            Self::Customer => of::<Customer>(),
            Self::LineItem => of::<LineItem>(),
            Self::Nation => of::<Nation>(),
            Self::Orders => of::<Order>(),
            Self::Part => of::<Part>(),
            Self::PartSupp => of::<PartSupp>(),
            Self::Region => of::<Region>(),
            Self::Supplier => of::<Supplier>(),
        }
    }

    /// The rows of a share; how many lines an order has is only known by generating it.
    pub(super) fn row_count(self, Share { scale, part, parts }: Share) -> Precision<usize> {
        let count = match self {
            Self::Customer => CustomerGenerator::calculate_row_count(scale, part, parts),
            Self::LineItem => {
                LINES_PER_ORDER * OrderGenerator::calculate_row_count(scale, part, parts)
            }
            Self::Nation => Distributions::static_default().nations().size() as i64,
            Self::Orders => OrderGenerator::calculate_row_count(scale, part, parts),
            Self::Part => PartGenerator::calculate_row_count(scale, part, parts),
            // The generator counts parts here.
            Self::PartSupp => {
                SUPPLIERS_PER_PART * PartSuppGenerator::calculate_row_count(scale, part, parts)
            }
            Self::Region => Distributions::static_default().regions().size() as i64,
            Self::Supplier => SupplierGenerator::calculate_row_count(scale, part, parts),
        };
        let count = usize::try_from(count).unwrap_or(0);
        match self {
            Self::LineItem => Precision::Inexact(count),
            _ => Precision::Exact(count),
        }
    }

    /// Whether a share of it is less than all of it.
    pub(super) fn divides(self) -> bool {
        !matches!(self, Self::Nation | Self::Region)
    }

    /// Into how many shares a scan divides the table: at most `wanted`, and none without rows for
    /// a batch. Nation and region do not divide.
    pub(super) fn share_count(self, scale: f64, wanted: usize, batch_size: usize) -> i32 {
        if !self.divides() {
            return 1;
        }
        let rows = self.row_count(Share { scale, part: 1, parts: 1 });
        let batches = rows.get_value().map_or(1, |rows| rows.div_ceil(batch_size.max(1)));
        i32::try_from(wanted.min(batches)).unwrap_or(i32::MAX).max(1)
    }

    /// Row count of a share, and for the whole table the number of values of each key: what
    /// choosing the order of joins needs.
    pub(super) fn statistics(self, share: Share, projection: &[usize]) -> Statistics {
        let whole = Share { part: 1, parts: 1, ..share };
        let schema = self.schema();
        let rows = self.row_count(share);
        let mut statistics = Statistics::default().with_num_rows(rows);
        for &index in projection {
            let distinct = match schema.field(index).name().split_once('_') {
                Some((_, "custkey")) => Self::Customer.row_count(whole),
                Some((_, "nationkey")) => Self::Nation.row_count(whole),
                Some((_, "orderkey")) => Self::Orders.row_count(whole),
                Some((_, "partkey")) => Self::Part.row_count(whole),
                Some((_, "regionkey")) => Self::Region.row_count(whole),
                Some((_, "suppkey")) => Self::Supplier.row_count(whole),
                _ => Precision::Absent,
            };
            statistics = statistics.add_column_statistics(ColumnStatistics {
                null_count: Precision::Exact(0),
                distinct_count: distinct.min(&rows).to_inexact(),
                ..ColumnStatistics::new_unknown()
            });
        }
        let projected = schema.fields().iter().enumerate();
        let projected = projected.filter(|(index, _)| projection.contains(index));
        let row_bytes: usize = projected.map(|(_, field)| typical_bytes(field.data_type())).sum();
        statistics.total_byte_size = rows.to_inexact().multiply(&Precision::Inexact(row_bytes));
        statistics
    }

    /// Whether `projection` holds the one column that is cut from the big text pool.
    pub(super) fn reads_comments(self, projection: &[usize]) -> bool {
        projection.contains(&(self.schema().fields().len() - 1))
    }

    /// The first `limit` rows of a share in batches of `batch_size`.
    ///
    /// Blocks for about a second when the first comment of the process is read; a caller that
    /// must not block calls [`TextPool::get_or_init_default`] elsewhere before.
    pub(super) fn batches(
        self,
        share: Share,
        projection: &[usize],
        batch_size: usize,
        limit: Option<usize>,
    ) -> Result<Batches> {
        let texts = match self.reads_comments(projection) {
            true => TextPool::get_or_init_default(),
            false => &NO_TEXTS,
        };
        let schema = Arc::new(self.schema().project(projection)?);
        let slice = Slice { schema, projection, batch_size: batch_size.max(1), limit };
        Ok(match self {
            Self::Customer => slice.of::<Customer>(share, texts),
            Self::LineItem => slice.of::<LineItem>(share, texts),
            Self::Nation => slice.of::<Nation>(share, texts),
            Self::Orders => slice.of::<Order>(share, texts),
            Self::Part => slice.of::<Part>(share, texts),
            Self::PartSupp => slice.of::<PartSupp>(share, texts),
            Self::Region => slice.of::<Region>(share, texts),
            Self::Supplier => slice.of::<Supplier>(share, texts),
        })
    }
}

/// What of a share's rows is asked for.
struct Slice<'a> {
    schema: SchemaRef,
    projection: &'a [usize],
    batch_size: usize,
    limit: Option<usize>,
}

impl Slice<'_> {
    fn of<R: Row>(self, share: Share, texts: &'static TextPool) -> Batches {
        let mut columns = R::columns().0.into_iter().map(Some).collect::<Vec<_>>();
        let columns =
            self.projection.iter().filter_map(|&index| columns[index].take()).collect::<Vec<_>>();
        let mut rows = R::rows(share, texts).take(self.limit.unwrap_or(usize::MAX));
        let (schema, batch_size) = (self.schema, self.batch_size);
        Box::new(std::iter::from_fn(move || {
            let batch = rows.by_ref().take(batch_size).collect::<Vec<_>>();
            if batch.is_empty() {
                return None;
            }
            let arrays = columns.iter().map(|column| column.build(&batch)).collect();
            let options = RecordBatchOptions::new().with_row_count(Some(batch.len()));
            let batch = RecordBatch::try_new_with_options(Arc::clone(&schema), arrays, &options);
            Some(batch.map_err(Into::into))
        }))
    }
}

/// Bytes that a value takes in memory, for the optimizer's estimates only.
fn typical_bytes(data_type: &arrow::datatypes::DataType) -> usize {
    data_type.primitive_width().unwrap_or(32)
}
