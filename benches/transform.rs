//! Iceberg partition transforms, which every partitioned write applies to every row:
//! `cargo bench -p sqe-benches`.

#![expect(clippy::unwrap_used, reason = "a measurement that cannot go on has failed")]

use std::sync::Arc;

use arrow::array::{ArrayRef, Date32Array, Int64Array, StringViewArray};
use sqe_benches::best_nanos_per_item;
use sqe_iceberg::Transform;
use sqe_iceberg::transform::apply;

const ROWS: usize = 8192;
const ROUNDS: usize = 200;

fn main() {
    let longs: ArrayRef = Arc::new(Int64Array::from_iter_values((0..ROWS as i64).map(|n| n * 7)));
    let days: ArrayRef = Arc::new(Date32Array::from_iter_values(0..ROWS as i32));
    let names = (0..ROWS).map(|n| format!("customer {n:08}"));
    let names: ArrayRef = Arc::new(StringViewArray::from_iter_values(names));
    for (column, values, transform) in [
        ("long", &longs, Transform::Bucket(16)),
        ("string", &names, Transform::Bucket(16)),
        ("long", &longs, Transform::Truncate(100)),
        ("string", &names, Transform::Truncate(8)),
        ("date", &days, Transform::Year),
        ("date", &days, Transform::Month),
    ] {
        let nanos = best_nanos_per_item(ROWS, ROUNDS, || apply(transform, values).unwrap());
        println!("{:<20} {nanos:>8.2} ns/row", format!("{transform}({column})"));
    }
}
