//! A comparison that finds nothing has looked: every kind of difference is planted and must be found, on the ground and
//! deeper than a path can be.

#![cfg(target_os = "linux")]
#![allow(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "a test fails by panicking, and says what it does not try"
)]

use std::{
    fs,
    os::unix::{
        fs::{FileExt, MetadataExt, PermissionsExt, symlink},
        process::CommandExt,
    },
    path::Path,
    process::Command,
};

use lbak_testkit::{
    awkward::{AwkwardOptions, make, remove_tree},
    compare::{Difference, Field, compare_trees},
    not_run,
};
use rustix::fs::{AtFlags, CWD, FallocateFlags, Timespec, Timestamps, UTIME_OMIT, XattrFlags};

fn is_root() -> bool {
    fs::metadata("/proc/self").unwrap().uid() == 0
}

/// One of everything, with times that are the same each time.
fn plant_on(path: &Path) {
    fs::create_dir(path.join("directory")).unwrap();
    fs::write(path.join("directory/within"), "within").unwrap();
    plant_file(&path.join("file"));
    fs::write(path.join("other"), "other").unwrap();
    fs::hard_link(path.join("file"), path.join("file too")).unwrap();
    symlink("nowhere", path.join("link")).unwrap();
    fs::hard_link(path.join("link"), path.join("link too")).unwrap();
    assert!(Command::new("mkfifo").arg(path.join("fifo")).status().unwrap().success());
    if is_root() {
        assert!(Command::new("mknod").arg(path.join("device")).args(["c", "1", "3"]).status().unwrap().success());
    }
    let names = ["directory/within", "directory", "file", "other", "link", "fifo", "."];
    names.iter().for_each(|name| set_time(&path.join(name), 1000, 0));
    if is_root() {
        set_time(&path.join("device"), 1000, 0);
    }
}

/// Hole, data, hole, zeros that are written, hole.
fn plant_file(path: &Path) {
    let file = fs::File::create_new(path).unwrap();
    file.set_len(1 << 20).unwrap();
    file.write_all_at(&[7; 65_536], 131_072).unwrap();
    file.write_all_at(&[0; 65_536], 262_144).unwrap();
    set_time(path, 1000, 0);
}

fn set_time(path: &Path, seconds: i64, nanoseconds: i64) {
    let last_access = Timespec { tv_sec: 0, tv_nsec: UTIME_OMIT };
    let last_modification = Timespec { tv_sec: seconds, tv_nsec: nanoseconds };
    let times = Timestamps { last_access, last_modification };
    rustix::fs::utimensat(CWD, path, &times, AtFlags::SYMLINK_NOFOLLOW).unwrap();
}

/// Changes one thing and puts the time of the file back, so that the time does not tell.
fn quietly(path: &Path, change: impl FnOnce()) {
    let before = fs::symlink_metadata(path).unwrap();
    change();
    set_time(path, before.mtime(), before.mtime_nsec());
}

/// Writes and then puts the times of the file and of its folder back.
fn write_quietly(path: &Path, offset: u64, bytes: &[u8]) {
    quietly(path, || fs::File::options().write(true).open(path).unwrap().write_all_at(bytes, offset).unwrap());
}

fn set(path: &Path, name: &str, value: &[u8]) {
    rustix::fs::lsetxattr(path, name, value, XattrFlags::empty()).unwrap();
}

/// `user::rw- user:12345:r-- group::r-- mask::r-- other::r--`
const ACCESS_LIST: &[u8] = b"\x02\0\0\0\
    \x01\0\x06\0\xff\xff\xff\xff\x02\0\x04\0\x39\x30\0\0\x04\0\x04\0\xff\xff\xff\xff\
    \x10\0\x04\0\xff\xff\xff\xff\x20\0\x04\0\xff\xff\xff\xff";

type Change = fn(&Path);

