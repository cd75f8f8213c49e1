//! Entries, pieces and nodes to bytes; `decode.rs` is the mirror.

use super::{
    Attributes, Content, Entry, ListChild, ListNode, Node, Piece, TreeChild, TreeNode,
    varint::{put_bytes, put_varint, put_zigzag},
};
use crate::metadata::Timestamp;

/// Version of the encoding of trees and lists.
pub(super) const VERSION: u8 = 1;

/// Encodes one chunk of a directory as it stands; what breaks a rule does not decode again.
#[must_use]
pub fn encode_tree(node: &TreeNode) -> Vec<u8> {
    match node {
        TreeNode::Run(entries) => encode_node(0, entries, put_entry),
        TreeNode::Inner { level, children } => encode_node(*level, children, put_tree_child),
    }
}

/// Encodes one chunk of a list as it stands; what breaks a rule does not decode again.
#[must_use]
pub fn encode_list(node: &ListNode) -> Vec<u8> {
    match node {
        ListNode::Pieces(pieces) => encode_node(0, pieces, put_piece),
        ListNode::Inner { level, children } => encode_node(*level, children, put_list_child),
    }
}

/// Encodes extended attributes, which must be sorted by name, as they stand in an entry or in chunks of their own.
#[must_use]
pub fn encode_attributes(pairs: &[(Vec<u8>, Vec<u8>)]) -> Vec<u8> {
    let mut bytes = Vec::new();
    put_attributes(&mut bytes, pairs);
    bytes
}

fn encode_node<T>(level: u8, items: &[T], put: impl Fn(&mut Vec<u8>, &T)) -> Vec<u8> {
    let mut bytes = vec![VERSION, level];
    items.iter().for_each(|item| put(&mut bytes, item));
    bytes
}

pub(super) fn put_tree_child(bytes: &mut Vec<u8>, child: &TreeChild) {
    bytes.extend_from_slice(child.id.as_bytes());
    put_varint(bytes, child.entries);
    put_bytes(bytes, &child.last);
}

pub(super) fn put_list_child(bytes: &mut Vec<u8>, child: &ListChild) {
    bytes.extend_from_slice(child.id.as_bytes());
    put_varint(bytes, child.pieces);
    put_varint(bytes, child.bytes);
}

pub(super) fn put_entry(bytes: &mut Vec<u8>, entry: &Entry) {
    put_bytes(bytes, &entry.name);
    bytes.push(match entry.node {
        Node::File { .. } => 0,
        Node::Directory { .. } => 1,
        Node::Symlink { .. } => 2,
        Node::Fifo => 3,
        Node::CharacterDevice { .. } => 4,
        Node::BlockDevice { .. } => 5,
        Node::Socket => 6,
    });
    put_varint(bytes, u64::from(entry.flags.bits()));
    put_varint(bytes, u64::from(entry.mode));
    put_varint(bytes, u64::from(entry.uid));
    put_varint(bytes, u64::from(entry.gid));
    put_bytes(bytes, &entry.user);
    put_bytes(bytes, &entry.group);
    put_time(bytes, entry.mtime);
    put_time(bytes, entry.ctime);
    put_varint(bytes, entry.size);
    put_varint(bytes, entry.inode);
    put_varint(bytes, entry.link_group);
    match &entry.node {
        Node::File { content } => put_content(bytes, content),
        Node::Directory { tree } => bytes.extend_from_slice(tree.as_bytes()),
        Node::Symlink { target } => put_bytes(bytes, target),
        Node::CharacterDevice { major, minor } | Node::BlockDevice { major, minor } => {
            put_varint(bytes, u64::from(*major));
            put_varint(bytes, u64::from(*minor));
        }
        Node::Fifo | Node::Socket => {}
    }
    match &entry.attributes {
        Attributes::None => bytes.push(0),
        Attributes::Inline(pairs) => {
            bytes.push(1);
            put_attributes(bytes, pairs);
        }
        Attributes::Stored(content) => {
            bytes.push(2);
            put_content(bytes, content);
        }
    }
}

pub(super) fn put_piece(bytes: &mut Vec<u8>, piece: &Piece) {
    put_varint(bytes, piece.length << 1 | u64::from(piece.chunk.is_none()));
    if let Some(chunk) = piece.chunk {
        bytes.extend_from_slice(chunk.as_bytes());
    }
}

fn put_content(bytes: &mut Vec<u8>, content: &Content) {
    match content {
        Content::Inline(pieces) => {
            bytes.push(0);
            put_varint(bytes, pieces.len() as u64);
            pieces.iter().for_each(|piece| put_piece(bytes, piece));
        }
        Content::List { id, level, pieces } => {
            bytes.push(1);
            bytes.extend_from_slice(id.as_bytes());
            bytes.push(*level);
            put_varint(bytes, *pieces);
        }
    }
}

fn put_attributes(bytes: &mut Vec<u8>, pairs: &[(Vec<u8>, Vec<u8>)]) {
    put_varint(bytes, pairs.len() as u64);
    for (name, value) in pairs {
        put_bytes(bytes, name);
        put_bytes(bytes, value);
    }
}

fn put_time(bytes: &mut Vec<u8>, time: Timestamp) {
    put_zigzag(bytes, time.seconds);
    put_varint(bytes, u64::from(time.nanoseconds));
}
