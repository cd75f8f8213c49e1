//! What lists of pieces promise: what is written is read back from any byte on, a change costs little, lies are refused.

use super::{
    sample::{Chunks, id, plain_file},
    *,
};

fn pieces(count: u64) -> Vec<Piece> {
    (0..count).map(|number| Piece::data(1000 + number % 77, id(number))).collect()
}

fn write_list(pieces: &[Piece], chunks: &mut Chunks) -> Content {
    let store: &mut StoreChunk<'_> = &mut |kind, bytes| Ok(chunks.store(kind, bytes));
    let mut writer = ContentWriter::new();
    for piece in pieces {
        writer.push(*piece, store).expect("a valid piece");
    }
    writer.finish(store).expect("stored")
}

#[test]
fn contents_of_every_size_round_trip() {
    for count in [0, 1, 512, 513, 2_048, 2_049, 20_000] {
        let pieces = pieces(count);
        let mut chunks = Chunks::new();
        let content = write_list(&pieces, &mut chunks);
        assert_eq!(content.pieces(), count);
        assert_eq!(matches!(content, Content::Inline(_)), count <= 512);
        let size = pieces.iter().map(|piece| piece.length).sum();
        let read = |kind, id: &ChunkId| chunks.read(kind, id);
        let mut reader = ContentReader::new(&content, Some(size), &read);
        let found: Vec<PlacedPiece> = reader.by_ref().map(|piece| piece.expect("nothing is lost")).collect();
        assert!(found.iter().map(|placed| placed.piece).eq(pieces.iter().copied()));

        for wanted in [0, 1, 999, 1_000, 1_001, size / 2, size.saturating_sub(1), size] {
            reader.seek(wanted);
            let expected = found.iter().find(|placed| placed.offset + placed.piece.length > wanted);
            assert_eq!(reader.next().map(|piece| piece.expect("read")).as_ref(), expected);
        }
        chunks.read.borrow_mut().clear();
        reader.seek(size / 2);
        reader.next();
        assert!(chunks.read.borrow().len() <= 3);
    }
}

#[test]
fn an_insertion_into_a_long_list_rewrites_a_few_chunks() {
    let mut all = pieces(20_000);
    let mut before = Chunks::new();
    write_list(&all, &mut before);
    for place in [0, 10_000, 20_000] {
        all.insert(place, Piece::data(5, id(1_000_000 + place as u64)));
        let mut after = Chunks::new();
        write_list(&all, &mut after);
        let new = after.chunks.keys().filter(|id| !before.chunks.contains_key(id)).count();
        assert!(new <= 12, "{new} of {} chunks are new", after.chunks.len());
        assert!(after.chunks.len() > 20);
    }
}

#[test]
fn holes_that_touch_are_one_and_long_runs_of_one_chunk_are_cut() {
    let mut chunks = Chunks::new();
    let touching = [Piece::hole(5), Piece::hole(0), Piece::hole(6), Piece::data(1, id(1)), Piece::hole(7)];
    let content = write_list(&touching, &mut chunks);
    assert_eq!(content, Content::Inline(vec![Piece::hole(11), Piece::data(1, id(1)), Piece::hole(7)]));

    let zeros = vec![Piece::data(4 << 20, id(1)); 10_000];
    let content = write_list(&zeros, &mut chunks);
    assert!(matches!(content, Content::List { level: 1, pieces: 10_000, .. }), "{content:?}");
    assert_eq!(chunks.chunks.len(), 3, "full nodes are equal, then the rest, then the level above");
}

#[test]
fn a_lost_part_of_a_list_costs_only_its_own_bytes() {
    let all = pieces(5_000);
    let size: u64 = all.iter().map(|piece| piece.length).sum();
    let mut chunks = Chunks::new();
    let content = write_list(&all, &mut chunks);
    let lost = chunks.level_0()[1];
    chunks.chunks.remove(&lost);
    let read = |kind, id: &ChunkId| chunks.read(kind, id);
    let (mut end, mut holes) = (0, 0);
    for piece in ContentReader::new(&content, Some(size), &read) {
        let (offset, bytes) = match piece {
            Ok(placed) => (placed.offset, placed.piece.length),
            Err(lost) => {
                holes += 1;
                (lost.offset, lost.bytes.expect("the level above tells"))
            }
        };
        assert_eq!(offset, end);
        end += bytes;
    }
    assert_eq!((end, holes), (size, 1));
}

