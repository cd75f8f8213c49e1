//! Which segments count.

use std::{collections::BTreeSet, sync::Arc};

use super::{
    super::{
        testing::{SESSION, Store, builder_of, chunk, codec, load_counted, pack, seal},
        *,
    },
    builder, find,
};
use crate::{
    backend::ObjectName,
    codec::Kind,
    error::Error,
    id::{SegmentId, SessionId},
};

#[test]
fn only_segments_that_count_are_asked() {
    let store = Arc::new(Store::default());
    let one = |number: u32, kind: Kind, session: SessionId| {
        let builder = builder_of([(pack(1), vec![chunk(number)])]);
        let sealed = builder.finish(&codec(), kind, session).expect("finish");
        store.put_new(&sealed);
        match sealed.0 {
            ObjectName::Segment(id) | ObjectName::MergedSegment(id) => id,
            other => panic!("{other} is no segment"),
        }
    };
    let buried = SessionId([9; 16]);
    let (_own, replaced, _buried) =
        (one(0, Kind::Segment, SESSION), one(1, Kind::Segment, SESSION), one(2, Kind::Segment, buried));
    let (merged, once_merged) = (one(3, Kind::MergedSegment, SESSION), one(4, Kind::MergedSegment, SESSION));
    let _unnamed = one(5, Kind::MergedSegment, SESSION);
    let known = |index: &Index| -> Vec<u32> {
        (0..6).filter(|&number| find(index, number).expect("sound").is_some()).collect()
    };
    assert_eq!(known(&store.load().index), [0, 1, 2]);

    let missing = SegmentId([0xff; 32]);
    let counted = Counted {
        merged: BTreeSet::from([merged, once_merged, missing]),
        replaced: BTreeSet::from([replaced, once_merged]),
        buried: BTreeSet::from([buried]),
    };
    let loaded = load_counted(&store.shared(), &counted);
    assert_eq!(known(&loaded.index), [0, 3]);
    assert!(matches!(loaded.index.segments()[0].name(), ObjectName::MergedSegment(_)), "merged ones are the oldest");
    let [Error::Damaged { object, .. }] = loaded.damaged.as_slice() else { panic!("{:?}", loaded.damaged) };
    assert_eq!(*object, ObjectName::MergedSegment(missing).to_string());
}

#[test]
fn a_segment_under_a_name_of_the_other_kind_does_not_count() {
    let store = Arc::new(Store::default());
    let (_, sealed) = seal(builder(5, 1), Kind::MergedSegment);
    store.put_new(&(ObjectName::Segment(SegmentId([7; 32])), sealed));
    let loaded = store.load();
    assert!(loaded.index.segments().is_empty());
    assert_eq!(loaded.damaged.len(), 1);
}
