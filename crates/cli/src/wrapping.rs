//! Breaks sentences for people into lines of a terminal.

/// Breaks a line at its blanks, so that no part is wider than the terminal, where that can be. What follows is indented a little more than
/// the line itself. What stands between backticks can be pasted, and is not broken; neither is a word, which may be a path.
pub(crate) fn wrapped(line: &str, columns: usize) -> String {
    let indent = line.len() - line.trim_start_matches(' ').len();
    if line.chars().count() <= columns {
        return line.to_owned();
    }
    let (mut text, mut width) = (line[..indent].to_owned(), indent);
    let mut is_first = true;
    for word in words(&line[indent..]) {
        let length = word.chars().count();
        if !is_first && width + 1 + length > columns {
            text.push('\n');
            text.push_str(&" ".repeat(indent + 2));
            width = indent + 2;
        } else if !is_first {
            text.push(' ');
            width += 1;
        }
        text.push_str(word);
        width += length;
        is_first = false;
    }
    text
}

/// Splits at blanks outside of backticks.
fn words(line: &str) -> Vec<&str> {
    let (mut words, mut begin, mut is_quoted) = (Vec::new(), 0, false);
    for (place, character) in line.char_indices() {
        match character {
            '`' => is_quoted = !is_quoted,
            ' ' if !is_quoted => {
                words.push(&line[begin..place]);
                begin = place + 1;
            }
            _ => {}
        }
    }
    words.push(&line[begin..]);
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_broken_at_blanks_and_not_within_words_or_commands() {
        assert_eq!(wrapped("short", 5), "short");
        assert_eq!(wrapped("hint: one two three", 12), "hint: one\n  two three");
        assert_eq!(wrapped("  a /very/long/path/name b", 10), "  a\n    /very/long/path/name\n    b");
        assert_eq!(wrapped("run `lbak verify --no-key` now", 12), "run\n  `lbak verify --no-key`\n  now");
        assert_eq!(wrapped("größere Namen", 13), "größere Namen");
        assert_eq!(wrapped("one ` two three", 8), "one\n  ` two three");
    }
}
