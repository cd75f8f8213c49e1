//! Parity objects: header and list, and the places that follow from the list.
//!
//! Input: the list · or the object from its first byte on.

use lbak_core::parity::{ParityList, ParityObject, RUN};

use crate::memory;

/// Runs the target.
pub fn parity(input: &[u8]) {
    let behind_header = memory::within(memory::in_proportion_to(input), || ParityObject::parse("fuzz", None, input));
    let list = memory::within(memory::in_proportion_to(input), || ParityList::parse("fuzz", input));
    if let Ok(list) = &list {
        assert_eq!(list.encode(), input, "a list is written back as it was read");
    }
    list.into_iter().chain(behind_header).for_each(|list| check(&list));
}

/// Everything that follows from a list has its place in the object and in the slices, once.
fn check(list: &ParityList) {
    assert!(list.stored_length() > list.checksums_at() && list.checksums_at() > list.recovery_at(0));
    let mut sectors = 0;
    for slice in 0..list.slices() {
        for row in 0..list.rows() {
            let Some(run) = list.run(slice, row) else { continue };
            sectors += run.sectors;
            let place = list.place(run.pack, run.first).expect("a run has sectors");
            assert_eq!((place.slice, place.place), (slice, row * RUN), "both ways lead to one place");
        }
    }
    assert_eq!(sectors, list.sectors(), "every sector stands in a slice");
}
