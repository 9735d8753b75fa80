//! Tables in all three databases: what is written is read again.

use std::{collections::BTreeSet, sync::Arc};

use arrow::{
    array::*,
    datatypes::{DataType, Field, Int64Type, Schema, TimeUnit},
};
use tiled_plugin_api::author::{ErrorKind, WriteRequest};
use tiled_postgres::Postgres;

mod common;
use common::{DataSource, create_table, databases};

fn batch(columns: Vec<(&str, ArrayRef)>) -> RecordBatch {
    RecordBatch::try_from_iter_with_nullable(columns.into_iter().map(|(name, array)| (name, array, true)))
        .unwrap()
}

fn lists<T: arrow::datatypes::ArrowPrimitiveType>(rows: Vec<Option<Vec<Option<T::Native>>>>) -> ArrayRef {
    Arc::new(ListArray::from_iter_primitive::<T, _, _>(rows))
}

/// Columns of every type, with gaps and extremes.
fn everything() -> RecordBatch {
    use arrow::datatypes::{Float32Type, Int8Type};
    let unit = |unit, zone: Option<&str>| DataType::Timestamp(unit, zone.map(Into::into));
    let moments: ArrayRef = Arc::new(Int64Array::from(vec![Some(1_700_000_000_123), None, Some(-5)]));
    let cast = |to: &DataType| arrow::compute::cast(&moments, to).unwrap();
    let small: ArrayRef = Arc::new(Int32Array::from(vec![Some(1), None, Some(86_399)]));
    let time = |to: &DataType| arrow::compute::cast(&small, to).unwrap();
    let words = vec![Some("a"), None, Some("π \"quoted\" '; drop table x; -- \u{1F600}\n")];
    let decimals =
        Decimal128Array::from(vec![Some(12345), None, Some(-1)]).with_precision_and_scale(5, 2).unwrap();
    batch(vec![
        ("flag", Arc::new(BooleanArray::from(vec![Some(true), None, Some(false)]))),
        ("i8", Arc::new(Int8Array::from(vec![Some(i8::MIN), None, Some(i8::MAX)]))),
        ("u8", Arc::new(UInt8Array::from(vec![Some(0), None, Some(u8::MAX)]))),
        ("i16", Arc::new(Int16Array::from(vec![Some(i16::MIN), None, Some(i16::MAX)]))),
        ("u16", Arc::new(UInt16Array::from(vec![Some(0), None, Some(u16::MAX)]))),
        ("i32", Arc::new(Int32Array::from(vec![Some(i32::MIN), None, Some(i32::MAX)]))),
        ("u32", Arc::new(UInt32Array::from(vec![Some(0), None, Some(u32::MAX)]))),
        ("i64", Arc::new(Int64Array::from(vec![Some(i64::MIN), None, Some(i64::MAX)]))),
        ("u64", Arc::new(UInt64Array::from(vec![Some(0), None, Some(u64::MAX)]))),
        ("f32", Arc::new(Float32Array::from(vec![Some(0.1), None, Some(f32::INFINITY)]))),
        ("f64", Arc::new(Float64Array::from(vec![Some(0.1), None, Some(1e300)]))),
        ("text", Arc::new(StringArray::from(words.clone()))),
        ("large", Arc::new(LargeStringArray::from(words))),
        ("bytes", Arc::new(BinaryArray::from(vec![Some(&b"\0\xff"[..]), None, Some(b"")]))),
        ("money", Arc::new(decimals)),
        ("day", time(&DataType::Date32)),
        ("time_s", time(&DataType::Time32(TimeUnit::Second))),
        ("s", cast(&unit(TimeUnit::Second, None))),
        ("ms", cast(&unit(TimeUnit::Millisecond, None))),
        ("us", cast(&unit(TimeUnit::Microsecond, None))),
        ("ns", cast(&unit(TimeUnit::Nanosecond, None))),
        ("us_zone", cast(&unit(TimeUnit::Microsecond, Some("+02:00")))),
        ("ns_zone", cast(&unit(TimeUnit::Nanosecond, Some("UTC")))),
        ("span", cast(&DataType::Duration(TimeUnit::Nanosecond))),
        ("ints", lists::<Int8Type>(vec![Some(vec![Some(1), None]), None, Some(vec![])])),
        ("floats", lists::<Float32Type>(vec![Some(vec![Some(0.1)]), None, Some(vec![Some(f32::INFINITY)])])),
        ("Select", Arc::new(Int64Array::from(vec![1, 2, 3]))),
        ("m/s: é Ü", Arc::new(Int64Array::from(vec![4, 5, 6]))),
        ("rowid", Arc::new(Int64Array::from(vec![3, 2, 1]))),
    ])
}

