//! Parity objects: header and list, and the places that follow from the list.
//!
//! Input: the object from its first byte on.

#![no_main]

use lbak_core::parity::{ParityList, ParityObject, RUN};
use lbak_fuzz::memory;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let _ = memory::within(memory::in_proportion_to(input), || ParityObject::parse("fuzz", None, input));
    let Ok(list) = memory::within(memory::in_proportion_to(input), || ParityList::parse("fuzz", input)) else { return };
    assert_eq!(list.encode(), input, "a list is written back as it was read");
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
});
