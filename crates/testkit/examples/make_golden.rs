//! Makes a golden repository: what a version of lbak wrote, to be opened by all later ones.
//!
//! ```text
//! cargo run -p lbak-testkit --example make_golden -- tests/golden/v1
//! ```
//!
//! The folder must not be there yet. It gets `repository/`, opened by the password `golden` or the key file `key`, and
//! `expected.txt`, which is made from the source's description below and not from what was stored. The lines of that
//! listing are described in `tests/golden/README.md`. Ids and keys are new each time, everything else is the same.

use std::{collections::BTreeMap, fs, path::PathBuf, sync::Arc};

use lbak_core::{
    backend::{Backend, LocalBackend, ObjectName},
    capture::{SnapshotOptions, SnapshotReport, snapshot},
    chunk::ChunkSizes,
    codec::slot::Credential,
    keys::{KeyFile, PasswordCost},
    metadata::{FileKind, Timestamp},
    repository::{Announcement, InitOptions, NewSlot, Repository},
    snapshot::{ForgottenRecord, LineageKind, Purpose},
    source::{MemoryNode, MemorySource, SourceErrorKind},
    store::put_object,
};

/// Everything by the names of its path: sorted as trees are, a directory before what is in it.
type Tree = BTreeMap<Vec<Vec<u8>>, Item>;

#[derive(Clone)]
struct Item {
    node: Kind,
    mode: u32,
    mtime: Timestamp,
    attributes: Vec<(Vec<u8>, Vec<u8>)>,
    is_denied: bool,
    /// The same for all names of one file.
    link: Option<u64>,
}

#[derive(Clone)]
enum Kind {
    Directory,
    /// Holes, each with bytes behind it.
    File(Vec<(u64, Vec<u8>)>),
    Symlink(Vec<u8>),
    Special(FileKind, u32, u32),
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = PathBuf::from(std::env::args_os().nth(1).ok_or("name the folder to make")?);
    fs::create_dir(&folder)?;
    let key = KeyFile::generate()?;
    fs::write(folder.join("key"), key.to_text().as_bytes())?;

    let backend: Arc<dyn Backend> = Arc::new(LocalBackend::create(folder.join("repository"))?);
    let password = NewSlot {
        credential: Credential::password("golden"),
        cost: PasswordCost::CHEAPEST,
        label: "the password is golden".into(),
    };
    let slots = [password, NewSlot::new(Credential::KeyFile(key), "the key file beside the repository")];
    // Small chunks, so that little data has many: lists of pieces, pages of the index.
    let chunk_sizes = ChunkSizes { minimum: 64, average: 256, maximum: 1024 };
    let repository =
        Repository::init(backend, &slots, &InitOptions { chunk_sizes, threads: Some(1), ..Default::default() })?;

    let mut expected = Vec::new();
    let mut tree = everything();
    let full = take(&repository, &tree, LineageKind::Full, "all there is")?;
    expected.extend(listing("1: full of /golden,/other [golden,v1] complete: all there is", &tree));

    tree.insert(path("/golden/notes"), file("changed since the full snapshot\n", 20));
    tree.remove(&path("/golden/empty"));
    let incremental = take(&repository, &tree, LineageKind::Incremental, "one changed, one gone")?;
    let head = "2: incremental to 1 of /golden,/other [golden,v1] complete: one changed, one gone";
    expected.extend(listing(head, &tree));

    // What can not be read is a finding; more than a hundred of them are kept in chunks of their own.
    let mut troubled = tree.clone();
    for number in 0..110 {
        let item = Item { is_denied: true, ..file("never read", 30) };
        troubled.insert(path(&format!("/golden/denied {number:03}")), item);
    }
    troubled.insert(path("/golden/closed directory"), Item { is_denied: true, ..directory(30) });
    let differential = take(&repository, &troubled, LineageKind::Differential, "with trouble")?;
    let head = "3: differential to 1 of /golden,/other [golden,v1] incomplete: with trouble";
    expected.extend(listing(head, &troubled));

    let forgotten = take(&repository, &tree, LineageKind::Incremental, "forgotten")?;
    let record = ForgottenRecord { by: "golden".into(), reason: "to be left out".into(), at: repository.now() };
    let name = ObjectName::Forgotten(forgotten.session);
    let sealed =
        repository.codec().seal_object(&name, ForgottenRecord::KIND, differential.session, &record.encode()?)?;
    put_object(&**repository.backend(), &name, &sealed)?;

