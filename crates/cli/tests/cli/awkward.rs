//! Trees with everything that is hard to keep, through the binary: listed exactly, verified, restored by somebody else, and
//! brought back to places that can not hold all of it.

#![cfg(target_os = "linux")]

use std::{
    collections::{BTreeMap, BTreeSet},
    ffi::OsStr,
    fs,
    os::unix::{
        ffi::OsStrExt,
        fs::{MetadataExt, PermissionsExt, lchown},
        process::CommandExt,
    },
    path::Path,
    process::{Command, Output},
};

use lbak_testkit::{
    awkward::{AwkwardOptions, make, remove_tree},
    compare::{Field, compare_trees},
    not_run,
};

use crate::home::{Home, Run};

/// `nobody`.
const ORDINARY: u32 = 65_534;

fn is_root() -> bool {
    fs::metadata("/proc/self").expect("proc").uid() == 0
}

/// What a long listing of everything can show in reasonable time: the paths of 10,000 levels would be 100 MB.
fn options() -> AwkwardOptions {
    AwkwardOptions { crowd: 200, levels: 1200, ..AwkwardOptions::default() }
}

/// Takes away what the standard library would stumble over.
struct Removed<'a>(&'a Home, &'a [&'a str]);

impl Drop for Removed<'_> {
    #[expect(clippy::print_stderr, reason = "somebody has to remove it")]
    fn drop(&mut self) {
        for name in self.1 {
            if let Err(error) = remove_tree(&self.0.path(name)) {
                eprintln!("{name} stays: {error}");
            }
        }
    }
}

/// Every path below a folder, raw, without sockets: as `find` sees them, which no depth stops.
fn paths_below(folder: &Path) -> BTreeSet<Vec<u8>> {
    let mut find = Command::new("find");
    find.arg(folder).args(["-mindepth", "1", "!", "-type", "s", "-print0"]);
    let found = find.output().expect("find runs").stdout;
    found.split(|&byte| byte == 0).filter(|path| !path.is_empty()).map(<[u8]>::to_vec).collect()
}

/// Reads `\xNN` and `\\` back.
fn unescape(text: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((&first, behind)) = rest.split_first() {
        rest = behind;
        if first != b'\\' {
            bytes.push(first);
        } else if let Some(behind) = rest.strip_prefix(b"\\") {
            bytes.push(b'\\');
            rest = behind;
        } else {
            let digits = std::str::from_utf8(&rest[1..3]).expect("two digits");
            assert_eq!(rest[0], b'x', "{text}");
            bytes.push(u8::from_str_radix(digits, 16).expect("two digits"));
            rest = &rest[3..];
        }
    }
    bytes
}

#[test]
fn every_path_is_listed_exactly_and_everything_is_sound() {
    let home = Home::with_repository();
    let _removed = Removed(&home, &["awkward", "back"]);
    fs::create_dir(home.path("awkward")).expect("a folder");
    make(&home.path("awkward"), &options()).expect("the folders are made");
    // What an ordinary user has closed to himself is a finding.
    let expected = if is_root() { 0 } else { 3 };
    home.run(["snapshot", "awkward/tree"]).expect_code(expected);
    home.run(["verify", "--read-data"]).expect_code(0);

    let run = home.run(["ls", "-R", "latest", "--json"]).expect_code(0);
    let mut listed = BTreeMap::new();
    for node in run.messages().iter().filter(|message| message["message_type"] == "node") {
        let path = unescape(node["path"].as_str().expect("text"));
        assert!(path.ends_with(&unescape(node["name"].as_str().expect("text"))));
        assert!(listed.insert(path, node["type"].clone()).is_none(), "{node}");
    }
    let there: BTreeSet<Vec<u8>> = paths_below(&home.path("awkward/tree"));
    if is_root() {
        assert!(
            listed.keys().eq(there.iter()),
            "{:?}",
            listed.keys().zip(&there).find(|(listed, there)| listed != there)
        );
    } else {
        assert!(listed.keys().all(|path| there.contains(path)));
        assert!(there.len() - listed.len() <= 8, "only files that can not be read are missing");
    }

    // Nothing that a terminal would obey.
    let long = home.run(["ls", "-lR", "latest"]).expect_code(0).stdout;
    assert_eq!(long.lines().count(), listed.len());
    assert!(long.chars().all(|character| character == '\n' || !character.is_control()));

    home.run(["restore", "latest", "back"]).expect_code(0);
    let different = compare_trees(&home.path("awkward/tree"), &home.path("back")).differences;
    let different: Vec<String> = different.iter().map(ToString::to_string).collect();
    if is_root() {
        let sockets = ["/sockets/only a socket/socket", "/sockets/socket"];
        assert_eq!(different, sockets.map(|path| format!("{path}: missing on the right")));
    }
}

