//! How often a store is asked.

use std::sync::Arc;

use super::{
    super::testing::{Store, builder_of, chunk, pack, seal},
    builder, find, stored,
};
use crate::{backend::ObjectName, codec::Kind};

#[test]
fn opening_costs_one_listing_and_one_small_read_for_each_segment() {
    let store = Arc::new(Store::default());
    for number in 0..100 {
        store.put_new(&seal(builder_of([(pack(1), vec![chunk(number)])]), Kind::Segment));
    }
    let loaded = store.load();
    assert_eq!(loaded.index.segments().len(), 100);
    assert_eq!(store.lists(), 1);
    assert_eq!(store.taken_ranges(), [(0, 224); 100]);
    let names: Vec<ObjectName> = loaded.index.segments().iter().map(|segment| segment.name().clone()).collect();
    let again: Vec<ObjectName> = store.load().index.segments().iter().map(|segment| segment.name().clone()).collect();
    assert_eq!(names, again, "the order does not depend on which thread was faster");
}

#[test]
fn a_lookup_reads_guides_once_and_each_page_once() {
    let (store, _, index) = stored(builder(1_000, 30));
    store.taken_ranges();
    find(&index, 5).expect("sound").expect("there");
    assert_eq!(store.taken_ranges().len(), 3, "fences with filter, a page, a page of the pack table");
    find(&index, 5).expect("sound").expect("there");
    assert_eq!(store.taken_ranges(), []);
    for _ in 0..2 {
        for number in 0..1_000 {
            find(&index, number).expect("sound").expect("there");
        }
    }
    assert_eq!(store.taken_ranges().len(), 42 + 3 - 2, "42 pages, three of the table, one of each read before");
}

#[test]
fn records_are_read_in_pieces_of_a_mebibyte() {
    let (store, _, index) = stored(builder(50_000, 50));
    let segments = index.segments();
    store.taken_ranges();
    assert_eq!(segments[0].records().expect("sound").filter(Result::is_ok).count(), 50_000);
    assert_eq!(store.taken_ranges().len(), 1 + 3, "the pack table, 2,084 pages in three pieces");
}