    let announced = repository.announce(&Announcement {
        host: "host".into(),
        user: "user".into(),
        paths: vec![b"/nothing".to_vec()],
        purpose: Purpose::Snapshot,
        program: "golden".into(),
        pinned: vec![full.session, incremental.session],
    })?;
    repository.abandon(announced.id, "golden", "gave up");
    expected.push("4: closed by golden: gave up".to_owned());

    fs::write(folder.join("expected.txt"), expected.join("\n") + "\n")?;
    Ok(())
}

fn take(
    repository: &Repository,
    tree: &Tree,
    lineage: LineageKind,
    description: &str,
) -> lbak_core::error::Result<SnapshotReport> {
    let roots = ["/golden", "/other"].map(|root| (root, node(tree, &path(root))));
    let options = SnapshotOptions {
        lineage,
        host: "host".into(),
        user: "user".into(),
        tags: vec!["v1".into(), "golden".into()],
        description: description.into(),
        ..SnapshotOptions::default()
    };
    snapshot(repository, &MemorySource::new(roots), &options)
}

/// What is hard to keep, in little space.
fn everything() -> Tree {
    let mut tree = Tree::new();
    let mut add = |name: &str, item: Item| drop(tree.insert(path(name), item));
    add("/golden", directory(1));
    add("/other", Item { mode: 0o700, ..file("a root that is a file\n", 1) });
    add("/golden/empty", file("", 2));
    add("/golden/empty directory", Item { mode: 0o1777, ..directory(3) });
    add("/golden/notes", file("not changed yet\n", 4));
    add("/golden/program", Item { mode: 0o4755, ..file("#!/bin/sh\n", 5) });
    add("/golden/before 1970", Item { mtime: Timestamp { seconds: -5, nanoseconds: 999_999_999 }, ..file("old", 0) });
    add("/golden/in 1901", Item { mtime: Timestamp { seconds: -2_147_483_648, nanoseconds: 0 }, ..file("older", 0) });

    // Some 700 pieces in one list, then few distinct pieces between 1,300 holes in lists of two levels.
    let text: Vec<String> = (0..9000).map(|line| format!("line {line} of {}\n", line * line % 97)).collect();
    add("/golden/long", file(&text.concat(), 6));
    let parts = (0..1300).map(|part| (4096, format!("part {}\n", part % 50).into_bytes()));
    add("/golden/sparse", Item { node: Kind::File(parts.collect()), ..file("", 7) });
    let parts = vec![(1 << 20, b"between holes".to_vec()), (1 << 20, Vec::new())];
    add("/golden/hole at the end", Item { node: Kind::File(parts), ..file("", 8) });

    for name in ["/golden/links/a", "/golden/links/b", "/golden/z/last name"] {
        add(name, Item { link: Some(1), ..file("one file, three names\n", 9) });
    }
    add("/golden/links", directory(10));
    add("/golden/z", directory(11));
    let symlink = |target: &[u8]| Item { node: Kind::Symlink(target.to_vec()), mode: 0o777, ..directory(12) };
    add("/golden/links/to a", symlink(b"a"));
    add("/golden/links/to nothing", symlink(b"/\xff\n/../x"));

    add("/golden/special", directory(14));
    let special = |kind, major, minor| Item { node: Kind::Special(kind, major, minor), mode: 0o600, ..directory(15) };
    add("/golden/special/fifo", special(FileKind::Fifo, 0, 0));
    add("/golden/special/null", special(FileKind::CharacterDevice, 1, 3));
    add("/golden/special/disk", special(FileKind::BlockDevice, 259, 70_000));

    let attribute = |name: &str, value: &str| (name.as_bytes().to_vec(), value.as_bytes().to_vec());
    let attributes = vec![attribute("user.empty", ""), attribute("user.origin", "https://example.org/")];
    add("/golden/attributes", Item { attributes: attributes.clone(), ..directory(16) });
    add("/golden/attributes/short", Item { attributes, ..file("has two", 17) });
    // Over 16,384 bytes: stored apart.
    let attributes = vec![attribute("user.long", &"0123456789abcdef".repeat(1300)), attribute("user.z", "last")];
    add("/golden/attributes/long", Item { attributes, ..file("has a long one", 18) });
    // Inline, and so long that few entries fill a run: this directory has several.
    add("/golden/wide", directory(19));
    for number in 0..14 {
        let attributes = vec![attribute("user.wide", &format!("{number:02}").repeat(7500))];
        add(&format!("/golden/wide/{number}"), Item { attributes, ..file("", 20) });
    }

    add("/golden/names", directory(21));
    let longest = "n".repeat(255);
    let mut names: Vec<&[u8]> = vec![b"-", b"--help", b"~", b"...", b" ", b"a\nb", b"\x1b[2J", b"\xff\xfe\x80", b"\\"];
    names.extend(["\u{e9}", "e\u{301}", &longest].map(str::as_bytes));
    for (number, name) in names.into_iter().enumerate() {
        let path = vec![b"golden".to_vec(), b"names".to_vec(), name.to_vec()];
        tree.insert(path, file(&format!("name {number}"), 22));
    }
    tree
}

