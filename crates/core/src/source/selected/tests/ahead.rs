//! Looking ahead for what is included.

use super::*;

fn opened(source: &dyn Source, rules: SelectionRules) -> Vec<String> {
    let counts = Arc::default();
    let counting = Counting(source, Arc::clone(&counts));
    shown(&SelectedSource::new(&counting, rules));
    std::mem::take(&mut *counts.lock().expect("lock"))
}

#[test]
fn only_the_way_to_a_plain_path_is_opened() {
    assert_eq!(opened(&sample(), selecting(&[], &["deep/down/b.txt"])), ["/r", "deep", "down", "deep", "down"]);
    assert_eq!(opened(&sample(), selecting(&[], &["/r/none/d.bin"])), ["/r", "none", "none"]);
}

/// Looking ahead from every level anew would open the deepest directories once for each level above them.
#[test]
fn looking_ahead_opens_each_directory_once_more_at_most() {
    const DEPTH: usize = 200;
    let mut tree = directory([("zz.txt", file("found"))]);
    for _ in 0..DEPTH {
        tree = directory([("dead", directory([("x", file("x"))])), ("way", tree)]);
    }
    let source = MemorySource::new([("/r", tree)]);
    let opened = opened(&source, selecting(&[], &["*.txt"]));
    let count = |wanted: &str| opened.iter().filter(|name| *name == wanted).count();
    assert_eq!((count("way"), count("dead")), (2 * DEPTH, DEPTH));
}

#[test]
fn trouble_on_the_way_is_not_hidden() {
    let source = root([
        ("locked", directory([("a.txt", file("a"))]).with_trouble(SourceErrorKind::Denied)),
        ("gone", directory([]).with_trouble(SourceErrorKind::Vanished)),
    ]);
    let selected = SelectedSource::new(&source, selecting(&[], &["*.txt"]));
    let roots = selected.roots().expect("roots");
    let found = roots.entries().expect("list").next().expect("one").expect("found");
    let listed = roots.directory(&found.name, &found.metadata).expect("open").entries().expect("list");
    let names: Vec<Vec<u8>> = listed.map(|found| found.expect("found").name).collect();
    assert_eq!(names, [b"locked"]);
}

#[test]
fn a_walk_that_is_to_be_stopped_does_not_look_ahead() {
    let source = sample();
    let cancellation = Cancellation::default();
    cancellation.cancel();
    let selected = SelectedSource::new(&source, selecting(&[], &["*.txt"])).stopped_by(cancellation);
    assert!(shown(&selected).contains("/r/none/"));
}