#[test]
fn every_type_and_name_comes_back_as_it_went_in() {
    let all = databases();
    let wanted = everything();
    for uri in &all.uris {
        let table = create_table(uri, &wanted.schema(), 1).unwrap();
        table.put(0, &wanted).unwrap();
        let found = table.read(None, None).unwrap();
        assert_eq!(found.schema(), wanted.schema());
        for (name, (found, wanted)) in
            wanted.schema().fields().iter().zip(found.columns().iter().zip(wanted.columns()))
        {
            assert_eq!(found, wanted, "{} in {uri}", name.name());
        }
        // The same columns where the first many rows are missing, so that no driver can guess their types.
        let holes: Vec<ArrayRef> =
            wanted.columns().iter().map(|column| new_null_array(column.data_type(), 3000)).collect();
        let holes = RecordBatch::try_new(wanted.schema(), holes).unwrap();
        let table = create_table(uri, &wanted.schema(), 1).unwrap();
        assert_eq!(table.read(None, None).unwrap().num_rows(), 0);
        table.append(0, &holes).unwrap();
        table.append(0, &wanted).unwrap();
        let found = table.read(None, None).unwrap();
        assert_eq!(found.slice(3000, 3), wanted, "{uri}");
    }
}

fn numbers(values: impl IntoIterator<Item = i64>) -> RecordBatch {
    batch(vec![("n", Arc::new(Int64Array::from_iter_values(values)) as _)])
}

fn values(table: &DataSource, partition: Option<u64>) -> Vec<i64> {
    let found = table.read(partition, None).unwrap();
    found.column(0).as_primitive::<Int64Type>().values().to_vec()
}

#[test]
fn a_table_that_tiled_made_in_postgresql_takes_data_sources_of_ours() {
    let Some(server) = Postgres::shared() else { return };
    let database = server.new_database();
    let uri = server.storage(&database);
    let first = create_table(&uri, &numbers([]).schema(), 1).unwrap();
    first.append(0, &numbers([1, 2])).unwrap();
    // Tiled's tables have no numbers of rows, and so no index of them.
    let name = first.created.parameters["table_name"].as_str().unwrap();
    server.script(&database, &format!("ALTER TABLE \"{name}\" DROP COLUMN _row_id"));
    let second = create_table(&uri, &numbers([]).schema(), 1).unwrap();
    second.append(0, &numbers([3])).unwrap();
    assert_eq!(second.created.parameters["table_name"], name);
    assert_eq!((values(&first, None), values(&second, None)), (vec![1, 2], vec![3]));
}

#[test]
fn put_replaces_a_partition_and_append_adds_to_it() {
    let all = databases();
    for uri in &all.uris {
        let table = create_table(uri, &numbers([]).schema(), 3).unwrap();
        let other = create_table(uri, &numbers([]).schema(), 1).unwrap();
        assert_eq!(table.created.parameters["table_name"], other.created.parameters["table_name"]);
        assert_ne!(table.created.parameters["dataset_id"], other.created.parameters["dataset_id"]);
        other.append(0, &numbers([-1])).unwrap();
        table.append(2, &numbers([5])).unwrap();
        table.append(0, &numbers([1, 2])).unwrap();
        let before = table.adapter().revision("").unwrap();
        table.append(0, &numbers([3])).unwrap();
        let after = table.adapter().revision("").unwrap();
        assert_ne!(before, after, "{uri}");
        assert_eq!(values(&table, None), [1, 2, 3, 5], "{uri}");
        assert_eq!(values(&table, Some(1)), [0; 0]);
        table.put(0, &numbers([9, 8])).unwrap();
        assert_ne!(after, table.adapter().revision("").unwrap(), "{uri}");
        assert_eq!(values(&table, Some(0)), [9, 8]);
        assert_eq!(values(&table, Some(2)), [5]);
        assert_eq!(values(&other, None), [-1]);
        for bad in [table.append(3, &numbers([1])), table.read(Some(3), None).map(|_| ())] {
            assert_eq!(bad.unwrap_err().kind, ErrorKind::OutOfBounds);
        }
    }
}

