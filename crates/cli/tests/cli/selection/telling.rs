//! What is said of it: what would be read, and what was.

use super::*;

#[test]
fn a_dry_run_says_what_would_be_read_and_why() {
    let home = home();
    let at = |name: &str| home.text(&format!("data/{name}"));
    let run = home.run(["snapshot", "data", "--dry-run", "-v", "--exclude", "cache"]).expect_code(0);
    assert!(run.stdout.contains(&format!("read {}: nothing to compare it with\n", at("sub/b"))), "{}", run.stdout);
    assert!(run.stdout.contains(&format!("left out {}: a pattern excludes it\n", at("cache"))), "{}", run.stdout);
    assert!(run.stdout.contains("  left out  1: a pattern excludes it\n"), "{}", run.stdout);
    assert!(!run.stdout.contains("cached"), "nothing below what is left out: {}", run.stdout);
    let quiet = home.run(["snapshot", "data", "--dry-run", "--exclude", "cache"]).expect_code(0);
    assert!(!quiet.stdout.contains("sub/b") && !quiet.stdout.contains("left out"), "{}", quiet.stdout);

    home.snapshot();
    home.write("data/a", "another first file");
    home.write("data/new", "new");
    let run = home.run(["snapshot", "data", "--dry-run", "--json", "--exclude", "large"]).expect_code(0);
    let told: Vec<_> = run.messages().into_iter().filter(|message| message["message_type"] == "path").collect();
    let find =
        |name: &str| told.iter().find(|told| told["path"] == at(name)).unwrap_or_else(|| panic!("{name}: {told:?}"));
    assert_eq!((&find("a")["action"], &find("a")["reason"]), (&"read".into(), &"changed".into()));
    assert_eq!((&find("a")["difference"], &find("a")["size"]), (&"size".into(), &18.into()));
    assert_eq!(find("new")["reason"], "new");
    assert_eq!(find("sub/b")["reason"], "unsettled", "it was written a moment ago");
    assert_eq!((&find("large")["action"], &find("large")["reason"]), (&"exclude".into(), &"pattern".into()));
    assert_eq!(home.run(["snapshots", "--json"]).messages().len(), 1, "nothing was stored");
}

#[test]
fn verbose_says_the_same_of_a_snapshot_that_is_taken() {
    let home = home();
    let line = format!("read {}: nothing to compare it with", home.text("data/a"));
    let run = home.run(["snapshot", "data", "-v", "--exclude-caches"]).expect_code(0);
    assert!(!run.stdout.contains(&line), "{}", run.stdout);
    run.expect_stderr(&line).expect_stderr("cache: all but its CACHEDIR.TAG");
    let run = home.run(["snapshot", "data", "--json"]).expect_code(0);
    assert!(run.messages().iter().all(|message| message["message_type"] != "path"), "{run:?}");
    let run = home.run(["snapshot", "data", "--json", "-v"]).expect_code(0);
    assert_eq!(run.message("path")["action"], "read");
}
