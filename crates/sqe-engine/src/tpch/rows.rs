//! The columns of each table, in the order of the TPC-H specification, and its generator.

use tpchgen::{
    decimal::TPCHDecimal,
    distribution::Distributions,
    generators::{
        Customer, CustomerGenerator, CustomerGeneratorIterator, LineItem, LineItemGenerator,
        LineItemGeneratorIterator, Nation, NationGenerator, NationGeneratorIterator, Order,
        OrderGenerator, OrderGeneratorIterator, Part, PartGenerator, PartGeneratorIterator,
        PartSupp, PartSuppGenerator, PartSuppGeneratorIterator, Region, RegionGenerator,
        RegionGeneratorIterator, Supplier, SupplierGenerator, SupplierGeneratorIterator,
    },
    text::TextPool,
};

use super::column::Columns;

/// Part `part` of `parts`, counted from 1, of a table at a scale.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Share {
    pub(super) scale: f64,
    pub(super) part: i32,
    pub(super) parts: i32,
}

/// A row of a table.
pub(super) trait Row: Sized + 'static {
    /// Generates rows one by one, in the order of their keys.
    type Rows: Iterator<Item = Self> + Send + 'static;

    /// All columns. The comment is the last one.
    fn columns() -> Columns<Self>;

    /// The rows of a share. Comments are cut from `texts`, and nothing else is.
    fn rows(share: Share, texts: &'static TextPool) -> Self::Rows;
}

impl Row for Customer<'static> {
    type Rows = CustomerGeneratorIterator<'static>;

    fn columns() -> Columns<Self> {
        Columns::<Self>::new()
            .int64("c_custkey", |row| row.c_custkey)
            .shown("c_name", |row| &row.c_name)
            .shown("c_address", |row| &row.c_address)
            .int64("c_nationkey", |row| row.c_nationkey)
            .shown("c_phone", |row| &row.c_phone)
            .decimal("c_acctbal", |row| row.c_acctbal)
            .text("c_mktsegment", |row| row.c_mktsegment)
            .text("c_comment", |row| row.c_comment)
    }

    fn rows(Share { scale, part, parts }: Share, texts: &'static TextPool) -> Self::Rows {
        let words = Distributions::static_default();
        CustomerGenerator::new_with_distributions_and_text_pool(scale, part, parts, words, texts)
            .iter()
    }
}

impl Row for LineItem<'static> {
    type Rows = LineItemGeneratorIterator<'static>;

    fn columns() -> Columns<Self> {
        Columns::<Self>::new()
            .int64("l_orderkey", |row| row.l_orderkey)
            .int64("l_partkey", |row| row.l_partkey)
            .int64("l_suppkey", |row| row.l_suppkey)
            .int32("l_linenumber", |row| row.l_linenumber)
            // The generator counts whole pieces.
            .decimal("l_quantity", |row| TPCHDecimal::new(row.l_quantity * 100))
            .decimal("l_extendedprice", |row| row.l_extendedprice)
            .decimal("l_discount", |row| row.l_discount)
            .decimal("l_tax", |row| row.l_tax)
            .text("l_returnflag", |row| row.l_returnflag)
            .text("l_linestatus", |row| row.l_linestatus)
            .date("l_shipdate", |row| row.l_shipdate)
            .date("l_commitdate", |row| row.l_commitdate)
            .date("l_receiptdate", |row| row.l_receiptdate)
            .text("l_shipinstruct", |row| row.l_shipinstruct)
            .text("l_shipmode", |row| row.l_shipmode)
            .text("l_comment", |row| row.l_comment)
    }

    fn rows(Share { scale, part, parts }: Share, texts: &'static TextPool) -> Self::Rows {
        let words = Distributions::static_default();
        LineItemGenerator::new_with_distributions_and_text_pool(scale, part, parts, words, texts)
            .iter()
    }
}

impl Row for Nation<'static> {
    type Rows = NationGeneratorIterator<'static>;

    fn columns() -> Columns<Self> {
        Columns::<Self>::new()
            .int64("n_nationkey", |row| row.n_nationkey)
            .text("n_name", |row| row.n_name)
            .int64("n_regionkey", |row| row.n_regionkey)
            .text("n_comment", |row| row.n_comment)
    }

    fn rows(_: Share, texts: &'static TextPool) -> Self::Rows {
        let words = Distributions::static_default();
        NationGenerator::new_with_distributions_and_text_pool(words, texts).iter()
    }
}