#[test]
fn lists_that_lie_are_refused() {
    let mut chunks = Chunks::new();
    let leaf = chunks.store(ChunkKind::List, encode_list(&ListNode::Pieces(vec![Piece::data(10, id(1)); 600])));
    let child = ListChild { id: leaf, pieces: 600, bytes: 6_000 };
    let mut inner =
        |level, child| chunks.store(ChunkKind::List, encode_list(&ListNode::Inner { level, children: vec![child] }));
    let truthful = inner(1, child);
    let cases = [
        (truthful, 1, 600, 6_000, true),
        (truthful, 1, 600, 6_001, false),
        (truthful, 1, 601, 6_000, false),
        (truthful, 0, 600, 6_000, false),
        (leaf, 1, 600, 6_000, false),
        (inner(2, child), 2, 600, 6_000, false),
        (inner(1, ListChild { id: truthful, ..child }), 1, 600, 6_000, false),
        (inner(1, ListChild { pieces: 599, ..child }), 1, 599, 6_000, false),
        (inner(1, ListChild { bytes: 5_999, ..child }), 1, 600, 5_999, false),
    ];
    for (root, level, count, size, is_read) in cases {
        let content = Content::List { id: root, level, pieces: count };
        let read = |kind, id: &ChunkId| chunks.read(kind, id);
        let is_complete = ContentReader::new(&content, Some(size), &read).all(|piece| piece.is_ok());
        assert_eq!(is_complete, is_read, "{content:?} {size}");
    }
    let refused = |node: &ListNode| decode_list("test", &encode_list(node)).is_err();
    assert!(refused(&ListNode::Pieces(vec![])));
    assert!(refused(&ListNode::Pieces(vec![Piece::hole(0)])));
    assert!(refused(&ListNode::Pieces(vec![Piece::data((8 << 20) + 1, id(1))])));
    assert!(refused(&ListNode::Pieces(vec![Piece::hole(u64::MAX >> 1); 3])));
    assert!(refused(&ListNode::Pieces(vec![Piece::hole(1); 2_049])));
    assert!(refused(&ListNode::Inner { level: 11, children: vec![child] }));
    assert!(refused(&ListNode::Inner { level: 1, children: vec![ListChild { bytes: u64::MAX, ..child }; 2] }));
}

#[test]
fn attributes_without_an_end_end_at_the_first_list() {
    let mut chunks = Chunks::new();
    let mut below = encode_list(&ListNode::Pieces(vec![Piece::data(1 << 20, id(1)); 600]));
    let (mut pieces, mut bytes, mut level) = (600, 600 << 20, 0);
    while level < 4 {
        let child = ListChild { id: chunks.store(ChunkKind::List, below), pieces, bytes };
        (level, pieces, bytes) = (level + 1, pieces * 64, bytes * 64);
        below = encode_list(&ListNode::Inner { level, children: vec![child; 64] });
    }
    let mut entry = plain_file("a");
    let root = chunks.store(ChunkKind::List, below);
    entry.attributes = Attributes::Stored(Content::List { id: root, level, pieces });
    let read = |kind, id: &ChunkId| chunks.read(kind, id);
    let (mut visited, mut lost) = (0, Vec::new());
    for_each_reference(&entry, &read, &mut |reference| {
        match reference {
            Ok(_) => visited += 1,
            Err(pieces) => lost.push(pieces.error.to_string()),
        }
        Ok(())
    })
    .expect("visit never fails");
    assert!(lost.len() == 1 && lost[0].contains("no file system allows"), "{lost:?}");
    // What the file holds, and the list.
    assert_eq!((visited, chunks.read.borrow().len()), (2, 1));
}

#[test]
fn every_reference_of_an_entry_is_visited() {
    let mut chunks = Chunks::new();
    let all = [pieces(3_000), vec![Piece::hole(9)]].concat();
    let mut entry = plain_file("a");
    entry.size = all.iter().map(|piece| piece.length).sum();
    entry.node = Node::File { content: write_list(&all, &mut chunks) };
    entry.attributes = Attributes::Stored(Content::Inline(vec![Piece::data(20_000, id(9_999))]));
    let visit = |chunks: &Chunks| {
        let (mut kinds, mut lost) = ([0; 3], 0);
        let read = |kind, id: &ChunkId| chunks.read(kind, id);
        for_each_reference(&entry, &read, &mut |reference| {
            match reference {
                Ok(reference) => kinds[reference.kind as usize] += 1,
                Err(_) => lost += 1,
            }
            Ok(())
        })
        .expect("visit never fails");
        (kinds, lost)
    };
    let nodes = chunks.chunks.len();
    assert_eq!(visit(&chunks), ([3_001, 0, nodes], 0));
    let leaf = chunks.level_0()[0];
    chunks.chunks.remove(&leaf);
    let ([data, _, lists], lost) = visit(&chunks);
    assert!(data < 3_001 && lists == nodes && lost == 1);
}

#[test]
fn enormous_files_get_a_second_level() {
    let mut chunks = Chunks::new();
    let store: &mut StoreChunk<'_> = &mut |kind, bytes| Ok(chunks.store(kind, bytes));
    let mut writer = ContentWriter::new();
    // No id ends in zeros: every node is as long as it may be, and the level above is cut at its limit, too.
    for _ in 0..2_048 * 2_048 + 1 {
        writer.push(Piece::data(2, ChunkId([1; 32])), store).expect("a valid piece");
    }
    let size = writer.bytes();
    let content = writer.finish(store).expect("stored");
    let read = |kind, id: &ChunkId| chunks.read(kind, id);
    let mut reader = ContentReader::new(&content, Some(size), &read);
    assert!(matches!(content, Content::List { level: 2, .. }), "{content:?}");
    assert_eq!(reader.by_ref().map(|piece| piece.expect("nothing is lost").piece.length).sum::<u64>(), size);
    chunks.read.borrow_mut().clear();
    reader.seek(size - 1);
    assert_eq!(reader.next().expect("the last").expect("read").offset, size - 2);
    assert_eq!(chunks.read.borrow().len(), 3);
}