/// Gives a folder and everything in it to an ordinary user.
fn give(path: &Path) {
    lchown(path, Some(ORDINARY), Some(ORDINARY)).expect("root gives files away");
    if path.is_dir() {
        fs::read_dir(path).expect("a folder").for_each(|entry| give(&entry.expect("an entry").path()));
    }
}

/// All that is missing is what only root can set, and each of it is missing for that reason.
#[test]
fn what_root_has_taken_comes_back_to_an_ordinary_user_but_for_what_only_root_can_set() {
    if !is_root() {
        return not_run("needs root");
    }
    let home = Home::with_repository();
    let _removed = Removed(&home, &["awkward", "his"]);
    fs::create_dir(home.path("awkward")).expect("a folder");
    make(&home.path("awkward"), &options()).expect("the folders are made");
    home.run(["snapshot", "awkward/tree"]).expect_code(0);
    fs::create_dir(home.path("his")).expect("a folder");
    for path in ["repository", "key", "his"] {
        give(&home.path(path));
    }
    fs::set_permissions(home.path("."), fs::Permissions::from_mode(0o755)).expect("a mode");
    // Others may have no way to where the binary was built.
    fs::copy(env!("CARGO_BIN_EXE_lbak"), home.path("his/lbak")).expect("a copy");
    let mut restore = Command::new(home.path("his/lbak"));
    let given = home.command::<_, &str>([]);
    restore.args(["restore", "latest", "back", "--json"]).current_dir(home.path("his")).env_clear();
    restore.envs(given.get_envs().filter_map(|(name, value)| Some((name, value?)))).env("HOME", home.path("his"));
    let run = Run::of(&restore.uid(ORDINARY).gid(ORDINARY).output().expect("it runs")).expect_code(3);

    let (tree, back) = (home.path("awkward/tree"), home.path("his/back"));
    let comparison = compare_trees(&tree, &back);
    let mut foreign = 0;
    for one in &comparison.differences {
        let is_explained = match &one.field {
            // Devices but those of number 0:0, which anybody may make; and sockets.
            Field::Presence => {
                one.right == "missing"
                    && [&b"/devices/"[..], b"/hard-links-of-devices/", b"/sockets/"]
                        .iter()
                        .any(|case| one.path.starts_with(case))
                    || one.path.starts_with(b"/sockets/")
            }
            Field::Owner => {
                foreign += 1;
                one.left != format!("{ORDINARY}:{ORDINARY}") && one.right == format!("{ORDINARY}:{ORDINARY}")
            }
            // Set-id bits are not given to whoever is not their owner.
            Field::Mode => {
                let bits = |text: &str| u32::from_str_radix(text, 8).expect("a mode");
                bits(&one.left) & 0o6000 != 0 && bits(&one.left) & !0o6000 == bits(&one.right)
            }
            Field::Attribute(name) => {
                one.right == "nothing" && (name.starts_with(b"trusted.") || name.starts_with(b"security."))
            }
            _ => false,
        };
        assert!(is_explained, "{one}");
    }
    // All but two are root's or a stranger's, and each has become his.
    let his = 4 + 1;
    assert_eq!(foreign, comparison.entries - his, "{:?}", run.message("summary"));
    let findings = run.messages();
    let set = |kind: &str| findings.iter().filter(|message| message["kind"] == kind).count();
    assert!(set("unwritable") > 0 && set("metadata_unset") > 0, "{run:#?}");
}

