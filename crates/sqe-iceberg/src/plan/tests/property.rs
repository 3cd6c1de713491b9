//! The property that matters most of planning: no file with a matching row is left out.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::Int32Array;
use datafusion::prelude::{Expr, col, lit};
use datafusion::scalar::ScalarValue;
use iceberg::spec::{
    DataFileBuilder, Datum, FormatVersion, Literal, ManifestContentType, PrimitiveType, Struct,
    Transform,
};
use proptest::prelude::*;

use super::{TestTable, data_file, field};
use crate::{transform, value};

/// A row of the table.
type Row = (Option<i32>, Option<f32>);

/// A filter that can be made an expression and evaluated by hand.
#[derive(Debug, Clone)]
enum Filter {
    Long(Compare, i64),
    Double(Compare, f64),
    In(Vec<i64>, bool),
    IsNull(bool),
    Not(Box<Filter>),
    And(Box<Filter>, Box<Filter>),
    Or(Box<Filter>, Box<Filter>),
}

#[derive(Debug, Clone, Copy)]
enum Compare {
    Less,
    AtMost,
    Equal,
    Unequal,
    AtLeast,
    Greater,
}

impl Compare {
    fn expr(self, left: Expr, right: Expr) -> Expr {
        match self {
            Self::Less => left.lt(right),
            Self::AtMost => left.lt_eq(right),
            Self::Equal => left.eq(right),
            Self::Unequal => left.not_eq(right),
            Self::AtLeast => left.gt_eq(right),
            Self::Greater => left.gt(right),
        }
    }

    fn holds(self, ordering: std::cmp::Ordering) -> bool {
        match self {
            Self::Less => ordering.is_lt(),
            Self::AtMost => ordering.is_le(),
            Self::Equal => ordering.is_eq(),
            Self::Unequal => ordering.is_ne(),
            Self::AtLeast => ordering.is_ge(),
            Self::Greater => ordering.is_gt(),
        }
    }
}

impl Filter {
    fn expr(&self) -> Expr {
        match self {
            Self::Long(compare, literal) => compare.expr(col("k"), lit(*literal)),
            Self::Double(compare, literal) => compare.expr(col("f"), lit(*literal)),
            Self::In(literals, negated) => {
                col("k").in_list(literals.iter().map(|literal| lit(*literal)).collect(), *negated)
            }
            Self::IsNull(true) => col("k").is_null(),
            Self::IsNull(false) => col("f").is_not_null(),
            Self::Not(filter) => !filter.expr(),
            Self::And(a, b) => a.expr().and(b.expr()),
            Self::Or(a, b) => a.expr().or(b.expr()),
        }
    }

    /// As DataFusion evaluates it: floats in total order, except that zeros are equal.
    fn eval(&self, row: &Row) -> Option<bool> {
        Some(match self {
            Self::Long(compare, literal) => compare.holds(i64::from(row.0?).cmp(literal)),
            Self::Double(compare, literal) => {
                // The sum of zeros of different signs is the positive one.
                compare.holds((f64::from(row.1?) + 0.0).total_cmp(&(literal + 0.0)))
            }
            Self::In(literals, negated) => literals.contains(&i64::from(row.0?)) != *negated,
            Self::IsNull(true) => row.0.is_none(),
            Self::IsNull(false) => row.1.is_some(),
            Self::Not(filter) => !filter.eval(row)?,
            Self::And(a, b) => match (a.eval(row), b.eval(row)) {
                (Some(false), _) | (_, Some(false)) => false,
                (a, b) => a? && b?,
            },
            Self::Or(a, b) => match (a.eval(row), b.eval(row)) {
                (Some(true), _) | (_, Some(true)) => true,
                (a, b) => a? || b?,
            },
        })
    }
}

fn filters() -> impl Strategy<Value = Filter> {
    use Compare::{AtLeast, AtMost, Equal, Greater, Less, Unequal};
    let compare = prop::sample::select(vec![Less, AtMost, Equal, Unequal, AtLeast, Greater]);
    let long = || prop_oneof![-60_i64..60, Just(i64::from(i32::MAX) + 1), Just(i64::MIN)];
    let double = prop_oneof![
        (-8..8).prop_map(|eighths| f64::from(eighths) / 8.0),
        Just(f64::NAN),
        Just(-0.0),
        Just(f64::INFINITY),
    ];
    let leaf = prop_oneof![
        (compare.clone(), long()).prop_map(|(compare, literal)| Filter::Long(compare, literal)),
        (compare, double).prop_map(|(compare, literal)| Filter::Double(compare, literal)),
        (prop::collection::vec(long(), 1..30), any::<bool>())
            .prop_map(|(literals, negated)| Filter::In(literals, negated)),
        any::<bool>().prop_map(Filter::IsNull),
    ];
    leaf.prop_recursive(3, 8, 2, |inner| {
        let two = (inner.clone(), inner.clone());
        prop_oneof![
            inner.prop_map(|filter| Filter::Not(Box::new(filter))),
            two.clone().prop_map(|(a, b)| Filter::And(Box::new(a), Box::new(b))),
            two.prop_map(|(a, b)| Filter::Or(Box::new(a), Box::new(b))),
        ]
    })
}

