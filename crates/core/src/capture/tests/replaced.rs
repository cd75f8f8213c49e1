//! Names that stand for something else when it comes to reading them.

use std::{
    fs,
    path::Path,
    sync::atomic::{AtomicUsize, Ordering},
};

use super::{changing::take, hooked::Step, *};

fn clear(path: &Path) {
    let _ = fs::remove_file(path).or_else(|_| fs::remove_dir_all(path));
}

fn fifo(path: &Path) {
    let (kind, mode) = (rustix::fs::FileType::Fifo, rustix::fs::Mode::from_raw_mode(0o600));
    rustix::fs::mknodat(rustix::fs::CWD, path, kind, mode, 0).expect("make a FIFO");
}

/// Ways to put something else in a place, and what is recorded of it.
type Change = (fn(&Path), &'static [u8]);

const CHANGES: [Change; 5] = [
    (|path| fs::write(path, "another file").expect("write"), b"another file"),
    (|path| std::os::unix::fs::symlink("away", path).expect("symlink"), b"-> away"),
    (fifo, b"Fifo"),
    (|path| write(&path.join("inside"), b"in a new folder"), b"directory"),
    (
        |path| {
            drop(std::os::unix::net::UnixListener::bind(path).expect("socket"));
        },
        b"",
    ),
];

#[test]
fn what_has_taken_a_names_place_is_recorded_in_its_stead() {
    type Before = (fn(&Path), Step<'static>);
    let before: [Before; 4] = [
        (|path| write(path, b"a file"), Step::Open("name")),
        (|path| write(path, &noise(1, 3_000_000)), Step::Open("name")),
        (|path| std::os::unix::fs::symlink("somewhere", path).expect("symlink"), Step::Link("name")),
        (|path| write(&path.join("gone"), b"in the old folder"), Step::Enter("name")),
    ];
    for (make, step_of_change) in before {
        for (change, expected) in CHANGES {
            let folder = tempfile::tempdir().expect("folder");
            let path = folder.path().join("name");
            make(&path);
            write(&folder.path().join("other"), b"beside it");
            let times = AtomicUsize::new(0);
            let (report, found) = take(folder.path(), move |step| {
                if step == step_of_change && times.fetch_add(1, Ordering::Relaxed) == 0 {
                    // A link that is a link still needs no second look.
                    let kept = path.with_extension("kept");
                    fs::rename(&path, &kept).expect("rename");
                    change(&path);
                    clear(&kept);
                }
            });
            let what = format!("{step_of_change:?}, then {}", String::from_utf8_lossy(expected));
            assert_eq!(found["other"].1, b"beside it", "{what}");
            if expected.is_empty() {
                let kinds: Vec<FindingKind> = report.findings.iter().map(|finding| finding.kind).collect();
                assert_eq!((found.contains_key("name"), &kinds[..]), (false, &[FindingKind::Skipped][..]), "{what}");
                continue;
            }
            assert_eq!(report.findings, [], "{what}");
            assert_eq!(found["name"].1, expected, "{what}");
            assert_eq!(
                found.get("inside").map(|found| found.1.as_slice()),
                match expected {
                    b"directory" => Some(&b"in a new folder"[..]),
                    _ => None,
                }
            );
            assert!(!found.contains_key("gone") && report.is_complete);
        }
    }
}

#[test]
fn who_replaces_a_file_again_and_again_is_told_of_and_not_waited_for() {
    for length in [100, 3_000_000] {
        let folder = tempfile::tempdir().expect("folder");
        let path = folder.path().join("name");
        write(&path, &noise(1, length));
        let (report, found) = take(folder.path(), move |step| match step {
            Step::Open("name") => {
                clear(&path);
                fifo(&path);
            }
            Step::Look("name") => {
                clear(&path);
                write(&path, &noise(2, length));
            }
            _ => {}
        });
        assert!(!found.contains_key("name") && !report.is_complete);
        let [finding] = &report.findings[..] else { panic!("{:?}", report.findings) };
        assert_eq!(finding.kind, FindingKind::Unreadable);
        assert!(finding.message.starts_with("something else has taken its place"), "{finding}");
    }
}
