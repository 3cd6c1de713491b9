use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BinaryArray, BooleanArray, DictionaryArray, Int32Array, Int64Array,
    LargeListArray, ListArray, RecordBatch, RecordBatchOptions, StringArray, StringViewArray,
    StructArray,
};
use arrow::buffer::{NullBuffer, OffsetBuffer};
use arrow::compute::concat_batches;
use arrow::datatypes::{DataType, Field, Int32Type, Schema, SchemaRef};
use arrow_flight::utils::flight_data_to_batches;
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use sqe_engine::ErrorKind;

use super::conform::conform;
use super::encode::{Encoder, message_bytes};
use super::schema::wire_schema;
use super::split::{batch_bytes, split};
use super::stream::Pieces;

const LIMIT: usize = 4096;

/// Rows of very different sizes in every layout that matters for the size.
fn batch_of(texts: &[Option<String>]) -> RecordBatch {
    let text = StringArray::from_iter(texts);
    let view = StringViewArray::from_iter(texts);
    let numbers = Int64Array::from_iter(texts.iter().map(|t| t.as_ref().map(|t| t.len() as i64)));
    let flags = BooleanArray::from_iter(texts.iter().map(|t| t.as_ref().map(|t| t.len() > 3)));
    let dictionary: DictionaryArray<Int32Type> =
        texts.iter().map(|t| t.as_ref().map(|t| t.as_str())).collect();
    let binary = BinaryArray::from_iter(texts.iter().map(|t| t.as_ref().map(|t| t.as_bytes())));
    let lengths = texts.iter().map(|t| t.as_ref().map_or(0, |t| t.len() % 4));
    let offsets = OffsetBuffer::<i32>::from_lengths(lengths.clone());
    let items = Int32Array::from_iter(0..*offsets.last().unwrap());
    let item = Arc::new(Field::new_list_field(DataType::Int32, true));
    let nulls = NullBuffer::from_iter(texts.iter().map(|t| t.is_some()));
    let list = ListArray::new(Arc::clone(&item), offsets, Arc::new(items), Some(nulls));
    let offsets = OffsetBuffer::<i64>::from_lengths(lengths);
    let items = Int32Array::from_iter(0..i32::try_from(*offsets.last().unwrap()).unwrap());
    let large = LargeListArray::new(item, offsets, Arc::new(items), None);
    let inner = StructArray::from(vec![(
        Arc::new(Field::new("text", DataType::Utf8View, true)),
        Arc::new(view.clone()) as ArrayRef,
    )]);
    let columns: [(&str, ArrayRef); 9] = [
        ("text", Arc::new(text)),
        ("view", Arc::new(view)),
        ("number", Arc::new(numbers)),
        ("flag", Arc::new(flags)),
        ("dictionary", Arc::new(dictionary)),
        ("binary", Arc::new(binary)),
        ("list", Arc::new(list)),
        ("large", Arc::new(large)),
        ("struct", Arc::new(inner)),
    ];
    RecordBatch::try_from_iter_with_nullable(columns.map(|(name, array)| (name, array, true)))
        .unwrap()
}

fn texts() -> impl Strategy<Value = Vec<Option<String>>> {
    let short = "[a-zé]{0,6}";
    let long = "[a-z]{0,1}".prop_map(|c: String| c.repeat(3000));
    vec(option::of(prop_oneof![9 => short.prop_map(|s| s), 1 => long]), 0..300)
}

