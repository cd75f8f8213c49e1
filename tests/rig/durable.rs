//! What a snapshot into a folder asks of the system, call by call: bytes are synced before they have a name, names are synced before
//! anything relies on them (rules I1 and I2). A crash test would pass without a single `fsync`, for the page cache outlives a process.

use std::{collections::BTreeSet, path::Path, sync::Arc};

use lbak::{Backend, LineageKind, LocalBackend, ObjectName};
use lbak_testkit::{
    not_run,
    objects::{session_id, trailed},
};

use crate::{
    support::{Model, init, open, take},
    trace::{FOLDER, number, path, traced},
};

#[test]
#[ignore = "run by the test below, under strace"]
fn a_snapshot_into_a_folder() {
    let Some(folder) = std::env::var_os(FOLDER) else { return };
    let create = || Arc::new(LocalBackend::create(Path::new(&folder)).unwrap());
    init(create());
    let model = Model::of(&[("a", 1, 700_000), ("b", 2, 900_000), ("d/c", 3, 5_000)]);
    take(&open(create()), "h", LineageKind::Full, &model).unwrap();
}

#[test]
fn nothing_has_a_name_before_its_bytes_are_synced_and_nothing_relies_on_a_name_that_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path().canonicalize().unwrap();
    let store = folder.join("store");
    let calls = ["-e", "trace=write,pwrite64,fsync,fdatasync,linkat,renameat2,mkdirat"];
    let Some(lines) = traced(&calls, "durable::a_snapshot_into_a_folder", &store) else {
        return not_run("order of syncing: strace is not there, or may not trace");
    };
    let mut disk = Disk { store: store.to_str().unwrap().to_owned(), ..Disk::default() };
    for (number, call) in lines.iter().enumerate() {
        let line = &call.text;
        disk.call(line).unwrap_or_else(|problem| panic!("call {number}: {problem}: {line}"));
    }
    assert_eq!(disk.unsynced_folders, BTreeSet::new(), "these folders were never synced");
    assert!(disk.named >= 9, "config, three slots, session, two packs, segment, snapshot: {}", disk.named);
    println!(
        "order of syncing: {} calls, {} objects named, each synced first; {} folders synced before the snapshot",
        disk.calls, disk.named, disk.folders
    );
}

#[test]
#[ignore = "run by the test below, under strace"]
fn puts_whose_errors_are_passed_over() {
    let Some(folder) = std::env::var_os(FOLDER) else { return };
    let Ok(backend) = LocalBackend::create(Path::new(&folder)) else { return };
    for number in 0..4 {
        for name in [ObjectName::Session(session_id(number)), ObjectName::Snapshot(session_id(number))] {
            let object = trailed(&name, b"any bytes");
            // Whoever gets an error tries once more.
            let _ = backend.put(&name, &object).or_else(|_| backend.put(&name, &object));
        }
    }
}

/// A sync that failed once succeeds the next time on Linux, whatever became of what it could not write.
#[test]
fn after_a_folder_could_not_be_synced_nothing_is_named_any_more() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path().canonicalize().unwrap();
    let (mut failed_folders, mut failed_files) = (0, 0);
    for number in 1.. {
        let fault = format!("inject=fsync:error=EIO:when={number}");
        let calls = ["-e", "trace=fsync,linkat,renameat2", "-e", &fault];
        let Some(lines) =
            traced(&calls, "durable::puts_whose_errors_are_passed_over", &folder.join(number.to_string()))
        else {
            return not_run("syncs that fail: strace is not there, or may not trace");
        };
        let lines: Vec<String> = lines.into_iter().map(|call| call.text).collect();
        let Some(place) = lines.iter().position(|line| line.contains("(INJECTED)")) else { break };
        // A file that has no name yet is lost, and nothing else is: the next attempt writes another.
        if lines[place].contains("(deleted)") || lines[place].contains("/.tmp-") {
            failed_files += 1;
            continue;
        }
        failed_folders += 1;
        let is_named = |line: &&String| !line.starts_with("fsync") && line.ends_with(" = 0");
        let named: Vec<&String> = lines[place..].iter().filter(is_named).collect();
        assert!(named.is_empty(), "after {}: {named:?}", lines[place]);
    }
    println!("syncs that fail: {failed_folders} of folders, after which nothing was named; {failed_files} of files");
    assert!(failed_folders >= 5 && failed_files >= 5, "{failed_folders} {failed_files}");
}

/// What is not yet certain to be on the disk.
#[derive(Default)]
struct Disk {
    store: String,
    unsynced_files: BTreeSet<String>,
    unsynced_folders: BTreeSet<String>,
    calls: u64,
    named: u64,
    folders: u64,
}

impl Disk {
    fn call(&mut self, line: &str) -> Result<(), String> {
        let Some((name, arguments)) = line.split_once('(') else { return Ok(()) };
        if !arguments.contains(&self.store) || !line.contains(" = ") || line.contains(" = -1") {
            return Ok(());
        }
        self.calls += 1;
        match name {
            "write" | "pwrite64" => {
                self.unsynced_files.insert(number(arguments));
            }
            "fsync" | "fdatasync" => {
                self.unsynced_files.remove(&number(arguments));
                self.folders += u64::from(self.unsynced_folders.remove(path(arguments)));
            }
            "mkdirat" => {
                self.unsynced_folders.insert(path(arguments).to_owned());
            }
            "linkat" | "renameat2" => {
                self.named += 1;
                let file = arguments.split('"').nth(1).unwrap_or_default().rsplit('/').next().unwrap_or_default();
                if self.unsynced_files.contains(file) {
                    return Err("it gets a name, and its bytes are not synced".into());
                }
                let folder = path(arguments.split("\", ").nth(1).unwrap_or_default());
                if folder.ends_with("/snapshots") && !self.unsynced_folders.is_empty() {
                    return Err(format!(
                        "a snapshot refers to what is in unsynced folders {:?}",
                        self.unsynced_folders
                    ));
                }
                self.unsynced_folders.insert(folder.to_owned());
            }
            _ => {}
        }
        Ok(())
    }
}