fn rows() -> impl Strategy<Value = Vec<Row>> {
    let floats =
        prop::sample::select(vec![f32::NAN, -f32::NAN, -0.0, 0.0, 0.25, -0.5, f32::INFINITY]);
    let row = (prop::option::weighted(0.9, -50..50), prop::option::weighted(0.9, floats));
    prop::collection::vec(row, 1..12)
}

/// The metrics of `rows` as a careful writer records them.
fn with_metrics(file: &mut DataFileBuilder, rows: &[Row], nan_counts: bool) {
    let keys = || rows.iter().filter_map(|row| row.0);
    let floats = || rows.iter().filter_map(|row| row.1).filter(|f| !f.is_nan());
    let mut lower = HashMap::new();
    let mut upper = HashMap::new();
    if let (Some(min), Some(max)) = (keys().min(), keys().max()) {
        lower.insert(1, Datum::int(min));
        upper.insert(1, Datum::int(max));
    }
    if let (Some(min), Some(max)) =
        (floats().min_by(f32::total_cmp), floats().max_by(f32::total_cmp))
    {
        lower.insert(2, Datum::float(min));
        upper.insert(2, Datum::float(max));
    }
    let nulls = |is_null: fn(&&Row) -> bool| rows.iter().filter(is_null).count() as u64;
    file.lower_bounds(lower).upper_bounds(upper);
    file.null_value_counts(HashMap::from([
        (1, nulls(|row| row.0.is_none())),
        (2, nulls(|row| row.1.is_none())),
    ]));
    if nan_counts {
        let nans = nulls(|row| row.1.is_some_and(f32::is_nan));
        file.nan_value_counts(HashMap::from([(2, nans)]));
    }
}

/// Files by the partition value of `k`.
fn files_by_partition(transform: Option<Transform>, rows: Vec<Row>) -> Vec<(Vec<Row>, Struct)> {
    let Some(transform) = transform else {
        return vec![(rows, Struct::empty())];
    };
    let keys: arrow::array::ArrayRef =
        Arc::new(rows.iter().map(|row| row.0).collect::<Int32Array>());
    let partitions = transform::apply(transform, &keys).unwrap();
    let mut files = HashMap::<ScalarValue, Vec<Row>>::new();
    for (index, row) in rows.into_iter().enumerate() {
        let partition = ScalarValue::try_from_array(&partitions, index).unwrap();
        files.entry(partition).or_default().push(row);
    }
    let literal = |value: &ScalarValue| value::to_literal(value).map(Literal::Primitive);
    files
        .into_iter()
        .map(|(partition, rows)| (rows, Struct::from_iter([literal(&partition)])))
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Columns were promoted from int to long and from float to double after the files were
    /// written, and the files are partitioned in every way that matters.
    #[test]
    fn a_file_with_a_matching_row_is_never_left_out(
        rows in prop::collection::vec(rows(), 1..6),
        filters in prop::collection::vec(filters(), 1..12),
        transform in prop::sample::select(vec![
            None,
            Some(Transform::Identity),
            Some(Transform::Bucket(4)),
            Some(Transform::Truncate(10)),
            Some(Transform::Void),
        ]),
        metrics in any::<bool>(),
        nan_counts in any::<bool>(),
    ) {
        use PrimitiveType::{Double, Float, Int, Long};
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let partitioning: Vec<_> = transform.iter().map(|transform| (1, *transform)).collect();
        let fields = vec![field(1, "k", Int), field(2, "f", Float)];
        let mut table = TestTable::new(FormatVersion::V2, fields, &partitioning);
        let mut all = Vec::new();
        for rows in rows {
            let mut files = Vec::new();
            for (rows, partition) in files_by_partition(transform, rows) {
                let name = format!("f{}", all.len());
                let mut file = data_file(&name);
                file.partition(partition).record_count(rows.len() as u64);
                if metrics {
                    with_metrics(&mut file, &rows, nan_counts);
                }
                files.push(file.build().unwrap());
                all.push((name, rows));
            }
            runtime.block_on(table.append(ManifestContentType::Data, files));
        }
        table.evolve(vec![field(1, "k", Long), field(2, "f", Double)]);
        for filter in filters {
            let planned = runtime.block_on(table.plan(filter.expr())).unwrap();
            for (name, rows) in &all {
                let row = rows.iter().find(|row| filter.eval(row) == Some(true));
                prop_assert!(
                    row.is_none() || planned.contains(name),
                    "{filter:?} left out {name}, which has {row:?}"
                );
            }
        }
    }
}
