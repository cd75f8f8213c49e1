//! Decoded objects as `lbak cat` shows them: field for field what is stored, with ids in hex and times as everywhere.

use lbak::{
    Entry, Lineage, Manifest, Node, SlotForm, SourceKind,
    chunk::ChunkSizes,
    codec::slot::SlotHead,
    index::{PackRow, Summary},
    pack::Directory,
    parity::CoveredPack,
    repository::{Config, StoredObject},
    snapshot::{Purpose, Slot},
    tree::{Attributes, Content, ListNode, Piece, TreeNode},
};
use serde_json::{Value, json};

use super::path;
use crate::times::rfc3339;

/// What an object holds.
pub(crate) fn object(object: &StoredObject) -> Value {
    match object {
        StoredObject::Config(config) => of_config(config),
        StoredObject::Key(head) => key(head),
        StoredObject::Session(record) => json!({
            "author": record.author,
            "purpose": purpose(record.purpose),
            "program": record.program,
            "started_at": rfc3339(record.started_at),
            "pinned": hex(&record.pinned),
        }),
        StoredObject::Pack(header, directory) => json!({
            "kind": format!("{:?}", header.kind),
            "epoch": header.epoch,
            "session": header.session.to_string(),
            "blocks": blocks(directory),
        }),
        StoredObject::Segment(summary, packs) => segment(summary, packs),
        StoredObject::Outcome(Slot::Committed(committed)) => {
            let mut shown = manifest(&committed.manifest);
            shown["session"] = committed.session.to_string().into();
            shown["head"] = committed.head.to_string().into();
            shown
        }
        StoredObject::Outcome(Slot::Closed(closed)) => {
            json!({ "closed": true, "by": closed.by, "reason": closed.reason, "at": rfc3339(closed.at) })
        }
        StoredObject::Forgotten(record) => {
            json!({ "by": record.by, "reason": record.reason, "at": rfc3339(record.at) })
        }
        StoredObject::Damaged(record) => json!({ "by": record.by, "what": record.what, "at": rfc3339(record.at) }),
        StoredObject::Mark(record) => json!({ "condemned": hex(&record.condemned) }),
        StoredObject::Removals(record) => json!({
            "packs": hex(&record.packs),
            "segments": hex(&record.segments),
            "merged": hex(&record.merged),
        }),
        StoredObject::Reading(record) => json!({
            "by": record.by,
            "at": rfc3339(record.at),
            "packs": record.packs.iter().map(|pack| pack.iter().map(|byte| format!("{byte:02x}")).collect()).collect::<Vec<String>>(),
        }),
        StoredObject::Aside(record) => json!({
            "by": record.by,
            "at": rfc3339(record.at),
            "objects": record.objects.iter().map(|object| json!({ "name": object.name, "what": object.what })).collect::<Vec<_>>(),
        }),
        StoredObject::Parity(list) => json!({
            "slices": list.slices(),
            "sectors_in_slice": list.places(),
            "recovery_sectors_in_slice": list.recovery(),
            "packs": list.packs().iter().map(covered).collect::<Vec<_>>(),
        }),
        StoredObject::Fin(record) => json!({
            "merged": hex(&record.merged),
            "replaced": hex(&record.replaced),
            "live": hex(&record.live),
            "buried": hex(&record.buried),
            "removals": record.removals.to_string(),
            "previous": record.previous.map(|previous| previous.to_string()),
        }),
    }
}

fn hex<T: ToString>(ids: &[T]) -> Vec<String> {
    ids.iter().map(ToString::to_string).collect()
}

fn of_config(config: &Config) -> Value {
    let ChunkSizes { minimum, average, maximum } = config.chunk_sizes;
    json!({
        "repository_id": config.repository.to_string(),
        "chunk_sizes": { "minimum": minimum, "average": average, "maximum": maximum },
        "cutter": config.cutter,
        "created_at": rfc3339(lbak::Timestamp { seconds: config.created_seconds, nanoseconds: 0 }),
    })
}

fn key(head: &SlotHead) -> Value {
    let mut shown = json!({ "repository_id": head.repository.to_string() });
    match head.form {
        SlotForm::KeyFile => shown["form"] = "key_file".into(),
        SlotForm::Password => {
            shown["form"] = "password".into();
            shown["memory_kib"] = head.cost.memory_kib.into();
            shown["passes"] = head.cost.passes.into();
            shown["lanes"] = head.cost.lanes.into();
        }
    }
    shown
}

fn purpose(purpose: Purpose) -> &'static str {
    match purpose {
        Purpose::Snapshot => "snapshot",
        Purpose::Restore => "restore",
        Purpose::Rewrite => "rewrite",
        Purpose::Collect => "collect",
    }
}

fn blocks(directory: &Directory) -> Vec<Value> {
    let chunk = |chunk: &lbak::pack::ChunkEntry| {
        json!({
            "id": chunk.id.to_string(),
            "kind": format!("{:?}", chunk.kind).to_lowercase(),
            "length": chunk.length,
            "base": chunk.base.map(|base| base.to_string()),
        })
    };
    let block = |block: &lbak::pack::BlockRow| {
        json!({
            "offset": block.offset,
            "sealed_length": block.sealed_length,
            "plain_length": block.plain_length,
            "padding": block.is_padding,
            "chunks": block.chunks.iter().map(chunk).collect::<Vec<_>>(),
        })
    };
    directory.blocks.iter().map(block).collect()
}

fn covered(pack: &CoveredPack) -> Value {
    json!({ "id": pack.id.to_string(), "stored_length": pack.stored_length })
}