#[test]
fn columns_are_chosen_by_name_in_the_order_asked_for() {
    let all = databases();
    for uri in &all.uris {
        let wanted = batch(vec![
            ("A", Arc::new(Int64Array::from(vec![1, 2])) as _),
            ("b", Arc::new(StringArray::from(vec!["x", "y"])) as _),
        ]);
        let table = create_table(uri, &wanted.schema(), 1).unwrap();
        // In another order than the table's.
        table.append(0, &wanted.project(&[1, 0]).unwrap()).unwrap();
        let found = table.read(None, Some(&["b", "A"])).unwrap();
        assert_eq!(found, wanted.project(&[1, 0]).unwrap());
        assert_eq!(table.read(None, Some(&["c"])).unwrap_err().kind, ErrorKind::NotFound);
    }
}

#[test]
fn rows_that_do_not_fit_are_refused_and_nothing_is_written() {
    let all = databases();
    let schema = Schema::new(vec![
        Field::new("small", DataType::UInt8, false),
        Field::new("word", DataType::Utf8, true),
    ]);
    for uri in &all.uris {
        let table = create_table(uri, &schema, 1).unwrap();
        let words: ArrayRef = Arc::new(StringArray::from(vec!["x", "y"]));
        let bad = [
            batch(vec![("small", Arc::new(Int64Array::from(vec![1, 256])) as _), ("word", words.clone())]),
            batch(vec![
                ("small", Arc::new(Int64Array::from(vec![Some(1), None])) as _),
                ("word", words.clone()),
            ]),
            batch(vec![("small", words.clone()), ("word", words.clone())]),
            batch(vec![("word", words.clone())]),
            batch(vec![
                ("small", Arc::new(UInt8Array::from(vec![1, 2])) as _),
                ("word", words.clone()),
                ("more", words.clone()),
            ]),
        ];
        for rows in &bad {
            let error = table.append(0, rows).unwrap_err();
            assert_eq!(error.kind, ErrorKind::InvalidArgument, "{uri}: {error}");
        }
        assert_eq!(table.read(None, None).unwrap().num_rows(), 0, "{uri}");
    }
}

#[test]
fn nan_comes_back_where_nothing_may_be_missing() {
    let all = databases();
    let schema = Schema::new(vec![Field::new("x", DataType::Float64, false)]);
    for uri in &all.uris {
        let table = create_table(uri, &schema, 1).unwrap();
        let rows = batch(vec![("x", Arc::new(Float64Array::from(vec![1.0, f64::NAN])) as _)]);
        table.append(0, &rows).unwrap();
        let found = table.read(None, None).unwrap();
        let values = found.column(0).as_primitive::<arrow::datatypes::Float64Type>();
        assert!(values.value(0) == 1.0 && values.value(1).is_nan(), "{uri}");
    }
}

#[test]
fn names_that_could_break_a_statement_are_refused_before_anything_is_made() {
    let all = databases();
    for uri in &all.uris {
        for name in ["a\"b", "1a", "x'; drop table t; --", &"n".repeat(64)] {
            let schema = Schema::new(vec![Field::new(name, DataType::Int64, true)]);
            assert_eq!(create_table(uri, &schema, 1).unwrap_err().kind, ErrorKind::InvalidData, "{name}");
        }
        let structure = tiled_plugin_api::author::table_structure(&numbers([]).schema(), 1).unwrap();
        for name in ["select", "a b", "_a", "", "A"] {
            let made = common::create(
                uri,
                common::TABLE,
                serde_json::to_value(&structure).unwrap(),
                serde_json::json!({"table_name": name}),
            );
            assert_eq!(made.err().map(|error| error.kind), Some(ErrorKind::InvalidData), "{name}");
        }
    }
}