/// Runs the binary and whatever else a script does, in a mount namespace of its own; `None`, and a word about it, where
/// that is not allowed. `$lbak` is the binary.
fn with_mounts(home: &Home, script: &str) -> Option<Output> {
    let unshare: &[&str] = if is_root() { &["-m"] } else { &["-r", "-m"] };
    let try_it = "mount -t tmpfs none /mnt || mount -t tmpfs none /tmp";
    let may = Command::new("unshare").args(unshare).args(["sh", "-c", try_it]).output();
    if !may.is_ok_and(|output| output.status.success()) {
        not_run("no mounts in a namespace of its own here");
        return None;
    }
    let given = home.command::<_, &str>([]);
    let mut command = Command::new("unshare");
    command.args(unshare).args(["sh", "-euc", script]).current_dir(home.path(".")).env_clear();
    command.envs(given.get_envs().filter_map(|(name, value)| Some((name, value?))));
    command.env("EXPECTED", if is_root() { "0" } else { "3" });
    command.env("lbak", env!("CARGO_BIN_EXE_lbak")).env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin");
    Some(command.output().expect("unshare runs"))
}

/// What a script printed; it must have ended well.
#[track_caller]
fn said(output: &Output) -> String {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(output.status.success(), "{}\n{}", text(&output.stdout), text(&output.stderr));
    text(&output.stdout)
}

#[test]
fn what_is_mounted_in_a_tree_is_part_of_it_and_loops_end() {
    let home = Home::with_repository();
    let script = r#"
        mkdir data/mounted data/loop data/sub/deep
        mount -t tmpfs none data/mounted
        echo mounted > data/mounted/file
        ln data/mounted/file data/mounted/again
        ln data/a data/linked
        : > data/version; mount --bind /proc/version data/version
        mount --bind data data/loop
        mount --bind data data/sub/deep
        test "$(stat -c %s data/version)" = 0
        "$lbak" -q snapshot data
        # In a namespace of an ordinary user, root's file is of nobody, and nobody's number can not be given.
        code=0; "$lbak" -q restore latest out || code=$?
        test $code = "$EXPECTED"
        "$lbak" -q verify --read-data > verified
        cmp /proc/version out/version
        cd out; find . | LC_ALL=C sort; stat -c '%h %n' a mounted/file
    "#;
    let Some(output) = with_mounts(&home, script) else { return };
    let lines: Vec<String> = said(&output).lines().map(str::to_owned).collect();
    let (paths, links) = lines.split_at(lines.len() - 2);
    // What lies above is in the snapshot already: where a mount shows it once more, a directory stands empty.
    let expected = "\
        . ./a ./linked ./loop ./mounted ./mounted/again ./mounted/file ./sub ./sub/b ./sub/deep ./version";
    assert_eq!(paths, expected.split_whitespace().collect::<Vec<_>>());
    // One file under all the names that lead to it.
    assert_eq!(links, ["2 a", "2 mounted/file"]);
}

#[test]
fn the_repository_is_not_backed_up_into_itself_by_another_way() {
    let home = Home::with_repository();
    let script = r#"
        mkdir data/way
        mount --bind "$HOME" data/way
        "$lbak" -q snapshot data
        "$lbak" -q ls -R latest
    "#;
    let Some(output) = with_mounts(&home, script) else { return };
    let listed = said(&output);
    assert!(listed.contains("data/way/key") && !listed.contains("way/repository/"), "{listed}");
}

/// A file with an attribute, a mode, a link and a time in 2100, and one directory.
fn some_metadata(home: &Home) {
    let a = home.path("data/a");
    if let Err(errno) = rustix::fs::setxattr(&a, "user.a", b"b", rustix::fs::XattrFlags::empty()) {
        not_run(format_args!("a file with an attribute: {errno}"));
    }
    fs::set_permissions(&a, fs::Permissions::from_mode(0o640)).expect("a mode");
    std::os::unix::fs::symlink("a", home.path("data/link")).expect("a link");
    fs::hard_link(&a, home.path("data/same")).expect("a link");
    let in_2100 = std::time::UNIX_EPOCH + std::time::Duration::from_secs(4_102_444_800);
    fs::File::open(&a).and_then(|file| file.set_modified(in_2100)).expect("a time");
    home.run(["snapshot", "data"]).expect_code(0);
}

/// Makes a file system that lacks something in an image, mounts it on `target` and restores into it.
fn restore_into(home: &Home, make_and_mount: &str) -> Option<Result<(i32, String), String>> {
    let script = format!(
        r#"
        mkdir target
        ({make_and_mount}) > making 2>&1 || {{ echo unmade; cat making; exit 0; }}
        code=0; "$lbak" restore latest target/out > said 2>&1 || code=$?
        echo "$code"; cat said
        cd target/out; cat a sub/b; readlink link || true
    "#
    );
    let output = said(&with_mounts(home, &script)?);
    let (first, rest) = output.split_once('\n').expect("a line");
    Some(match first.parse() {
        Ok(code) => Ok((code, rest.to_owned())),
        Err(_) => Err(rest.to_owned()),
    })
}