fn segment(summary: &Summary, packs: &[PackRow]) -> Value {
    let pack = |row: &PackRow| {
        json!({
            "id": row.id.to_string(),
            "stored_length": row.stored_length,
            "session": row.header.session.to_string(),
        })
    };
    json!({
        "records": summary.records,
        "smallest": summary.smallest.to_string(),
        "largest": summary.largest.to_string(),
        "stored_length": summary.stored_length(),
        "packs": packs.iter().map(pack).collect::<Vec<_>>(),
    })
}

/// What is recorded of a snapshot.
pub(crate) fn manifest(manifest: &Manifest) -> Value {
    let (lineage, compared_with) = match manifest.lineage {
        Lineage::Full => ("full", None),
        Lineage::Incremental { parent } => ("incremental", Some(parent.to_string())),
        Lineage::Differential { base } => ("differential", Some(base.to_string())),
    };
    let source = match &manifest.source {
        SourceKind::Files => json!({ "kind": "files" }),
        SourceKind::Stream => json!({ "kind": "stream" }),
        SourceKind::Command { words, status } => {
            let words: Vec<String> = words.iter().map(|word| path(word)).collect();
            json!({ "kind": "command", "words": words, "status": status })
        }
    };
    let findings = &manifest.findings;
    json!({
        "id": manifest.id.to_string(),
        "root": manifest.root.to_string(),
        "lineage": lineage,
        "compared_with": compared_with,
        "started_at": rfc3339(manifest.started_at),
        "ended_at": rfc3339(manifest.ended_at),
        "point_in_time": manifest.point_in_time.map(rfc3339),
        "host": manifest.host,
        "user": manifest.user,
        "paths": manifest.paths.iter().map(|bytes| path(bytes)).collect::<Vec<_>>(),
        "tags": manifest.tags,
        "description": manifest.description,
        "program": manifest.program,
        "totals": {
            "files": manifest.totals.files,
            "directories": manifest.totals.directories,
            "links": manifest.totals.links,
            "others": manifest.totals.others,
        },
        "sizes": {
            "logical": manifest.sizes.logical,
            "new": manifest.sizes.new,
            "stored": manifest.sizes.stored,
        },
        "source": source,
        "findings": {
            "counts": super::finding_counts(&findings.counts),
            "first": findings.first.iter().map(super::Finding::of).collect::<Vec<_>>(),
            "all": hex(&findings.all),
        },
        "complete": manifest.is_complete,
        "origin": manifest.origin.map(|origin| origin.to_string()),
        "heads": hex(&manifest.heads),
    })
}

/// A node of a directory.
pub(crate) fn tree(node: &TreeNode) -> Value {
    match node {
        TreeNode::Run(entries) => json!({ "level": 0, "entries": entries.iter().map(entry).collect::<Vec<_>>() }),
        TreeNode::Inner { level, children } => {
            let child = |child: &lbak::tree::TreeChild| json!({ "id": child.id.to_string(), "entries": child.entries, "last": path(&child.last) });
            json!({ "level": level, "children": children.iter().map(child).collect::<Vec<_>>() })
        }
    }
}

/// A node of a list.
pub(crate) fn list(node: &ListNode) -> Value {
    match node {
        ListNode::Pieces(pieces) => json!({ "level": 0, "pieces": self::pieces(pieces) }),
        ListNode::Inner { level, children } => {
            let child = |child: &lbak::tree::ListChild| json!({ "id": child.id.to_string(), "pieces": child.pieces, "bytes": child.bytes });
            json!({ "level": level, "children": children.iter().map(child).collect::<Vec<_>>() })
        }
    }
}

/// Pieces of a file; a hole has no chunk.
fn pieces(pieces: &[Piece]) -> Vec<Value> {
    let piece = |piece: &Piece| json!({ "length": piece.length, "chunk": piece.chunk.map(|id| id.to_string()) });
    pieces.iter().map(piece).collect()
}

fn content(content: &Content) -> Value {
    match content {
        Content::Inline(inline) => json!({ "pieces": pieces(inline) }),
        Content::List { id, level, pieces } => json!({ "list": id.to_string(), "level": level, "piece_count": pieces }),
    }
}

fn entry(entry: &Entry) -> Value {
    let mut shown = json!({
        "name": path(&entry.name),
        "flags": entry.flags.bits(),
        "mode": entry.mode,
        "uid": entry.uid,
        "gid": entry.gid,
        "user": path(&entry.user),
        "group": path(&entry.group),
        "mtime": rfc3339(entry.mtime),
        "ctime": rfc3339(entry.ctime),
        "size": entry.size,
        "inode": entry.inode,
        "link_group": entry.link_group,
    });
    let (kind, more) = match &entry.node {
        Node::File { content } => ("file", Some(("content", self::content(content)))),
        Node::Directory { tree } => ("dir", Some(("tree", tree.to_string().into()))),
        Node::Symlink { target } => ("symlink", Some(("linktarget", path(target).into()))),
        Node::Fifo => ("fifo", None),
        Node::CharacterDevice { major, minor } => ("chardev", Some(("device", json!([major, minor])))),
        Node::BlockDevice { major, minor } => ("dev", Some(("device", json!([major, minor])))),
        Node::Socket => ("socket", None),
    };
    shown["type"] = kind.into();
    if let Some((key, value)) = more {
        shown[key] = value;
    }
    match &entry.attributes {
        Attributes::None => {}
        Attributes::Inline(pairs) => {
            let pair = |(name, value): &(Vec<u8>, Vec<u8>)| (path(name), Value::from(path(value)));
            shown["attributes"] = Value::Object(pairs.iter().map(pair).collect());
        }
        Attributes::Stored(stored) => shown["attributes_stored"] = content(stored),
    }
    shown
}
