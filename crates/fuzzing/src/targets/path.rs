//! Paths and names: what is shown of any bytes drives no terminal and can be turned back, a path has one list of components, and an
//! object has one name.
//!
//! Input: any bytes, taken as a path and as the name of an object.

use crate::memory;
use lbak_core::{
    backend::ObjectName,
    browse::{components, join},
    error::escape,
    tree::{NameRule, check_name},
};

/// Runs the target.
pub fn path(input: &[u8]) {
    let shown = memory::within(memory::in_proportion_to(input), || escape(input));
    assert!(!shown.chars().any(char::is_control), "it would drive a terminal: {shown:?}");
    assert_eq!(turned_back(&shown), input, "no two names look the same");

    if let Some(names) = components(input) {
        let mut path = b"/".to_vec();
        for name in &names {
            check_name(NameRule::Component, name).expect("each is the name of one entry");
            join(&mut path, name);
        }
        assert_eq!(components(&path).as_ref(), Some(&names), "it is the same path without what means nothing");
        assert!(names.is_empty() || check_name(NameRule::AbsolutePath, &path).is_ok() || path.len() > 4096);
    }
    if let Some(name) = std::str::from_utf8(input).ok().and_then(ObjectName::parse) {
        assert_eq!(name.to_string().as_bytes(), input, "an object has one name");
    }
}

/// As `docs/json.md` tells readers to do it.
fn turned_back(shown: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut rest = shown.as_bytes();
    while let Some((&first, behind)) = rest.split_first() {
        rest = match (first, behind) {
            (b'\\', [b'\\', behind @ ..]) => {
                bytes.push(b'\\');
                behind
            }
            (b'\\', [b'x', high, low, behind @ ..]) => {
                let digit = |digit: u8| {
                    let value = char::from(digit).to_digit(16).expect("two digits");
                    u8::try_from(value).expect("less than sixteen")
                };
                bytes.push(digit(*high) << 4 | digit(*low));
                behind
            }
            (b'\\', _) => panic!("a backslash that means nothing: {shown:?}"),
            (byte, behind) => {
                bytes.push(byte);
                behind
            }
        };
    }
    bytes
}
