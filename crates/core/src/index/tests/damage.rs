//! Damage is met when it matters, hides as little as can be, and no answer is wrong.

use std::{
    collections::BTreeSet,
    sync::{Arc, atomic::Ordering},
};

use super::{
    super::{
        layout::PAGES_FROM,
        record::SEALED_PAGE,
        testing::{Store, builder_of, chunk, codec, id, load_counted, pack, seal},
        *,
    },
    builder, find, is_location_of, stored,
};
use crate::{
    backend::{Backend, BackendErrorKind, ObjectName, check_stored},
    codec::Kind,
    error::{Error, Result},
    id::ChunkKind,
};

#[test]
fn every_flipped_byte_is_met_when_it_matters_and_no_location_is_wrong() {
    let (store, name, _) = stored(builder(60, 12));
    let sound = store.memory.get(&name).expect("there");
    let summary = *store.load().index.segments()[0].summary();
    let filter_from = sound.len() - 2 - summary.filter_length as usize;
    for place in 0..sound.len() {
        let mut bytes = sound.to_vec();
        bytes[place] ^= 1;
        assert!(check_stored(&name, &bytes).is_err(), "byte {place}");
        store.memory.tamper(&name.to_string(), Some(bytes.into()));
        let loaded = store.load();
        let mut failed = !loaded.damaged.is_empty();
        if let Some(segment) = loaded.index.segments().first() {
            for number in 0..60 {
                match find(&loaded.index, number) {
                    Ok(Some(location)) => assert!(is_location_of(&location, number), "byte {place}, chunk {number}"),
                    Ok(None) => panic!("byte {place} hides chunk {number}"),
                    Err(error) => {
                        assert!(error.is_damage(), "{error}");
                        failed = true;
                    }
                }
            }
            if let Ok(records) = segment.records() {
                for record in records.flatten() {
                    assert!(is_location_of(&record.location, record.location.offset), "byte {place}");
                }
            }
        }
        // Without its filter a segment answers as well; the empty signature field is covered by the name.
        assert_eq!(failed, place < filter_from, "byte {place}");
    }
}

#[test]
fn every_truncation_and_every_addition_is_refused() {
    let (store, name, _) = stored(builder(30, 2));
    let sound = store.memory.get(&name).expect("there");
    for length in 0..sound.len() {
        store.memory.tamper(&name.to_string(), Some(sound.slice(..length)));
        let loaded = store.load();
        assert_eq!((loaded.index.segments().len(), loaded.damaged.len()), (0, 1), "{length} bytes");
        assert!(loaded.damaged[0].is_damage());
        // A store whose listing lies about the size is found out as well.
        let backend = store.shared();
        let opened = Segment::open(&backend, &codec(), &name, sound.len() as u64);
        let hides = |segment: Segment| {
            let index = Index::new();
            index.add(segment);
            (0..30).any(|number| !matches!(find(&index, number), Ok(Some(_))))
        };
        assert!(opened.is_err() || hides(opened.expect("opened")) || length + 2 >= sound.len(), "{length} bytes");
    }
    store.memory.tamper(&name.to_string(), Some([&sound[..], &[0]].concat().into()));
    assert_eq!(store.load().damaged.len(), 1);
}

#[test]
fn a_damaged_page_hides_only_chunks_that_no_other_segment_has() {
    let store = Arc::new(Store::default());
    let sealed = seal(builder(200, 3), Kind::Segment);
    store.put_new(&sealed);
    let mut bytes = sealed.1.as_bytes().to_vec();
    bytes[PAGES_FROM + SEALED_PAGE + 5] ^= 1; // page 1
    store.memory.tamper(&sealed.0.to_string(), Some(bytes.into()));
    let index = store.load().index;
    let hidden: Vec<u32> = (0..200).filter(|&number| find(&index, number).is_err()).collect();
    assert_eq!(hidden.len(), 24);
    let segments = index.segments();
    let records: Vec<Result<Record>> = segments[0].records().expect("sound").collect();
    assert_eq!(records.iter().filter(|record| record.is_ok()).count(), 200 - 24);
    assert_eq!(records.iter().filter(|record| record.is_err()).count(), 1);

    let saved = hidden[..10].iter().map(|&number| chunk(number)).collect();
    let rescue = seal(builder_of([(pack(9), saved)]), Kind::MergedSegment);
    store.put_new(&rescue);
    let ObjectName::MergedSegment(merged) = rescue.0 else { panic!("a merged segment") };
    let index =
        load_counted(&store.shared(), &Counted { merged: BTreeSet::from([merged]), ..Counted::default() }).index;
    for (position, &number) in hidden.iter().enumerate() {
        match find(&index, number) {
            Ok(location) => assert!(position < 10 && is_location_of(&location.expect("there"), number)),
            Err(error) => assert!(position >= 10 && error.is_damage()),
        }
        let refused = index.find(&id(number), ChunkKind::Data, &mut |_| false);
        assert!(refused.is_err_and(|error| error.is_damage()), "the damaged page may hold an acceptable copy");
    }
}

#[test]
fn a_store_that_does_not_answer_is_no_damage_and_is_asked_again() {
    let (store, _, index) = stored(builder(100, 2));
    store.is_silent.store(true, Ordering::Relaxed);
    let unreachable =
        |error: &Error| matches!(error, Error::Store { source, .. } if source.kind == BackendErrorKind::Unreachable);
    assert!(find(&index, 1).is_err_and(|error| unreachable(&error)));
    let backend = store.shared();
    assert!(Index::load(&backend, &codec(), &Counted::default()).is_err_and(|error| unreachable(&error)));
    store.is_silent.store(false, Ordering::Relaxed);
    assert!(find(&index, 1).expect("sound").is_some());
}
