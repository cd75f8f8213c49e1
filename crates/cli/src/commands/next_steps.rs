//! What there is to do about damage that `lbak verify` has found: `docs/repair.md` in a few lines.

use lbak::{ObjectName, VerifyReport};

/// What is damaged, by the beginnings of its names, and what to do about it, in the order in which it is done.
const STEPS: [(&[&str], &str); 9] = [
    (&["parity/"], "`lbak repair add-parity --read-parity` stores new parity in its place"),
    (&["config"], "`lbak repair config` writes config anew from the copy in the key slot"),
    (
        &["keys/"],
        "`lbak key add` makes a new key slot while this one opens; or put the file back from a copy of the repository",
    ),
    (&["index", "fin/", "marks/"], "`lbak repair index` makes the index whole again from the packs"),
    (
        &["packs/", "tree ", "list "],
        "`lbak repair packs` saves what still opens; then `lbak snapshot` of everything that is still there stores the rest anew, \
         and `lbak repair snapshots` writes what is left of snapshots that are still hurt",
    ),
    (
        &["snapshots/"],
        "put the files of `snapshots` back from a copy of the repository's folder, if there is one; else `lbak repair snapshots` finds what \
         they held and sets them aside; no other snapshot depends on them",
    ),
    (
        &["head "],
        "put the files of `snapshots` that are gone back from a copy of the repository's folder: somebody took them away",
    ),
    (
        &["snapshot "],
        "take a new snapshot, of a machine whose memory was tested: what `snapshot …` says of itself was wrong when it was written, and \
         a restore of it stops half-way",
    ),
    (
        &["sessions/", "forgotten/", "damaged/", "removals/", "readings/", "aside/"],
        "`lbak repair records` sets aside what does not open and no snapshot needs",
    ),
];

/// What there is to do, one sentence each.
pub(super) fn of(report: &VerifyReport) -> Vec<String> {
    let damaged = || report.damage.iter().map(|damage| damage.object.as_str());
    let is_named = |prefix: &&str| damaged().any(|object| object.starts_with(*prefix));
    let is_of_packs = |prefixes: &[&str]| prefixes.contains(&"packs/");
    let mut steps = Vec::new();
    for (prefixes, step) in STEPS.into_iter().filter(|(prefixes, _)| prefixes.iter().any(is_named)) {
        let healed = is_of_packs(prefixes).then(|| healed(report)).flatten();
        let is_all_healed = is_of_packs(prefixes) && !damaged().any(|object| is_lost(report, prefixes, object));
        steps.extend(healed);
        if !is_all_healed {
            steps.push(step.to_owned());
        }
    }
    if steps.is_empty() { vec!["`lbak repair --help` tells what can be done".to_owned()] } else { steps }
}

/// Tells whether a damaged object has one of these beginnings and parity does not make it whole.
fn is_lost(report: &VerifyReport, prefixes: &[&str], object: &str) -> bool {
    prefixes.iter().any(|prefix| object.starts_with(prefix)) && !is_healable(report, object)
}

/// Tells whether parity makes a damaged object whole.
pub(super) fn is_healable(report: &VerifyReport, object: &str) -> bool {
    report.healable.iter().any(|pack| ObjectName::Pack(*pack).to_string() == object)
}

/// What parity does for damaged packs, if anything.
fn healed(report: &VerifyReport) -> Option<String> {
    let packs = report.damage.iter().filter(|damage| damage.object.starts_with("packs/"));
    let (healable, all) = (report.healable.len(), packs.count());
    match healable {
        0 => None,
        _ if healable < all => Some(format!(
            "`lbak repair packs` heals {healable} of the {all} damaged packs by parity: nothing of those is lost"
        )),
        1 => Some("`lbak repair packs` heals the damaged pack by parity: nothing of it is lost".to_owned()),
        _ => Some(format!("`lbak repair packs` heals all {all} damaged packs by parity: nothing of them is lost")),
    }
}

#[cfg(test)]
mod tests {
    use lbak::{Damage, PackId};

    use super::*;

    fn report(damaged: &[&str], healable: &[u8]) -> VerifyReport {
        let damage = |object: &&str| Damage { object: (*object).to_owned(), what: "it is damaged".into(), more: 0 };
        let damage = damaged.iter().map(damage).collect();
        VerifyReport { damage, healable: healable.iter().map(|&id| PackId([id; 32])).collect(), ..Default::default() }
    }

    fn pack(id: u8) -> String {
        ObjectName::Pack(PackId([id; 32])).to_string()
    }

    #[test]
    fn what_parity_heals_is_promised_and_nothing_else() {
        let (one, two) = (pack(1), pack(2));
        let (one, two) = (one.as_str(), two.as_str());
        let saves = |steps: &[String]| steps.iter().any(|step| step.contains("saves what still opens"));
        for (damaged, healable, said, is_something_lost) in [
            (vec![one], vec![1], Some("heals the damaged pack by parity"), false),
            (vec![one, two], vec![1, 2], Some("heals all 2 damaged packs by parity"), false),
            (vec![one, two], vec![2], Some("heals 1 of the 2 damaged packs by parity"), true),
            (vec![one, two], vec![], None, true),
            (vec![one, "tree 12345678"], vec![1], Some("heals the damaged pack"), true),
            (vec!["list 12345678"], vec![], None, true),
            (vec![one, "index"], vec![1], Some("heals the damaged pack"), false),
        ] {
            let steps = of(&report(&damaged, &healable));
            assert_eq!(saves(&steps), is_something_lost, "{damaged:?} {healable:?}: {steps:?}");
            let told: Vec<&String> = steps.iter().filter(|step| step.contains("by parity")).collect();
            assert_eq!(told.len(), usize::from(said.is_some()), "{steps:?}");
            assert!(said.is_none_or(|said| told[0].contains(said)), "{steps:?}");
            assert_eq!(steps.iter().any(|step| step.contains("repair index")), damaged.contains(&"index"));
        }
    }

    #[test]
    fn there_is_always_something_to_do() {
        for object in ["snapshot 12", "snapshots/12", "keys/1", "parity/12", "what nobody knows"] {
            assert_eq!(of(&report(&[object], &[])).len(), 1, "{object}");
        }
    }
}
