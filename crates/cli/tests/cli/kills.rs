//! `kill -9` at random moments, and a disk that fills up: nothing that was there is harmed, and the next run goes on.
//!
//! `RIG_KILLS=1000 RIG_SEED=7 cargo test -p lbak-cli --test cli kills:: -- --nocapture` runs more of it, elsewhere.

use std::{
    collections::BTreeMap,
    path::PathBuf,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use lbak_testkit::{not_run, objects::noise, trees::compare};

use crate::home::{Home, Run, damage};

fn number(variable: &str, otherwise: u64) -> u64 {
    std::env::var(variable).ok().and_then(|value| value.parse().ok()).unwrap_or(otherwise)
}

/// SplitMix64.
fn random(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mixed = (*state ^ (*state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

/// Some files large and small, others with each round.
fn change(home: &Home, state: &mut u64) {
    for file in 0..12 {
        if random(state).is_multiple_of(3) || !home.path(&format!("data/{file}")).exists() {
            let length = [10, 40_000, 3_000_000][file % 3];
            home.write(&format!("data/{file}"), noise(random(state), length));
        }
    }
}

fn snapshots(home: &Home) -> Vec<String> {
    let listing = home.run(["snapshots", "-q"]).expect_code(0).stdout;
    let is_id = |word: &&str| word.len() >= 8 && word.bytes().all(|byte| byte.is_ascii_hexdigit());
    listing.lines().filter_map(|line| line.split_whitespace().next()).filter(is_id).map(str::to_owned).collect()
}

fn assert_restores(home: &Home, snapshot: &str) {
    let out = tempfile::tempdir().expect("a folder");
    let target = out.path().join("out");
    home.run(["restore", snapshot, target.to_str().expect("plain")]).expect_code(0);
    assert_eq!(compare(&home.path("data"), &target), Vec::<String>::new());
}

#[test]
fn killed_at_any_moment_a_snapshot_harms_nothing_and_the_next_one_goes_on() {
    let (kills, seed) = (number("RIG_KILLS", 10), number("RIG_SEED", 1));
    let home = Home::with_repository();
    let mut state = seed;
    change(&home, &mut state);
    let begun = Instant::now();
    home.snapshot();
    let usual = u64::try_from(begun.elapsed().as_micros()).expect("short");
    let (mut early, mut committed, mut kill) = (0, 0, 0);
    // As many as were asked for, and more while chance has left one kind out.
    while kill < kills || (kill < 10 * kills && (early == 0 || committed == 0)) {
        change(&home, &mut state);
        let before = snapshots(&home);
        let mut command = home.command(["snapshot", "data"]);
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("the binary runs");
        std::thread::sleep(Duration::from_micros(random(&mut state) % usual));
        child.kill().expect("it is our child");
        early += u64::from(!child.wait().expect("it ends").success());
        let after = snapshots(&home);
        assert!(before.iter().all(|id| after.contains(id)), "kill {kill}: {before:?} became {after:?}");
        if let Some(new) = after.iter().find(|id| !before.contains(id)) {
            committed += 1;
            assert_restores(&home, new);
        }
        let id = home.snapshot();
        kill += 1;
        if kill % 5 == 0 || kill >= kills {
            home.run(["verify", "--read-data"]).expect_code(0);
        }
        assert_restores(&home, &id);
    }
    assert!(early > 0, "no kill came before the end");
    assert!(committed > 0, "no run had come as far as to commit");
    println!(
        "kill -9: {kill} snapshots, {early} killed before their end, {committed} had been committed; each next run succeeded and \
         restored identical, no snapshot was lost (seed {seed})"
    );
}

/// Runs it, kills it at a random moment, and tells whether that was before its end.
fn kill(home: &Home, words: &[&str], state: &mut u64, usual: u64) -> bool {
    let mut child = home.command(words).stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("the binary runs");
    std::thread::sleep(Duration::from_micros(random(state) % usual));
    child.kill().expect("it is our child");
    !child.wait().expect("it ends").success()
}

#[test]
fn killed_at_any_moment_parity_and_what_heals_with_it_harm_nothing_and_the_next_run_ends_it() {
    let (kills, seed) = (number("RIG_KILLS", 10).div_ceil(2), number("RIG_SEED", 1));
    let home = Home::with_repository();
    let mut state = seed;
    let add = ["repair", "add-parity", "--percent", "100"];
    let (mut usual, mut early) = ([1_000_000, 1_000_000], 0);
    for round in 0..kills {
        change(&home, &mut state);
        home.snapshot();
        let before = contents(&home);
        early += u64::from(kill(&home, &add, &mut state, usual[0]));
        assert_unharmed(&home, &before, round);
        let begun = Instant::now();
        home.run(add).expect_code(0);
        usual[0] = u64::try_from(begun.elapsed().as_micros()).expect("short");
        home.run(add).expect_code(0).expect_stdout("nothing to do");

        // A pack is missing, or has a wrong byte: as it was when it was put back, or stored anew.
        let packs = home.objects("packs");
        let pack = &packs[usize::try_from(random(&mut state)).expect("64 bits") % packs.len()];
        match round % 2 {
            0 => std::fs::remove_file(pack).expect("it was there"),
            _ => damage(pack),
        }
        let before = contents(&home);
        early += u64::from(kill(&home, &["repair", "packs"], &mut state, usual[1]));
        assert_unharmed(&home, &before, round);
        let begun = Instant::now();
        home.run(["repair", "packs"]).expect_code(0);
        usual[1] = u64::try_from(begun.elapsed().as_micros()).expect("short");
        home.run(["verify", "--read-data"]).expect_code(0);
        assert_restores(&home, "latest");
    }
    assert!(early > 0, "no kill came before the end");
    println!(
        "kill -9: {} times while parity was added or healed with, {early} before the end, 0 violations (seed {seed})",
        2 * kills
    );
}

/// Every object with its bytes; what somebody left behind who was killed while he wrote is none.
fn contents(home: &Home) -> BTreeMap<PathBuf, Vec<u8>> {
    let is_object = |path: &PathBuf| path.file_name().is_some_and(|name| !name.to_string_lossy().starts_with(".tmp-"));
    let objects = home.objects("").into_iter().filter(is_object);
    objects.map(|path| (path.clone(), std::fs::read(path).expect("an object"))).collect()
}

fn assert_unharmed(home: &Home, before: &BTreeMap<PathBuf, Vec<u8>>, round: u64) {
    let after = contents(home);
    before
        .iter()
        .for_each(|(path, bytes)| assert!(after.get(path) == Some(bytes), "round {round}: {}", path.display()));
}

#[test]
fn a_disk_that_fills_up_harms_nothing_and_when_there_is_room_the_next_one_goes_on() {
    let step = usize::try_from(number("RIG_DISK_STEP_KIB", 1536)).expect("small");
    let home = Home::empty().with("LBAK_REPOSITORY", "disk/repository").with("LBAK_KEY_FILE", "key");
    home.write("data/small", noise(1, 10));
    std::fs::create_dir(home.path("disk")).expect("a folder");
    let disk = home.text("disk");
    let mount = |options: &str| {
        let run = Command::new("mount").args(["-t", "tmpfs", "-o", options, "none", &disk]).output();
        run.is_ok_and(|run| run.status.success())
    };
    let (mut full, mut tried) = (0, 0);
    for size in (512..8192).step_by(step) {
        if !mount(&format!("size={size}k")) {
            return not_run("disk full: this needs the right to mount a tmpfs (root)");
        }
        let _mounted = Mounted(&disk);
        let _ = std::fs::remove_file(home.path("key"));
        let _ = std::fs::remove_file(home.path("data/large"));
        home.run(["init"]).expect_code(0);
        let first = home.snapshot();
        home.write("data/large", noise(size as u64, 5_000_000));
        let run = home.run(["snapshot", "data"]);
        tried += 1;
        let there = snapshots(&home).len();
        if run.code == 0 {
            assert_eq!(there, 2);
        } else {
            full += 1;
            told_that_it_is_full(&run);
            assert_eq!(there, 1, "nothing was committed");
            home.run(["verify", "--read-data"]).expect_code(0);
        }
        assert!(mount("remount,size=64m"), "there is room again");
        let id = home.snapshot();
        home.run(["verify", "--read-data"]).expect_code(0);
        assert_restores(&home, &id);
        assert!(snapshots(&home).iter().any(|id| first.starts_with(id.as_str())), "the first is there");
    }
    assert!(full > 0, "no disk was too small");
    println!(
        "disk full: {tried} sizes, {full} too small: each said so and committed nothing; with room, each went on and verified"
    );
}

fn told_that_it_is_full(run: &Run) {
    assert_eq!(run.code, 1, "{run:?}");
    assert!(
        run.stderr.contains("no space") || run.stderr.contains("full") || run.stderr.contains("No space"),
        "{run:?}"
    );
}

/// Takes the mount away, whatever happens.
struct Mounted<'a>(&'a str);

impl Drop for Mounted<'_> {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(self.0).status();
    }
}
