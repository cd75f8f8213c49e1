//! Snapshots of real directories, restored and compared; damage, hostile repositories, bad targets.

mod bounded;
mod choosing;
mod coarse;
mod cost;
mod damage;
mod deleting;
mod dry_runs;
mod dump;
mod hostile;
mod hostile_entries;
mod in_place;
mod inherited;
mod large;
mod misread;
mod moved;
mod partial;
mod resuming;
mod roots;
mod round_trips;
mod sinks;
mod support;
mod targets;
mod untouched;
mod waiting;

#[test]
fn every_file_here_is_part_of_this_binary() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/restore");
    let mut files: Vec<String> = std::fs::read_dir(folder)
        .expect("the folder of this file")
        .map(|entry| entry.expect("entry").file_name().into_string().expect("text"))
        .collect();
    files.sort();
    let modules = include_str!("main.rs").lines().filter_map(|line| line.strip_prefix("mod ")?.strip_suffix(';'));
    let mut expected: Vec<String> = modules.chain(["main"]).map(|name| format!("{name}.rs")).collect();
    expected.sort();
    assert_eq!(files, expected);
}
