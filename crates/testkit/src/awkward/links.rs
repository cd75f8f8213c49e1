//! Hard links and symbolic links.

use std::io;

use rustix::fs::FileType;

use super::{AwkwardOptions, Kept::ByAll, Needs, Place, Recipe, recipe};

pub(super) const CASES: &[Recipe] = &[
    recipe("hard-links-within", Needs::Nothing, ByAll, within),
    recipe("hard-links-outside", Needs::Nothing, ByAll, outside),
    recipe("hard-links-many", Needs::Nothing, ByAll, many),
    recipe("hard-links-of-symlinks", Needs::FileSystem, ByAll, of_symlinks),
    recipe("hard-links-of-fifos", Needs::Nothing, ByAll, of_fifos),
    recipe("hard-links-of-devices", Needs::Root, ByAll, of_devices),
    recipe("symlinks-to-anywhere", Needs::Nothing, ByAll, to_anywhere),
    recipe("symlinks-long", Needs::Nothing, ByAll, long),
    recipe("symlinks-of-any-bytes", Needs::FileSystem, ByAll, of_any_bytes),
];

/// Two names in one directory, further ones above and below, of empty, small, large and sparse files.
fn within(place: &Place, _: &AwkwardOptions) -> io::Result<()> {
    let below = place.directory("below")?.directory("further")?;
    let contents: [(&str, &[u8]); 3] = [("empty", b""), ("small", b"small"), ("large", &[7; 3_000_000])];
    for (name, content) in contents {
        place.file(name, content)?;
        place.link(name, place, format!("{name} again"))?;
        place.link(name, &below, name)?;
    }
    place.sparse("sparse", &[(1 << 20, b"data"), (3 << 20, b"")])?;
    place.link("sparse", &below, "sparse")?;
    // Equal bytes do not make two files one.
    place.file("small too", b"small")?;
    below.link("small", place, "zz last")
}

/// Files whose other names are not backed up: one name inside, and two inside.
fn outside(place: &Place, _: &AwkwardOptions) -> io::Result<()> {
    place.file("one inside", b"one")?;
    place.link_outside("one inside", "one")?;
    place.file("two inside", b"two")?;
    place.link("two inside", place, "two inside again")?;
    place.link_outside("two inside", "two")
}

fn many(place: &Place, _: &AwkwardOptions) -> io::Result<()> {
    place.file("0", b"a file of many names")?;
    (1..100).try_for_each(|number| place.link("0", place, number.to_string()))
}

fn of_symlinks(place: &Place, _: &AwkwardOptions) -> io::Result<()> {
    place.symlink("link", "nowhere")?;
    place.link("link", place, "same link")?;
    place.symlink("other link", "nowhere")?;
    let long = [b'l'; 2000];
    place.symlink("long", long)?;
    place.link("long", place, "same long")?;
    place.link_outside("long", "long link")
}

fn of_fifos(place: &Place, _: &AwkwardOptions) -> io::Result<()> {
    place.fifo("fifo")?;
    place.link("fifo", place, "same fifo")?;
    place.fifo("other fifo")
}

fn of_devices(place: &Place, _: &AwkwardOptions) -> io::Result<()> {
    place.node("null", FileType::CharacterDevice, 1, 3)?;
    place.link("null", place, "same null")?;
    place.node("other null", FileType::CharacterDevice, 1, 3)?;
    place.node("block", FileType::BlockDevice, 7, 250)?;
    place.link("block", place, "same block")
}

/// Dangling, to itself, in a circle, absolute, upwards, to directories and special files.
fn to_anywhere(place: &Place, _: &AwkwardOptions) -> io::Result<()> {
    place.directory("directory")?.file("file", b"behind a link")?;
    let links: [(&str, &str); 16] = [
        ("dangling", "nowhere"),
        ("dangling-deep", "no/where/at/all"),
        ("itself", "itself"),
        ("circle-a", "circle-b"),
        ("circle-b", "circle-a"),
        ("here", "."),
        ("above", ".."),
        ("far-above", "../../../../../../../../../../../../.."),
        ("root", "/"),
        ("absolute", "/etc/passwd"),
        ("absolute-dangling", "/nowhere"),
        ("to-directory", "directory"),
        ("to-directory-slash", "directory/"),
        ("odd-slashes", "./directory//file"),
        ("to-memory", "/proc/self/mem"),
        ("to-link", "to-directory"),
    ];
    links.into_iter().try_for_each(|(name, target)| place.symlink(name, target))
}

/// Lengths beside every border: inline in the inode, a block, the longest.
fn long(place: &Place, _: &AwkwardOptions) -> io::Result<()> {
    let lengths = [1, 58, 59, 60, 61, 255, 256, 1023, 1024, 4094, 4095];
    lengths.into_iter().try_for_each(|length| place.symlink(format!("{length} bytes"), vec![b'x'; length]))
}

fn of_any_bytes(place: &Place, _: &AwkwardOptions) -> io::Result<()> {
    let all: Vec<u8> = (1..=255).collect();
    place.symlink("every byte", all)?;
    place.symlink("not UTF-8", b"\xff\xfe/\x80")?;
    place.symlink("control", b"a\nb\x1b[2J\x7f")?;
    place.symlink("blank", b" ")
}