/// A change, where it must be found, and as what.
struct Plant(&'static str, Field, Change);

fn plants() -> Vec<Plant> {
    let mut plants = vec![
        Plant("/directory/within", Field::Presence, |path| {
            quietly(&path.join("directory"), || fs::remove_file(path.join("directory/within")).unwrap());
        }),
        Plant("/more", Field::Presence, |path| quietly(path, || fs::write(path.join("more"), "").unwrap())),
        Plant("/fifo", Field::Kind, |path| {
            quietly(path, || {
                fs::remove_file(path.join("fifo")).unwrap();
                fs::write(path.join("fifo"), "").unwrap();
            });
        }),
        Plant("/other", Field::Mode, |path| {
            fs::set_permissions(path.join("other"), fs::Permissions::from_mode(0o640)).unwrap();
        }),
        Plant("/directory", Field::Mode, |path| {
            fs::set_permissions(path.join("directory"), fs::Permissions::from_mode(0o1755)).unwrap();
        }),
        Plant("/fifo", Field::Mode, |path| {
            fs::set_permissions(path.join("fifo"), fs::Permissions::from_mode(0o601)).unwrap();
        }),
        Plant("/other", Field::Modified, |path| set_time(&path.join("other"), 1000, 1)),
        Plant("/directory", Field::Modified, |path| set_time(&path.join("directory"), 1000, 1)),
        Plant("/link", Field::Modified, |path| set_time(&path.join("link"), 999, 0)),
        Plant("/fifo", Field::Modified, |path| set_time(&path.join("fifo"), -1000, 0)),
        Plant("/", Field::Modified, |path| set_time(path, 1001, 0)),
        Plant("/other", Field::Size, |path| write_quietly(&path.join("other"), 5, b"s")),
        Plant("/file", Field::Content, |path| write_quietly(&path.join("file"), 131_072 + 65_535, b"\0")),
        // Where only one side has data at all.
        Plant("/file", Field::Content, |path| write_quietly(&path.join("file"), 900_000, b"x")),
        // Zeros in place of a hole, and the other way round: content and size stay.
        Plant("/file", Field::Hole, |path| write_quietly(&path.join("file"), 524_288, &[0; 4096])),
        Plant("/file", Field::Hole, |path| write_quietly(&path.join("file"), (1 << 20) - 1, &[0])),
        Plant("/file", Field::Hole, |path| {
            let path = path.join("file");
            quietly(&path, || {
                let file = fs::File::options().write(true).open(&path).unwrap();
                let flags = FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE;
                rustix::fs::fallocate(&file, flags, 262_144, 65_536).unwrap();
            });
        }),
        Plant("/link", Field::Target, |path| {
            quietly(path, || {
                let (link, again) = (path.join("link"), path.join("link too"));
                fs::remove_file(&link).unwrap();
                fs::remove_file(&again).unwrap();
                symlink("elsewhere", &link).unwrap();
                fs::hard_link(&link, again).unwrap();
                set_time(&link, 1000, 0);
            });
        }),
        Plant("/file too", Field::Links, |path| {
            quietly(path, || {
                fs::remove_file(path.join("file too")).unwrap();
                plant_file(&path.join("file too"));
            });
        }),
        Plant("/link too", Field::Links, |path| {
            quietly(path, || {
                fs::remove_file(path.join("link too")).unwrap();
                symlink("nowhere", path.join("link too")).unwrap();
                set_time(&path.join("link too"), 1000, 0);
            });
        }),
        Plant("/other", Field::Attribute(b"user.a".into()), |path| set(&path.join("other"), "user.a", b"")),
        Plant("/directory", Field::Attribute(b"user.a".into()), |path| set(&path.join("directory"), "user.a", b"b")),
        Plant("/other", Field::Attribute(b"system.posix_acl_access".into()), |path| {
            fs::set_permissions(path.join("other"), fs::Permissions::from_mode(0o644)).unwrap();
            set(&path.join("other"), "system.posix_acl_access", ACCESS_LIST);
        }),
        Plant("/directory", Field::Attribute(b"system.posix_acl_default".into()), |path| {
            set(&path.join("directory"), "system.posix_acl_default", ACCESS_LIST);
        }),
    ];
    if !is_root() {
        not_run("owners, devices, trusted attributes and capabilities need root");
        plants.push(Plant("/other", Field::Unreadable, |path| {
            fs::set_permissions(path.join("other"), fs::Permissions::from_mode(0o000)).unwrap();
        }));
        return plants;
    }
    plants.extend([
        Plant("/other", Field::Owner, |path| std::os::unix::fs::chown(path.join("other"), Some(1), None).unwrap()),
        Plant("/link", Field::Owner, |path| std::os::unix::fs::lchown(path.join("link"), None, Some(1)).unwrap()),
        Plant("/directory", Field::Owner, |path| {
            std::os::unix::fs::chown(path.join("directory"), Some(u32::MAX - 1), None).unwrap();
        }),
        Plant("/device", Field::Device, |path| {
            quietly(path, || {
                fs::remove_file(path.join("device")).unwrap();
                let made = Command::new("mknod").arg(path.join("device")).args(["c", "1", "259"]).status();
                assert!(made.unwrap().success());
                set_time(&path.join("device"), 1000, 0);
            });
        }),
        Plant("/device", Field::Kind, |path| {
            quietly(path, || {
                fs::remove_file(path.join("device")).unwrap();
                let made = Command::new("mknod").arg(path.join("device")).args(["b", "1", "3"]).status();
                assert!(made.unwrap().success());
                set_time(&path.join("device"), 1000, 0);
            });
        }),
        Plant("/link", Field::Attribute(b"trusted.a".into()), |path| set(&path.join("link"), "trusted.a", b"b")),
        Plant("/fifo", Field::Attribute(b"trusted.a".into()), |path| set(&path.join("fifo"), "trusted.a", b"b")),
        Plant("/other", Field::Attribute(b"security.capability".into()), |path| {
            set(&path.join("other"), "security.capability", b"\x01\0\0\x02\0\x04\0\0\0\0\0\0\0\0\0\0\0\0\0\0");
        }),
    ]);
    plants
}

#[test]
fn each_planted_difference_is_found_and_nothing_else() {
    for (number, Plant(path, field, change)) in plants().into_iter().enumerate() {
        let (left, right) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        plant_on(left.path());
        plant_on(right.path());
        assert_eq!(compare_trees(left.path(), right.path()).differences, []);
        change(right.path());
        for (left, right) in [(left.path(), right.path()), (right.path(), left.path())] {
            let found = compare_trees(left, right).differences;
            let is_planted = |one: &Difference| one.path == path.as_bytes() && one.field == field;
            assert!(found.iter().any(is_planted), "plant {number} at {path}: {found:#?}");
            // A file of two names is met under both.
            let is_of_it = |one: &Difference| {
                let comes_with = match field {
                    Field::Content => one.field == Field::Hole,
                    Field::Unreadable => one.field == Field::Mode,
                    _ => false,
                };
                let same_field = one.field == field || comes_with;
                same_field && (one.path.starts_with(path.as_bytes()) || path.as_bytes().starts_with(&one.path))
            };
            assert!(found.iter().all(is_of_it), "plant {number} at {path}: {found:#?}");
        }
    }
}

/// The file system counts holes in blocks: less than one is no hole.
#[test]
fn part_of_a_block_is_no_hole() {
    let (left, right) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    for folder in [&left, &right] {
        fs::write(folder.path().join("file"), [7; 8192]).unwrap();
    }
    let file = fs::File::options().write(true).open(right.path().join("file")).unwrap();
    file.set_len(100_000).unwrap();
    file.write_all_at(&[1], 99_999).unwrap();
    let file = fs::File::options().write(true).open(left.path().join("file")).unwrap();
    file.write_all_at(&[0; 100], 8192).unwrap();
    file.set_len(100_000).unwrap();
    file.write_all_at(&[1], 99_999).unwrap();
    let found = compare_trees(left.path(), right.path()).differences;
    let holes: Vec<_> = found.iter().filter(|one| one.field == Field::Hole).collect();
    assert_eq!(holes.len(), 1, "the block that was written, and not what lies around it: {found:#?}");
    assert_eq!((holes[0].left.as_str(), holes[0].right.as_str()), ("data", "bytes 8192 to 12288"));
}

/// At the bottom of 1,500 levels, with no more files open than a shell may have.
#[test]
fn no_depth_hides_a_difference() {
    if std::env::var_os("LBAK_TESTKIT_FEW_FILES").is_none() {
        let program = std::env::current_exe().unwrap();
        let mut again = Command::new("sh");
        again.args(["-c", "ulimit -n 24; exec \"$@\"", "sh"]).arg(program);
        again.args(["--exact", "no_depth_hides_a_difference", "--test-threads=1", "--nocapture"]);
        let output = again.env("LBAK_TESTKIT_FEW_FILES", "1").output().unwrap();
        let said = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success() && said.contains("1 passed"), "{said}");
        return;
    }
    let (left, right) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let options = AwkwardOptions { crowd: 10, levels: 1500, largest_file: 1 << 30 };
    for folder in [&left, &right] {
        make(folder.path(), &options).unwrap();
    }
    let (left, right) = (left.keep(), right.keep());
    let leaf = format!("/depth{}/leaf", "/d".repeat(1500));
    let target = compare_trees(&left.join("tree"), &right.join("tree"));
    assert!(target.entries > 5000);
    // The two were made one after the other; and what an ordinary user has closed to himself is told.
    let unreadable: &[u8] = if is_root() { b"nothing" } else { b"/modes-unreadable/" };
    let closed: &[u8] = if is_root() { b"nothing" } else { b"/directories-closed/" };
    let unexpected = target.differences.iter().find(|one| {
        let is_closed = one.path.starts_with(unreadable) || one.path.starts_with(closed);
        one.field != Field::Modified && !(one.field == Field::Unreadable && is_closed)
    });
    assert_eq!(unexpected, None);

    // The leaf has a name at the top, so that a path leads to it.
    fs::write(right.join("tree/depth/leaf at the top"), "at the BOTTOM").unwrap();
    let found = compare_trees(&left.join("tree"), &right.join("tree")).differences;
    let content: Vec<&[u8]> =
        found.iter().filter(|one| one.field == Field::Content).map(|one| one.path.as_slice()).collect();
    assert_eq!(content, [leaf.as_bytes(), b"/depth/leaf at the top"]);
    for folder in [&left, &right] {
        remove_tree(folder).unwrap();
        assert!(!folder.exists());
    }
}

