//! What a snapshot into a folder asks of the system, call by call: bytes are synced before they have a name, names are synced before
//! anything relies on them (rules I1 and I2). A crash test would pass without a single `fsync`, for the page cache outlives a process.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
    process::Command,
    sync::Arc,
};

use lbak::{Backend, LineageKind, LocalBackend, ObjectName};
use lbak_testkit::{
    not_run,
    objects::{session_id, trailed},
};

use crate::support::{Model, init, open, take};

const FOLDER: &str = "RIG_FOLDER";

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
    let Some(lines) = traced(&calls, "a_snapshot_into_a_folder", &store) else {
        return not_run("order of syncing: strace is not there, or may not trace");
    };
    let mut disk = Disk { store: store.to_str().unwrap().to_owned(), ..Disk::default() };
    for (number, line) in lines.iter().enumerate() {
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
        let Some(lines) = traced(&calls, "puts_whose_errors_are_passed_over", &folder.join(number.to_string())) else {
            return not_run("syncs that fail: strace is not there, or may not trace");
        };
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

/// The calls of a test of this file that uses a store, run by itself; `None` where there is no `strace`.
fn traced(calls: &[&str], test: &str, store: &Path) -> Option<Vec<String>> {
    let trace = store.with_extension("trace");
    let run = Command::new("strace")
        .args(["-f", "-y", "-s", "16"])
        .args(calls)
        .arg("-o")
        .arg(&trace)
        .arg(std::env::current_exe().unwrap())
        .args(["--ignored", "--exact", &format!("durable::{test}")])
        .env(FOLDER, store)
        .output();
    let run = run.ok().filter(|run| !String::from_utf8_lossy(&run.stderr).contains("ptrace"))?;
    assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stdout));
    Some(whole_lines(&std::fs::read_to_string(&trace).unwrap()))
}

/// Puts calls that another thread interrupted together again, where they ended.
fn whole_lines(trace: &str) -> Vec<String> {
    let (mut begun, mut lines) = (BTreeMap::new(), Vec::new());
    for line in trace.lines() {
        let (process, call) = line.split_once(' ').unwrap_or_default();
        let call = call.trim_start();
        if let Some(start) = call.strip_suffix("<unfinished ...>") {
            begun.insert(process, start.to_owned());
        } else if let Some((_, end)) = call.strip_prefix("<... ").and_then(|rest| rest.split_once(" resumed>")) {
            lines.push(begun.remove(process).unwrap_or_default() + end);
        } else {
            lines.push(call.to_owned());
        }
    }
    lines
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

/// The descriptor that arguments begin with.
fn number(arguments: &str) -> String {
    arguments.chars().take_while(char::is_ascii_digit).collect()
}

/// Its path.
fn path(arguments: &str) -> &str {
    arguments.split_once('<').and_then(|(_, rest)| rest.split_once('>')).map_or("", |(path, _)| path)
}
