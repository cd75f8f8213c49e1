//! Times of change: before 1970, behind the ends of 32 bits, with nanoseconds; of everything that has one.

use std::io;

use super::{AwkwardOptions, Kept::ByAll, Needs, Place, Recipe, recipe};

pub(super) const CASES: &[Recipe] = &[
    recipe("times", Needs::Nothing, ByAll, usual),
    recipe("times-nanoseconds", Needs::FileSystem, ByAll, nanoseconds),
    recipe("times-beyond-2038", Needs::FileSystem, ByAll, beyond_2038),
    recipe("times-beyond-2446", Needs::FileSystem, ByAll, beyond_2446),
    recipe("times-before-1901", Needs::FileSystem, ByAll, before_1901),
];

/// The last second that ext4 knows: 10 May 2446.
const EXT4_END: i64 = (1 << 34) - (1 << 31) - 1;

fn usual(place: &Place, _: &AwkwardOptions) -> io::Result<()> {
    let minus = i64::from(i32::MIN);
    all(place, &[(0, 0), (1, 0), (-1, 0), (-86_400, 0), (minus, 0), (minus + 1, 0), (i64::from(i32::MAX), 0)])
}

fn nanoseconds(place: &Place, _: &AwkwardOptions) -> io::Result<()> {
    all(place, &[(0, 1), (0, 999_999_999), (-1, 999_999_999), (-1, 1), (1_700_000_000, 123_456_789)])
}

fn beyond_2038(place: &Place, _: &AwkwardOptions) -> io::Result<()> {
    let (half, whole) = (i64::from(i32::MAX) + 1, i64::from(u32::MAX));
    all(place, &[(half, 5), (whole, 999_999_999), (whole + 1, 0), (10_000_000_000, 1), (EXT4_END, 0)])
}

fn beyond_2446(place: &Place, _: &AwkwardOptions) -> io::Result<()> {
    // The year 2500, the last second of 9999, and a time when the sun is gone.
    all(place, &[(EXT4_END + 1, 0), (16_725_225_600, 7), (253_402_300_799, 0), (1 << 58, 0)])
}

fn before_1901(place: &Place, _: &AwkwardOptions) -> io::Result<()> {
    all(place, &[(i64::from(i32::MIN) - 1, 3), (-62_135_596_800, 0), (-(1 << 58), 0)])
}

/// On a file, a directory with something in it, a link and a pipe.
fn all(place: &Place, times: &[(i64, u32)]) -> io::Result<()> {
    for &(seconds, nanoseconds) in times {
        let here = place.directory(format!("{seconds}.{nanoseconds:09}"))?;
        here.file("file", b"")?;
        here.directory("directory")?.file("within", b"")?;
        here.symlink("link", "file")?;
        here.fifo("fifo")?;
        ["file", "directory", "link", "fifo", "."]
            .into_iter()
            .try_for_each(|name| here.time(name, seconds, nanoseconds))?;
    }
    Ok(())
}
