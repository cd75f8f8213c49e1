//! Snapshots of real directories, restored and compared; damage, hostile repositories, bad targets.

mod cost;
mod damage;
mod dump;
mod hostile;
mod round_trips;
mod support;
mod targets;

#[test]
fn every_file_here_is_part_of_this_binary() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/restore");
    let mut files: Vec<String> = std::fs::read_dir(folder)
        .expect("the folder of this file")
        .map(|entry| entry.expect("entry").file_name().into_string().expect("text"))
        .collect();
    files.sort();
    assert_eq!(
        files,
        ["cost.rs", "damage.rs", "dump.rs", "hostile.rs", "main.rs", "round_trips.rs", "support.rs", "targets.rs"]
    );
}
