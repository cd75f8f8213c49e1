//! Random trees. Small ones: what goes wrong goes wrong at boundaries, not at size.

use std::collections::BTreeMap;

use proptest::{
    collection::{btree_map, vec},
    prelude::*,
    sample::select,
};

use super::{Content, Directory, File, Metadata, Node, Piece, Symlink, Time};

/// A directory of up to some 30 entries, three levels deep, a few hundred KiB in most cases.
pub fn tree() -> impl Strategy<Value = Directory> {
    let leaf = prop_oneof![
        8 => (content(), metadata(select(FILE_MODES))).prop_map(|(content, metadata)| Node::File(File { content, metadata })),
        2 => symlink().prop_map(Node::Symlink),
        2 => any::<prop::sample::Index>().prop_map(|index| Node::HardLink(index.index(1000))),
        1 => metadata(select(FILE_MODES)).prop_map(|metadata| {
            // Only files and directories have attributes of users.
            Node::Fifo(Metadata { attributes: BTreeMap::new(), ..metadata })
        }),
    ];
    let node = leaf.prop_recursive(3, 30, 6, |node| directory(node, 0..6).prop_map(Node::Directory));
    directory(node, 0..8)
}

fn directory(node: impl Strategy<Value = Node>, entries: std::ops::Range<usize>) -> impl Strategy<Value = Directory> {
    (btree_map(name(), node, entries), metadata(select(DIRECTORY_MODES)))
        .prop_map(|(entries, metadata)| Directory { entries, metadata: Some(metadata) })
}

/// A name that a file system takes: any bytes but `/` and NUL, up to 255. On macOS, which refuses other names, text.
pub fn name() -> impl Strategy<Value = Vec<u8>> {
    let text = prop_oneof![
        4 => "[a-z]{1,8}",
        1 => "[ -.0-~]{1,12}",
        1 => "\\PC{1,8}".prop_filter("one component", |text| !text.contains('/')),
        1 => select(&["-", "--help", "~", "...", "a\nb", "\u{1b}[2J", " ", "CON", "e\u{301}", "\u{e9}", "A", "a"][..])
            .prop_map(str::to_owned),
        1 => (0..26_u8).prop_map(|letter| char::from(b'a' + letter).to_string().repeat(255)),
    ]
    .prop_map(String::into_bytes);
    let bytes = vec(any::<u8>().prop_filter("not in names", |byte| !matches!(byte, 0 | b'/')), 1..20);
    let odd = if cfg!(target_vendor = "apple") { 0 } else { 2 };
    prop_oneof![8 => text, odd => bytes]
        .prop_filter("a name of its own", |name| !matches!(name.as_slice(), b"" | b"." | b".."))
}

/// Lengths next to the boundaries of pages, inline data, blocks of trees, windows and batches.
const LENGTHS: &[usize] =
    &[0, 1, 2, 59, 60, 61, 511, 512, 4095, 4096, 4097, 16_384, 65_535, 65_536, 65_537, 131_072, 262_143, 300_000];

/// The content of a file: nothing, some bytes, or several runs of noise, zeros and holes. One in about 40 has some MiB,
/// so that it is cut into chunks.
pub fn content() -> impl Strategy<Value = Content> {
    // Few seeds: the same bytes shall come again in other files and at other places.
    let noise =
        |lengths: BoxedStrategy<usize>| (0..6_u64, lengths).prop_map(|(seed, length)| Piece::Noise { seed, length });
    let length = select(LENGTHS).boxed();
    let piece = prop_oneof![
        4 => noise(length.clone()),
        2 => vec(any::<u8>(), 0..200).prop_map(Piece::Bytes),
        1 => length.clone().prop_map(Piece::Zeros),
        2 => length.clone().prop_map(Piece::Hole),
    ];
    let large = (noise((1_000_000..5_000_000_usize).boxed()), 0..200_usize)
        .prop_map(|(noise, before)| Content(vec![Piece::Bytes(vec![7; before]), noise]));
    prop_oneof![
        20 => noise(length).prop_map(|piece| Content(vec![piece])),
        18 => vec(piece, 0..5).prop_map(Content),
        1 => large,
    ]
}

/// Modes that leave a file readable to its owner: what is not readable can not be backed up by everybody.
const FILE_MODES: &[u32] = &[0o644, 0o600, 0o400, 0o444, 0o755, 0o640, 0o666, 0o777, 0o4755, 0o2755, 0o1644];

/// Modes that let the owner in, to compare and to clean up.
const DIRECTORY_MODES: &[u32] = &[0o755, 0o700, 0o750, 0o777, 0o1777, 0o2755];

fn metadata(mode: impl Strategy<Value = u32>) -> impl Strategy<Value = Metadata> {
    (mode, time(), attributes()).prop_map(|(mode, modified, attributes)| Metadata { mode, modified, attributes })
}

/// Times that the usual file systems can hold: 1901 to 2106.
fn time() -> impl Strategy<Value = Time> {
    let seconds = prop_oneof![
        4 => 1_000_000_000..1_900_000_000_i64,
        2 => select(&[0, -1, 1, -2_000_000_000, i32::MIN as i64, i32::MAX as i64, i32::MAX as i64 + 1, u32::MAX as i64][..]),
        1 => -2_000_000_000..0_i64,
    ];
    let nanoseconds = prop_oneof![2 => 0..1_000_000_000_u32, 1 => select(&[0, 1, 999_999_999, 500_000_000][..])];
    (seconds, nanoseconds).prop_map(|(seconds, nanoseconds)| Time { seconds, nanoseconds })
}

fn attributes() -> impl Strategy<Value = BTreeMap<String, Vec<u8>>> {
    let name = prop_oneof![3 => "user\\.[a-z]{1,6}", 1 => Just("user.\u{e9} b".to_owned())];
    let value = prop_oneof![
        3 => vec(any::<u8>(), 0..40),
        // ext4 keeps names and values of one file within a block.
        1 => vec(any::<u8>(), 500..900),
    ];
    prop_oneof![6 => Just(BTreeMap::new()), 1 => btree_map(name, value, 1..3)]
}

fn symlink() -> impl Strategy<Value = Symlink> {
    let text = select(&["a", "..", ".", "../..", "/", "/etc/passwd", "/nowhere", "a/b/c", "./a//b/"][..]);
    let target = prop_oneof![
        3 => text.prop_map(|text| text.as_bytes().to_vec()),
        2 => name(),
        1 => Just(vec![b'x'; 4095]),
    ];
    (target, time()).prop_map(|(target, modified)| Symlink { target, modified })
}
