//! Patterns as `.gitignore` writes them: many say together what each says alone, and every directory above a match leads to it.
//!
//! Input: a byte of how, the lines of a file of patterns, a NUL byte, a path.

use crate::{memory, take};
use lbak_core::patterns::{Patterns, Tally, lines};

const NONE: &[&[u8]] = &[];

/// Runs the target.
pub fn patterns(input: &[u8]) {
    let Some(([how], rest)) = take::<1>(input) else { return };
    let Some(nul) = rest.iter().position(|&byte| byte == 0) else { return };
    let (file, path) = (&rest[..nul], &rest[nul + 1..]);
    let (any_case, is_directory) = (how & 1 == 1, how & 2 == 2);
    let compile = |patterns: &[&[u8]]| match any_case {
        false => Patterns::with_case(patterns, NONE, patterns, NONE),
        true => Patterns::with_case(NONE, patterns, NONE, patterns),
    };
    // Each line is compiled for two roles, and then once more to be asked alone.
    memory::within(4 * memory::in_proportion_to(input), || {
        let understood: Vec<&[u8]> = lines(file).filter(|line| compile(&[line]).is_ok()).collect();
        let patterns = compile(&understood).expect("each of them is understood");
        let absolute = [b"/", path].concat();
        let matched = patterns.matched(&absolute, path, is_directory);
        let mut tally = Tally::default();
        tally.count(&matched);
        for count in patterns.counts(&tally) {
            let alone = compile(&[&count.pattern]).expect("it was understood");
            let mut tally = Tally::default();
            tally.count(&alone.matched(&absolute, path, is_directory));
            let is_same = alone.counts(&tally).iter().all(|alone| alone.matches == count.matches);
            assert!(is_same, "{count:?} says otherwise alone");
        }
        if patterns.is_selective() && matched.is_included() {
            let slashes = path.iter().enumerate().filter(|&(_, &byte)| byte == b'/').map(|(place, _)| place);
            for end in slashes.filter(|&end| end > 0) {
                assert!(patterns.may_lead(&absolute[..=end], &path[..end]), "nobody would come to {path:?}");
            }
        }
    });
}