/// ramfs has no attributes; ext2 in its oldest form has no times behind 2038.
#[test]
fn a_target_that_lacks_something_gets_the_rest() {
    let ext2 = "truncate -s 8M image && mkfs.ext2 -q -I 128 image && mount -o loop image target";
    for (make_and_mount, lacking) in [("mount -t ramfs none target", "ttribute"), (ext2, "time: ")] {
        let home = Home::with_repository();
        some_metadata(&home);
        let Some(restored) = restore_into(&home, make_and_mount) else { return };
        match restored {
            Err(reason) => not_run(format_args!("{make_and_mount}: {reason}")),
            Ok((code, said)) => {
                assert_eq!(code, 3, "{make_and_mount}: {said}");
                assert!(said.contains(lacking), "{make_and_mount}: {said}");
                assert!(said.ends_with("the first filethe second filea\n"), "{make_and_mount}: {said}");
            }
        }
    }
}

/// FAT has no owners, modes, links and attributes, and folds case.
#[test]
fn fat_gets_the_files() {
    let home = Home::with_repository();
    some_metadata(&home);
    let Some(restored) = restore_into(&home, "truncate -s 8M image && mkfs.vfat image && mount -o loop image target")
    else {
        return;
    };
    match restored {
        Err(reason) => not_run(format_args!("no FAT here: {reason}")),
        Ok((code, said)) => {
            assert_eq!(code, 3, "{said}");
            assert!(said.contains("the first filethe second file"), "{said}");
            assert!(said.contains("it is a copy now"), "{said}");
        }
    }
}

/// Two names that become one: the second is refused, and both are named.
#[test]
fn names_that_a_target_takes_for_one_are_told_both() {
    let ways = [
        "truncate -s 32M image && mkfs.ext4 -q -O casefold image && mount -o loop image target && mkdir target/t && chattr +F target/t && mount --bind target/t target",
        "truncate -s 320M image && mkfs.xfs -q -n version=ci image && mount -o loop image target",
        "truncate -s 8M image && mkfs.vfat image && mount -o loop image target",
    ];
    let mut reasons = Vec::new();
    for way in ways {
        let home = Home::with_repository();
        home.write("data/README", "one");
        home.write("data/readme", "another");
        home.run(["snapshot", "data"]).expect_code(0);
        let Some(restored) = restore_into(&home, way) else { return };
        match restored {
            Err(reason) => reasons.push(reason),
            Ok((code, said)) => {
                assert_eq!(code, 3, "{said}");
                assert!(said.contains("README") && said.contains("readme"), "{said}");
                assert!(said.contains("takes for the same name"), "{said}");
                return;
            }
        }
    }
    not_run(format_args!("no file system here takes two names for one: {reasons:?}"));
}

#[test]
fn a_read_only_and_a_full_target_stop_it() {
    for (make_and_mount, expected) in [
        ("mount -t tmpfs -o ro none target", "Read-only file system"),
        ("mount -t tmpfs -o size=64k none target", "No space left on device"),
    ] {
        let home = Home::with_repository();
        home.write("data/large", lbak_testkit::objects::noise(1, 300_000));
        home.run(["snapshot", "data"]).expect_code(0);
        let script = format!(
            r#"
            mkdir target; {make_and_mount}
            code=0; "$lbak" restore latest target/out > said 2>&1 || code=$?
            echo "$code"; cat said; test ! -e target/out/large
        "#
        );
        let Some(output) = with_mounts(&home, &script) else { return };
        let said = said(&output);
        assert!(said.starts_with("1\n") && said.contains(expected), "{said}");
    }
}

#[test]
fn names_survive_the_way_back_from_json() {
    for name in [&b"plain"[..], b"a\nb\\\x1b\xff", "grün\u{202e}".as_bytes(), b"\\x0a", b"\\\\"] {
        assert_eq!(unescape(&lbak::escape(name)), name, "{:?}", OsStr::from_bytes(name));
    }
}
