//! What is in files: sizes beside every border, holes, zeros that are no holes, room that is kept.

use std::io;

use lbak_core::chunk::ChunkSizes;
use rustix::fs::{FallocateFlags, fallocate, ftruncate};

use super::{AwkwardOptions, Kept::ByAll, Needs, Place, Recipe, place::write_at, recipe};
use crate::objects::noise;

const MIB: u64 = 1 << 20;

pub(super) const CASES: &[Recipe] = &[
    recipe("files-sizes", Needs::Nothing, ByAll, sizes),
    recipe("files-equal", Needs::Nothing, ByAll, equal),
    recipe("files-zeros", Needs::Nothing, ByAll, zeros),
    recipe("sparse-files", Needs::FileSystem, ByAll, sparse),
    recipe("sparse-many-holes", Needs::FileSystem, ByAll, many_holes),
    recipe("sparse-terabytes", Needs::FileSystem, ByAll, terabytes),
    recipe("sparse-largest", Needs::FileSystem, ByAll, largest),
    recipe("sparse-beyond-any-disk", Needs::FileSystem, ByAll, beyond_any_disk),
    recipe("preallocated", Needs::FileSystem, ByAll, preallocated),
    recipe("sparse-with-room-behind", Needs::FileSystem, ByAll, room_behind),
    recipe("sparse-with-attributes", Needs::FileSystem, ByAll, with_attributes),
];

/// Nothing, a byte, and the lengths next to what chunks and blocks are cut at.
fn sizes(place: &Place, _: &AwkwardOptions) -> io::Result<()> {
    let chunks = ChunkSizes::default();
    let borders = [4096, u64::from(chunks.minimum), u64::from(chunks.average), u64::from(chunks.maximum), 2 * MIB];
    let mut lengths = vec![0, 1, 2, 511, 512, 65_536];
    lengths.extend(borders.iter().flat_map(|border| [border - 1, *border, border + 1]));
    lengths.sort_unstable();
    lengths.dedup();
    for length in lengths {
        let length = usize::try_from(length).map_err(io::Error::other)?;
        place.file(format!("{length} bytes of noise"), noise(length as u64, length))?;
        place.file(format!("{length} equal bytes"), vec![b'='; length])?;
    }
    Ok(())
}

/// Small files of the same bytes, large ones too, and one made of others.
fn equal(place: &Place, _: &AwkwardOptions) -> io::Result<()> {
    (0..250).try_for_each(|number| place.file(format!("small {number}"), b"the same in all of them\n").map(drop))?;
    let large = noise(1, 3_000_000);
    place.file("large", &large)?;
    place.file("large again", &large)?;
    place.file("large twice", [large.as_slice(), &large].concat())?;
    place.file("large behind a byte", [&b"x"[..], &large].concat())?;
    Ok(())
}

/// Zeros that are written are data: whoever wrote them wanted the room.
fn zeros(place: &Place, _: &AwkwardOptions) -> io::Result<()> {
    for length in [1, 4096, 65_536, 1 << 20, 9 << 20] {
        place.file(format!("{length} zeros"), vec![0; length])?;
    }
    let mut within = noise(2, 3 << 20);
    within[1 << 20..2 << 20].fill(0);
    place.file("zeros within", within)?;
    Ok(())
}

fn sparse(place: &Place, _: &AwkwardOptions) -> io::Result<()> {
    let data = noise(3, 100_000);
    place.sparse("leading hole", &[(MIB, &data)])?;
    place.sparse("trailing hole", &[(0, &data), (2 * MIB, b"")])?;
    place.sparse("inner hole", &[(0, &data), (MIB, &data)])?;
    place.sparse("all hole", &[(5 * MIB, b"")])?;
    place.sparse("a hole of one block", &[(0, &data[..4096]), (8192, &data[..4096])])?;
    place.sparse("a hole of one byte", &[(1, b"")])?;
    place.sparse("no border is a block's", &[(12_345, &data[..777]), (123_457, &data[..1]), (300_001, b"")])?;
    place.sparse("zeros beside holes", &[(MIB, &[0; 65_536]), (3 * MIB, &[0; 4096]), (4 * MIB, b"")])?;
    // Borders of the largest chunk and of what is read at once.
    place.sparse("large", &[(0, &noise(4, 9 << 20)), (17 * MIB, &noise(5, (8 << 20) + 1)), (40 * MIB, b"")])?;
    Ok(())
}

fn many_holes(place: &Place, _: &AwkwardOptions) -> io::Result<()> {
    let parts: Vec<(u64, Vec<u8>)> = (0..3000).map(|number| (number * 8192 + 4096, noise(number, 4096))).collect();
    let parts: Vec<(u64, &[u8])> = parts.iter().map(|(offset, bytes)| (*offset, bytes.as_slice())).collect();
    place.sparse("every other block", &parts)?;
    Ok(())
}

fn terabytes(place: &Place, _: &AwkwardOptions) -> io::Result<()> {
    let tib = MIB << 20;
    place.sparse("three", &[(0, b"first"), (tib + 1, b"in the middle"), (3 * tib - 4, b"last")])?;
    place.sparse("just over 4 GiB", &[((4 << 30) - 2, b"over the border")])?;
    Ok(())
}

/// The largest that the file system takes, up to what is asked for.
fn largest(place: &Place, options: &AwkwardOptions) -> io::Result<()> {
    let fd = place.file("largest", b"")?;
    let mut length = options.largest_file;
    while let Err(errno) = ftruncate(&fd, length) {
        length /= 2;
        if length < MIB {
            return Err(errno.into());
        }
    }
    write_at(&fd, b"end", length.saturating_sub(3))
}

/// Three files of the largest length that there is: their sum does not fit 64 bits.
fn beyond_any_disk(place: &Place, _: &AwkwardOptions) -> io::Result<()> {
    for number in 0..3 {
        let fd = place.file(number.to_string(), b"begin")?;
        ftruncate(&fd, i64::MAX.unsigned_abs())?;
    }
    Ok(())
}

/// Room that was asked for and not written: it reads as a hole.
fn preallocated(place: &Place, _: &AwkwardOptions) -> io::Result<()> {
    let fd = place.file("all of it", b"")?;
    fallocate(&fd, FallocateFlags::empty(), 0, MIB)?;
    let fd = place.file("written within", b"")?;
    fallocate(&fd, FallocateFlags::empty(), 0, 4 * MIB)?;
    write_at(&fd, &noise(6, 65_536), MIB)?;
    let fd = place.file("behind the end", noise(7, 5000))?;
    fallocate(&fd, FallocateFlags::KEEP_SIZE, 0, MIB)?;
    Ok(())
}

/// A file with a hole that takes as much room as it is long.
fn room_behind(place: &Place, _: &AwkwardOptions) -> io::Result<()> {
    let fd = place.sparse("hole in front", &[(MIB, &noise(8, 4096))])?;
    fallocate(&fd, FallocateFlags::KEEP_SIZE, 2 * MIB, 2 * MIB)?;
    Ok(())
}

/// Attributes that need a block of their own count as room of the file on some file systems.
fn with_attributes(place: &Place, _: &AwkwardOptions) -> io::Result<()> {
    place.sparse("hole and attribute", &[(0, &noise(9, 4096)), (8192, b"")])?;
    place.attribute("hole and attribute", b"user.large", &[b'v'; 2000])
}