fn path(path: &str) -> Vec<Vec<u8>> {
    path.split('/').skip(1).map(|name| name.as_bytes().to_vec()).collect()
}

fn directory(time: u32) -> Item {
    let mtime = Timestamp { seconds: 1_000_000_000 + i64::from(time) * 1000, nanoseconds: time * 7919 };
    Item { node: Kind::Directory, mode: 0o755, mtime, attributes: Vec::new(), is_denied: false, link: None }
}

fn file(content: &str, time: u32) -> Item {
    Item { node: Kind::File(vec![(0, content.as_bytes().to_vec())]), mode: 0o644, ..directory(time) }
}

/// What stands at a path, with all that is below it.
fn node(tree: &Tree, path: &[Vec<u8>]) -> MemoryNode {
    let item = &tree[path];
    let mut node = match &item.node {
        Kind::File(parts) => MemoryNode::sparse_file(parts.clone()),
        Kind::Symlink(target) => MemoryNode::symlink(target.clone()),
        Kind::Special(kind, major, minor) => MemoryNode::special(*kind, *major, *minor),
        Kind::Directory => {
            let children = tree.keys().filter(|child| child.len() == path.len() + 1 && child.starts_with(path));
            MemoryNode::directory(children.map(|child| (child[path.len()].clone(), node(tree, child))))
        }
    };
    node.metadata.mode = item.mode;
    (node.metadata.mtime, node.metadata.ctime) = (item.mtime, item.mtime);
    (node.metadata.user, node.metadata.group) = (b"user"[..].into(), b"group"[..].into());
    if let Some(link) = item.link {
        (node.metadata.inode, node.metadata.links) = (1_000_000 + link, 3);
    }
    node.attributes.clone_from(&item.attributes);
    if item.is_denied { node.with_trouble(SourceErrorKind::Denied) } else { node }
}

/// The lines of one snapshot: its head, its findings, its entries.
fn listing(head: &str, tree: &Tree) -> Vec<String> {
    let (mut findings, mut entries) = (Vec::new(), Vec::new());
    let mut links = BTreeMap::new();
    for (path, item) in tree {
        let shown: String = path.iter().map(|name| format!("/{}", name.escape_ascii())).collect();
        if item.is_denied {
            if matches!(item.node, Kind::Directory) {
                findings.push(format!("finding 4 {shown}"));
            }
            findings.push(format!("finding 0 {shown}"));
        }
        let about = format!("{:04o} {}.{:09}", item.mode, item.mtime.seconds, item.mtime.nanoseconds);
        let mut line = match &item.node {
            // There is nothing of it to restore; a directory stands there empty.
            Kind::File(_) if item.is_denied => continue,
            Kind::Directory if item.is_denied => format!("unread {about} {shown}"),
            Kind::Directory => format!("directory {about} {shown}"),
            Kind::File(parts) => {
                let mut bytes = Vec::new();
                for (hole, part) in parts {
                    bytes.resize(bytes.len() + usize::try_from(*hole).unwrap_or(0), 0);
                    bytes.extend_from_slice(part);
                }
                format!("file {about} {} {} {shown}", bytes.len(), short_hash(&bytes))
            }
            Kind::Symlink(target) => format!("link {shown} -> {}", target.escape_ascii()),
            Kind::Special(FileKind::Fifo, ..) => format!("fifo {about} {shown}"),
            Kind::Special(FileKind::CharacterDevice, major, minor) => {
                format!("character-device-{major}-{minor} {about} {shown}")
            }
            Kind::Special(_, major, minor) => format!("block-device-{major}-{minor} {about} {shown}"),
        };
        if let Some(link) = item.link {
            match links.get(&link) {
                Some(first) => line += &format!(" = {first}"),
                None => drop(links.insert(link, shown)),
            }
        }
        entries.push(line);
        for (name, value) in &item.attributes {
            entries.push(format!("attribute {} {} {}", name.escape_ascii(), value.len(), short_hash(value)));
        }
    }
    [vec![head.to_owned()], findings, entries].concat()
}

fn short_hash(bytes: &[u8]) -> String {
    blake3::hash(bytes).to_hex()[..16].to_owned()
}