/// What lies on both sides and can be read on neither is not taken for equal.
#[test]
fn what_nobody_can_read_is_told() {
    if is_root() {
        let folder = tempfile::tempdir().unwrap();
        std::os::unix::fs::chown(folder.path(), Some(65_534), Some(65_534)).unwrap();
        let program = folder.path().join("test");
        fs::copy(std::env::current_exe().unwrap(), &program).unwrap();
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
        let mut again = Command::new(program);
        again.args(["--exact", "what_nobody_can_read_is_told"]).uid(65_534).gid(65_534);
        let output = again.env("TMPDIR", folder.path()).current_dir(folder.path()).output().unwrap();
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success() && said.contains("1 passed"), "{said}");
        return;
    }
    let (left, right) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    for folder in [&left, &right] {
        plant_on(folder.path());
        for name in ["directory", "other"] {
            fs::set_permissions(folder.path().join(name), fs::Permissions::from_mode(0o000)).unwrap();
        }
    }
    let found: Vec<String> =
        compare_trees(left.path(), right.path()).differences.iter().map(ToString::to_string).collect();
    let denied = |name: &str| format!("/{name}: can not be compared: Permission denied (os error 13)");
    assert_eq!(found, [denied("directory"), denied("other")]);
    for folder in [&left, &right] {
        fs::set_permissions(folder.path().join("directory"), fs::Permissions::from_mode(0o755)).unwrap();
    }
}