impl Row for Order<'static> {
    type Rows = OrderGeneratorIterator<'static>;

    fn columns() -> Columns<Self> {
        Columns::<Self>::new()
            .int64("o_orderkey", |row| row.o_orderkey)
            .int64("o_custkey", |row| row.o_custkey)
            .text("o_orderstatus", |row| row.o_orderstatus.as_str())
            .decimal("o_totalprice", |row| row.o_totalprice)
            .date("o_orderdate", |row| row.o_orderdate)
            .text("o_orderpriority", |row| row.o_orderpriority)
            .shown("o_clerk", |row| &row.o_clerk)
            .int32("o_shippriority", |row| row.o_shippriority)
            .text("o_comment", |row| row.o_comment)
    }

    fn rows(Share { scale, part, parts }: Share, texts: &'static TextPool) -> Self::Rows {
        let words = Distributions::static_default();
        OrderGenerator::new_with_distributions_and_text_pool(scale, part, parts, words, texts)
            .iter()
    }
}

impl Row for Part<'static> {
    type Rows = PartGeneratorIterator<'static>;

    fn columns() -> Columns<Self> {
        Columns::<Self>::new()
            .int64("p_partkey", |row| row.p_partkey)
            .shown("p_name", |row| &row.p_name)
            .shown("p_mfgr", |row| &row.p_mfgr)
            .shown("p_brand", |row| &row.p_brand)
            .text("p_type", |row| row.p_type)
            .int32("p_size", |row| row.p_size)
            .text("p_container", |row| row.p_container)
            .decimal("p_retailprice", |row| row.p_retailprice)
            .text("p_comment", |row| row.p_comment)
    }

    fn rows(Share { scale, part, parts }: Share, texts: &'static TextPool) -> Self::Rows {
        let words = Distributions::static_default();
        PartGenerator::new_with_distributions_and_text_pool(scale, part, parts, words, texts).iter()
    }
}

impl Row for PartSupp<'static> {
    type Rows = PartSuppGeneratorIterator<'static>;

    fn columns() -> Columns<Self> {
        Columns::<Self>::new()
            .int64("ps_partkey", |row| row.ps_partkey)
            .int64("ps_suppkey", |row| row.ps_suppkey)
            .int32("ps_availqty", |row| row.ps_availqty)
            .decimal("ps_supplycost", |row| row.ps_supplycost)
            .text("ps_comment", |row| row.ps_comment)
    }

    fn rows(Share { scale, part, parts }: Share, texts: &'static TextPool) -> Self::Rows {
        PartSuppGenerator::new_with_text_pool(scale, part, parts, texts).iter()
    }
}

impl Row for Region<'static> {
    type Rows = RegionGeneratorIterator<'static>;

    fn columns() -> Columns<Self> {
        Columns::<Self>::new()
            .int64("r_regionkey", |row| row.r_regionkey)
            .text("r_name", |row| row.r_name)
            .text("r_comment", |row| row.r_comment)
    }

    fn rows(_: Share, texts: &'static TextPool) -> Self::Rows {
        let words = Distributions::static_default();
        RegionGenerator::new_with_distributions_and_text_pool(words, texts).iter()
    }
}

impl Row for Supplier {
    type Rows = SupplierGeneratorIterator<'static>;

    fn columns() -> Columns<Self> {
        Columns::<Self>::new()
            .int64("s_suppkey", |row| row.s_suppkey)
            .shown("s_name", |row| &row.s_name)
            .shown("s_address", |row| &row.s_address)
            .int64("s_nationkey", |row| row.s_nationkey)
            .shown("s_phone", |row| &row.s_phone)
            .decimal("s_acctbal", |row| row.s_acctbal)
            .text("s_comment", |row| row.s_comment.as_str())
    }

    fn rows(Share { scale, part, parts }: Share, texts: &'static TextPool) -> Self::Rows {
        let words = Distributions::static_default();
        SupplierGenerator::new_with_distributions_and_text_pool(scale, part, parts, words, texts)
            .iter()
    }
}
