//! What a collector is about to take, and what it has replaced or buried.

use lbak_core::{
    backend::{Backend, ObjectName},
    codec::Kind,
    snapshot::{Lineage, LineageKind, MarkRecord},
};

use crate::{
    house::{Tree, init, memory},
    objects::{pack_ids, put, put_fin, segment_ids},
};

#[test]
fn condemned_packs_are_not_referred_to_until_the_round_is_over() {
    let (tree, (_, backend)) = (Tree::new(), memory());
    let repository = init(&backend);
    let first = tree.snapshot(&repository, LineageKind::Full).unwrap();
    let condemned = pack_ids(&*backend);
    put(&repository, &ObjectName::Mark(0), Kind::Mark, &MarkRecord { condemned: condemned.clone() }.encode().unwrap());

    let second = tree.snapshot(&repository, LineageKind::Incremental).unwrap();
    assert_eq!(second.lineage, Lineage::Incremental { parent: first.snapshot });
    assert!(second.sizes.new > 3_000_000, "everything is stored anew");
    for pack in condemned {
        backend.remove(&ObjectName::Pack(pack)).unwrap();
    }
    tree.assert_restores(&repository, &second);

    put_fin(&repository, 0, Vec::new(), Vec::new());
    let third = tree.snapshot(&repository, LineageKind::Incremental).unwrap();
    assert_eq!(third.sizes.new, 0, "a mark is void while its fin stands");
}

#[test]
fn segments_count_as_the_newest_fin_says() {
    let (tree, (_, backend)) = (Tree::new(), memory());
    let repository = init(&backend);
    let first = tree.snapshot(&repository, LineageKind::Full).unwrap();
    let all = segment_ids(&*backend);
    let counted = || repository.view().unwrap().index.segments().len();
    assert_eq!(counted(), all.len());
    put_fin(&repository, 0, all.clone(), Vec::new());
    assert_eq!(counted(), 0, "replaced");
    put_fin(&repository, 1, Vec::new(), vec![first.session]);
    assert_eq!(counted(), 0, "buried");
    put_fin(&repository, 2, Vec::new(), Vec::new());
    assert_eq!(counted(), all.len(), "the newest is the authority");
}