#[test]
fn sixteen_writers_lose_and_double_nothing() {
    let all = databases();
    for uri in &all.uris {
        let table = create_table(uri, &numbers([]).schema(), 2).unwrap();
        std::thread::scope(|scope| {
            for writer in 0..16 {
                let table = &table;
                scope.spawn(move || {
                    for round in 0..10 {
                        let from = i64::from(writer * 1000 + round * 10);
                        table.append((writer % 2) as u64, &numbers(from..from + 10)).unwrap();
                        if round % 5 == 0 {
                            table.read(None, None).unwrap();
                        }
                    }
                });
            }
        });
        let found = values(&table, None);
        assert_eq!(found.len(), 1600, "{uri}");
        assert_eq!(found.iter().collect::<BTreeSet<_>>().len(), 1600, "{uri}");
        // What one client appended together stays together and in order.
        for run in found.chunks(10) {
            assert!(run.windows(2).all(|pair| pair[1] == pair[0] + 1), "{uri}: {run:?}");
        }
    }
}

#[test]
fn many_create_the_same_table_at_once_and_get_numbers_of_their_own() {
    let all = databases();
    for uri in &all.uris {
        let make =
            || create_table(uri, &numbers([]).schema(), 1).unwrap().created.parameters["dataset_id"].as_i64();
        let numbers: BTreeSet<Option<i64>> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..8).map(|_| scope.spawn(make)).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        assert_eq!(numbers.len(), 8, "{uri}");
    }
}

#[test]
fn a_table_goes_with_its_last_rows_and_comes_back_for_those_who_still_have_it() {
    let all = databases();
    for uri in &all.uris {
        let first = create_table(uri, &numbers([]).schema(), 1).unwrap();
        let second = create_table(uri, &numbers([]).schema(), 1).unwrap();
        first.append(0, &numbers([1])).unwrap();
        first.delete().unwrap();
        first.delete().unwrap();
        assert_eq!(values(&second, None), [0; 0], "{uri}");
        second.append(0, &numbers([2])).unwrap();
        assert_eq!(values(&second, None), [2], "{uri}");
    }
}

#[test]
fn a_table_of_that_name_with_other_columns_is_a_conflict() {
    let all = databases();
    for uri in &all.uris {
        let named = |column: &str| {
            let schema = Schema::new(vec![Field::new(column, DataType::Int64, true)]);
            let structure = tiled_plugin_api::author::table_structure(&schema, 1).unwrap();
            let structure = serde_json::to_value(structure).unwrap();
            common::create(uri, common::TABLE, structure, serde_json::json!({"table_name": "mine"}))
        };
        named("a").unwrap();
        assert_eq!(named("b").err().map(|error| error.kind), Some(ErrorKind::Conflict), "{uri}");
    }
}

#[test]
fn a_whole_table_is_replaced_by_a_write_without_partition() {
    let all = databases();
    for uri in &all.uris {
        let table = create_table(uri, &numbers([]).schema(), 1).unwrap();
        table.append(0, &numbers([1, 2])).unwrap();
        table.write(WriteRequest::default(), common::rows(&numbers([7]))).unwrap();
        assert_eq!(values(&table, None), [7], "{uri}");
    }
}

#[test]
fn assets_have_no_password() {
    let all = databases();
    for uri in &all.uris {
        let table = create_table(uri, &numbers([]).schema(), 1).unwrap();
        let asset = &table.created.assets[0].data_uri;
        assert!(!asset.contains("secret") && !asset.contains('@'), "{asset}");
    }
}

#[test]
fn a_database_that_cannot_be_reached_says_so_without_the_password() {
    let schema = numbers([]).schema();
    let error = create_table("postgresql://me:secret@127.0.0.1:1/lab", &schema, 1).err().unwrap();
    assert_eq!(error.kind, ErrorKind::Busy);
    assert!(
        error.message.contains("127.0.0.1:1/lab") && !format!("{error:?}").contains("secret"),
        "{error:?}"
    );
    let error = create_table("sqlite:////nowhere/at/all.db", &schema, 1).err().unwrap();
    assert!(error.message.contains("/nowhere/at is not there"), "{error}");
}
