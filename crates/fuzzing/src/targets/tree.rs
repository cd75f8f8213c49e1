//! Nodes of directories and lists, and extended attributes: what decodes encodes to the same bytes, can be read, and
//! could be written again.
//!
//! Input: which u8 · the bytes.

use std::{collections::BTreeMap, sync::LazyLock};

use crate::memory;
use bytes::Bytes;
use lbak_core::{
    error::Error,
    id::{ChunkId, ChunkKind},
    keys::{Keys, Secret},
    tree::{
        ListNode, NameRule, TreeNode, TreeReader, TreeWriter, check_name, decode_attributes, decode_list, decode_tree,
        encode_attributes, encode_list, encode_tree, for_each_reference,
    },
};

static KEYS: LazyLock<Keys> =
    LazyLock::new(|| Keys::new(BTreeMap::from([(0, Secret::new([7; 32]))])).expect("one master"));

/// Runs the target.
pub fn tree(input: &[u8]) {
    let Some((&which, bytes)) = input.split_first() else { return };
    let limit = memory::in_proportion_to(bytes);
    match which {
        0 => node(NameRule::Component, bytes),
        1 => node(NameRule::AbsolutePath, bytes),
        2 => {
            let Ok(node) = memory::within(limit, || decode_list("fuzz", bytes)) else { return };
            assert_eq!(encode_list(&node), bytes, "a list node is written back as it was read");
            let sum = match &node {
                ListNode::Pieces(pieces) => pieces.iter().try_fold(0_u64, |sum, piece| sum.checked_add(piece.length)),
                ListNode::Inner { children, .. } => {
                    children.iter().try_fold(0_u64, |sum, child| sum.checked_add(child.bytes))
                }
            };
            assert!(sum.is_some(), "readers add up the bytes of a node");
        }
        3 => {
            let Ok(pairs) = memory::within(limit, || decode_attributes("fuzz", bytes)) else { return };
            assert_eq!(encode_attributes(&pairs), bytes, "attributes are written back as they were read");
            assert!(pairs.is_sorted_by(|one, other| one.0 < other.0), "no attribute stands twice");
        }
        _ => {}
    }
}

fn node(rule: NameRule, bytes: &[u8]) {
    let decoded = memory::within(memory::in_proportion_to(bytes), || decode_tree("fuzz", rule, bytes));
    let Ok(node) = decoded else { return };
    assert_eq!(encode_tree(&node), bytes, "a node is written back as it was read");

    // Everything below this node is lost; whoever reads it is told so and comes to an end.
    let root = ChunkId([9; 32]);
    let chunk = Bytes::copy_from_slice(bytes);
    let read = |_: ChunkKind, id: &ChunkId| match *id == root {
        true => Ok(chunk.clone()),
        false => Err(Error::Lost { what: "a chunk".into() }),
    };
    let reader = TreeReader::open(rule, root, &read).expect("it decodes");
    match node {
        TreeNode::Inner { children, .. } => {
            let promised = children.iter().try_fold(0_u64, |sum, child| sum.checked_add(child.entries));
            assert_eq!(promised, Some(reader.entries()), "readers add up the entries of a node");
            // A child may claim to be this very node: it never is, its level would have to be lower.
            assert!(reader.take(children.len() + 1).all(|entry| entry.is_err()), "no entry comes out of nothing");
        }
        TreeNode::Run(entries) => {
            let mut writer = TreeWriter::new(&KEYS, rule);
            let mut store = |kind, bytes: Vec<u8>| Ok(KEYS.chunk_id(kind, &bytes));
            for entry in &entries {
                check_name(rule, &entry.name).expect("a name that could leave its directory is refused");
                writer.push(entry, &mut store).expect("what was read can be written again");
                assert_eq!(reader.find(&entry.name).expect("one chunk").as_ref(), Some(entry));
                for_each_reference(entry, &read, &mut |_| Ok(())).expect("the closure refuses nothing");
            }
            writer.finish(&mut store).expect("the closure refuses nothing");
            let read_back: Vec<_> = reader.map(|entry| entry.expect("all of it is in one chunk")).collect();
            assert_eq!(read_back, entries, "a reader gives all entries, in their order");
        }
    }
}