fn send(batches: &[RecordBatch], schema: &SchemaRef, max_message: usize) -> Vec<RecordBatch> {
    let mut pieces = Pieces::with_limits(SchemaRef::clone(schema), LIMIT, max_message);
    let mut messages = vec![pieces.schema_message()];
    for batch in batches {
        pieces.add(batch);
        while let Some(message) = pieces.next_message().unwrap() {
            assert!(message_bytes(&message) <= max_message);
            messages.push(message);
        }
    }
    flight_data_to_batches(&messages).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn pieces_hold_every_row_once_and_are_small(
        texts in texts(),
        from in 0.0..1.0_f64,
        to in 0.0..1.0_f64,
    ) {
        let whole = batch_of(&texts);
        let rows = whole.num_rows() as f64;
        let (from, to) = ((from.min(to) * rows) as usize, (from.max(to) * rows) as usize);
        let batch = whole.slice(from, to - from);
        let pieces = split(&batch, LIMIT);
        for piece in &pieces {
            prop_assert!(piece.num_rows() == 1 || batch_bytes(piece) <= LIMIT);
        }
        prop_assert_eq!(concat_batches(&batch.schema(), &pieces).unwrap(), batch.clone());

        // The estimate is never below the truth, so that nothing is cut once more on its way.
        let schema = wire_schema(&batch.schema());
        let mut encoder = Encoder::new();
        for piece in &pieces {
            let message = encoder.batch(&conform(piece, &schema).unwrap()).unwrap();
            prop_assert!(message.data_body.len() <= batch_bytes(piece));
        }
        let sent = send(&pieces, &schema, 64 << 10);
        let expected = conform(&batch, &schema).unwrap();
        prop_assert_eq!(concat_batches(&schema, &sent).unwrap(), expected);
    }

    #[test]
    fn messages_stay_below_the_limit_even_if_the_estimate_is_wrong(texts in texts()) {
        let batch = batch_of(&texts);
        let schema = wire_schema(&batch.schema());
        let sent = send(std::slice::from_ref(&batch), &schema, 32 << 10);
        let expected = conform(&batch, &schema).unwrap();
        prop_assert_eq!(concat_batches(&schema, &sent).unwrap(), expected);
    }
}

#[test]
fn a_slice_counts_only_itself() {
    let batch = batch_of(&vec![Some("x".repeat(1000)); 1000]);
    let all = batch_bytes(&batch);
    let part = batch_bytes(&batch.slice(500, 10));
    assert!(part * 90 < all, "{part} of {all}");
}

#[test]
fn layouts_become_plain_at_every_depth() {
    let batch = batch_of(&[Some("a".into()), None]);
    let schema = wire_schema(&batch.schema());
    let sent = send(std::slice::from_ref(&batch), &schema, 64 << 10);
    assert_eq!(sent[0].schema(), schema);
    let plain = |name: &str| sent[0].column_by_name(name).unwrap().data_type().clone();
    assert_eq!(plain("view"), DataType::Utf8);
    assert_eq!(plain("dictionary"), DataType::Utf8);
    assert!(matches!(plain("large"), DataType::LargeList(_)));
    let inner = sent[0].column_by_name("struct").unwrap().as_struct().column(0);
    assert_eq!(inner.as_string::<i32>().value(0), "a");
}

#[test]
fn a_row_above_the_limit_is_refused() {
    let batch = batch_of(&[Some("x".repeat(20_000))]);
    let mut pieces = Pieces::with_limits(wire_schema(&batch.schema()), LIMIT, 64 << 10);
    pieces.add(&batch);
    assert_eq!(pieces.next_message().unwrap_err().kind, ErrorKind::ResourceExhausted);
}

#[test]
fn rows_without_columns_are_counted() {
    let options = RecordBatchOptions::new().with_row_count(Some(5));
    let schema = Arc::new(Schema::empty());
    let batch = RecordBatch::try_new_with_options(Arc::clone(&schema), vec![], &options).unwrap();
    let sent = send(&[batch], &schema, 64 << 10);
    assert_eq!(sent.iter().map(RecordBatch::num_rows).sum::<usize>(), 5);
}

fn check_misfit(column: ArrayRef, announced: DataType, nullable: bool) {
    let actual = Field::new("a", column.data_type().clone(), true);
    let batch = RecordBatch::try_new(Arc::new(Schema::new(vec![actual])), vec![column]).unwrap();
    let announced = Arc::new(Schema::new(vec![Field::new("a", announced, nullable)]));
    let error = conform(&batch, &announced).unwrap_err();
    assert_eq!(error.kind, ErrorKind::Internal, "{error}");
}

#[test]
fn batches_that_mean_something_else_are_refused() {
    let numbers: ArrayRef = Arc::new(Int64Array::from(vec![Some(1), None]));
    check_misfit(Arc::clone(&numbers), DataType::Int32, true);
    check_misfit(Arc::clone(&numbers), DataType::Utf8, true);
    check_misfit(Arc::clone(&numbers), DataType::Int64, false);
    let named = |name: &str| Field::new(name, DataType::Int64, true);
    let pair: ArrayRef = Arc::new(StructArray::from(vec![
        (Arc::new(named("x")), Arc::clone(&numbers)),
        (Arc::new(named("y")), numbers),
    ]));
    let swapped = DataType::Struct(vec![named("y"), named("x")].into());
    check_misfit(pair, swapped, true);
}
