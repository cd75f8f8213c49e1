//! The power fails under a folder. What a real run asked of the system is taken call by call; at each of them, what was not synced by then is
//! lost, kept or torn, as a file system may; what is left is put into a folder and opened as one.
//!
//! ```text
//! write(file), link(file, name), sync(folder) … │ cut here → names of synced folders are there, of others some;
//!                                                 bytes of synced files are there, of others a part
//! ```
//!
//! Objects are written once, so that a file's final content tells what may be there of it at any time. Files without a name yet are gone: the
//! system takes them back.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use lbak::{Backend, LineageKind, LocalBackend};
use lbak_testkit::not_run;

use crate::{
    power::{Before, next},
    support::{Random, credentials, is_long, open, open_with, seed, take},
    trace::{Call, FOLDER, number, path, traced},
};

#[test]
#[ignore = "run by the test below, under strace"]
fn a_second_snapshot_into_a_folder() {
    let Some(folder) = std::env::var_os(FOLDER) else { return };
    // The keys of another process are others; the password is the same.
    let repository = open_with(store(Path::new(&folder)), &credentials()[2]).unwrap();
    take(&repository, "h", LineageKind::Incremental, &next()).unwrap();
}

fn store(folder: &Path) -> Arc<dyn Backend> {
    Arc::new(LocalBackend::open(folder).unwrap())
}

/// A name that was given, or a folder that was made, during the run.
struct Named {
    /// The place of the call among all.
    at: usize,
    path: PathBuf,
    /// Of its bytes, too.
    is_synced: bool,
    /// The call that synced the folder which holds the name; none ever did.
    certain_at: Option<usize>,
}

/// All names that a run gave, in their order.
fn names(calls: &[Call], store: &Path) -> Vec<Named> {
    let store = store.to_str().unwrap();
    let (mut names, mut unsynced) = (Vec::<Named>::new(), BTreeSet::new());
    for (at, Call { text, begun_after }) in calls.iter().enumerate() {
        let Some((call, arguments)) = text.split_once('(') else { continue };
        if !arguments.contains(store) || !text.contains(" = ") || text.contains(" = -1") {
            continue;
        }
        let quoted = |place: usize| arguments.split('"').nth(place).unwrap_or_default();
        match call {
            "write" | "pwrite64" => _ = unsynced.insert(number(arguments)),
            "fsync" | "fdatasync" => {
                unsynced.remove(&number(arguments));
                let folder = Path::new(path(arguments));
                // What was named while it was under way may be too late for it.
                let is_held = |named: &&mut Named| named.at < *begun_after && named.path.parent() == Some(folder);
                names.iter_mut().filter(is_held).for_each(|named| _ = named.certain_at.get_or_insert(at));
            }
            "mkdirat" => {
                let path = Path::new(path(arguments)).join(quoted(1));
                names.push(Named { at, path, is_synced: true, certain_at: None });
            }
            "linkat" | "renameat2" => {
                let file = quoted(1).rsplit('/').next().unwrap_or_default();
                let folder = path(arguments.split("\", ").nth(1).unwrap_or_default());
                let is_synced = !unsynced.contains(file);
                names.push(Named { at, path: Path::new(folder).join(quoted(3)), is_synced, certain_at: None });
            }
            _ => {}
        }
    }
    names
}

/// What a cut leaves of the names: how many bytes, where that is not all.
type Left<'a> = BTreeMap<&'a Path, Option<u64>>;

/// What may be left after so many calls: nothing, all, or some of what is not certain.
fn left<'a>(names: &'a [Named], calls: usize, random: &mut Random) -> Vec<Left<'a>> {
    let given = names.iter().filter(|named| named.at < calls);
    let some = if is_long() { 32 } else { 2 };
    let mut answers = vec![0, u64::MAX];
    answers.extend((0..some).map(|_| random.next()));
    answers.into_iter().map(|answer| one_left(given.clone(), calls, answer, random)).collect()
}

fn one_left<'a>(given: impl Iterator<Item = &'a Named>, calls: usize, answer: u64, random: &mut Random) -> Left<'a> {
    let mut left = Left::new();
    let mut lost: Vec<&Path> = Vec::new();
    for (number, named) in given.enumerate() {
        let is_certain = named.certain_at.is_some_and(|at| at < calls);
        let is_below_lost = lost.iter().any(|folder| named.path.starts_with(folder));
        if is_below_lost || !is_certain && answer >> (number % 64) & 1 == 0 {
            lost.push(&named.path);
            continue;
        }
        left.insert(&named.path, (!named.is_synced).then(|| random.next()));
    }
    left
}

/// Makes the folder that a cut leaves. `before` is as it was when the run began, `after` as it was at its end.
fn make(disk: &Path, before: &Path, after: &Path, left: &Left<'_>) {
    copy_linked(before, disk);
    for (name, torn) in left {
        let below = name.strip_prefix(after).unwrap();
        if name.is_dir() {
            fs::create_dir_all(disk.join(below)).unwrap();
            continue;
        }
        match torn {
            None => fs::hard_link(name, disk.join(below)).unwrap(),
            Some(length) => {
                let bytes = fs::read(name).unwrap();
                let length = usize::try_from(length % bytes.len() as u64).unwrap();
                fs::write(disk.join(below), &bytes[..length]).unwrap();
            }
        }
    }
}

/// Objects are never changed where they lie, so a second name of each does.
fn copy_linked(from: &Path, to: &Path) {
    fs::create_dir(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy_linked(&entry.path(), &target);
        } else {
            fs::hard_link(entry.path(), target).unwrap();
        }
    }
}

#[test]
fn whatever_a_file_system_forgets_of_a_snapshot_into_a_folder_nothing_older_is_harmed_and_what_was_done_stays() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path().canonicalize().unwrap();
    let (after, before_run) = (folder.join("store"), folder.join("before"));
    let before = Before::in_store(Arc::new(LocalBackend::create(&after).unwrap()));
    copy_linked(&after, &before_run);
    let wanted = ["-e", "trace=write,pwrite64,fsync,fdatasync,linkat,renameat2,mkdirat"];
    let Some(calls) = traced(&wanted, "blackout::a_second_snapshot_into_a_folder", &after) else {
        return not_run("a file system that forgets: strace is not there, or may not trace");
    };
    let names = names(&calls, &after);
    let given = names.iter().filter(|named| named.path.is_file()).count();
    assert!(given >= 5, "session, two packs, segment, snapshot: {given}");

    let mut random = Random(seed());
    let mut seen = BTreeSet::new();
    for cut in 0..=calls.len() {
        for left in left(&names, cut, &mut random) {
            // Calls that change nothing leave what the one before left.
            let is_new = seen.insert(left.iter().map(|(path, torn)| (*path, torn.is_some())).collect::<Vec<_>>());
            if !is_new && cut < calls.len() {
                continue;
            }
            let what = format!("cut after call {cut} of {}, left: {left:?}", calls.len());
            let disk = folder.join("disk");
            make(&disk, &before_run, &after, &left);
            if cut == calls.len() {
                assert_eq!(before.check(&open(store(&disk)), &[], &what), 2, "{what}: it was done, and is there");
            }
            // Nothing may be torn: it had no name before its bytes were synced.
            before.check_and_go_on(store(&disk), &[], &what);
            fs::remove_dir_all(&disk).unwrap();
        }
    }
    println!(
        "a file system that forgets: {} calls, {} names, {} states left by cuts, 0 violations (seed {})",
        calls.len(),
        names.len(),
        seen.len(),
        seed()
    );
    assert!(seen.len() >= 10, "{}", seen.len());
}
