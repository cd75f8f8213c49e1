//! Tables that align, and text that can not drive a terminal.

use std::borrow::Cow;

use lbak::is_hidden;

/// Where the text of a column stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Align {
    Left,
    Right,
}

/// Rows of cells under headings.
pub(crate) struct Table {
    aligns: Vec<Align>,
    rows: Vec<Vec<String>>,
}

impl Table {
    /// A table with these columns.
    pub(crate) fn new<const N: usize>(columns: [(&str, Align); N]) -> Self {
        Self::of(&columns)
    }

    /// A table with as many columns as there are.
    pub(crate) fn of(columns: &[(&str, Align)]) -> Self {
        let (heading, aligns) = columns.iter().map(|(heading, align)| ((*heading).to_owned(), *align)).unzip();
        Self { aligns, rows: vec![heading] }
    }

    /// Adds a row; control characters in it are made visible.
    pub(crate) fn row<const N: usize>(&mut self, cells: [String; N]) {
        self.add(cells.into());
    }

    /// Adds a row with a cell for each column.
    pub(crate) fn add(&mut self, cells: Vec<String>) {
        self.rows.push(cells.iter().map(|cell| visible(cell).into_owned()).collect());
    }

    /// The lines, two spaces between columns, none at the end of a line.
    pub(crate) fn lines(&self) -> impl Iterator<Item = String> {
        let widths: Vec<usize> = (0..self.aligns.len())
            .map(|column| self.rows.iter().filter_map(|row| row.get(column)).map(|cell| width(cell)).max().unwrap_or(0))
            .collect();
        self.rows.iter().map(move |row| {
            let mut line = String::new();
            for (place, ((cell, align), column_width)) in row.iter().zip(&self.aligns).zip(&widths).enumerate() {
                if place > 0 {
                    line.push_str("  ");
                }
                let padding = " ".repeat(column_width - width(cell));
                match align {
                    Align::Left => line.extend([cell, &*padding]),
                    Align::Right => line.extend([&*padding, cell]),
                }
            }
            line.truncate(line.trim_end().len());
            line
        })
    }
}

/// Columns of the screen; 80 where nobody looks, so that what is kept looks the same everywhere.
pub(crate) fn screen_width() -> usize {
    let size = rustix::termios::tcgetwinsize(std::io::stdout()).ok();
    size.map(|size| usize::from(size.ws_col)).filter(|&columns| columns >= 40).unwrap_or(80)
}

/// Breaks a text between words so that its lines fit; those behind the first are indented. A word is never broken.
pub(crate) fn wrap(text: &str, columns: usize, indent: usize) -> impl Iterator<Item = String> {
    let mut lines: Vec<String> = Vec::new();
    for word in visible(text).split(' ').filter(|word| !word.is_empty()) {
        match lines.last_mut() {
            Some(line) if width(line) + 1 + width(word) <= columns => line.extend([" ", word]),
            Some(_) => lines.push(format!("{}{word}", " ".repeat(indent))),
            None => lines.push(word.to_owned()),
        }
    }
    lines.into_iter()
}

/// Characters are taken as one column wide: a table with wide characters in it is a little ragged, not wrong.
fn width(cell: &str) -> usize {
    cell.chars().count()
}

/// Makes control characters and marks of direction visible as `\xNN` and `\u{…}`; everything else stays as it is.
///
/// Paths are escaped before, by [`lbak::escape`]; this is for whatever else comes from a repository or the system.
pub(crate) fn visible(text: &str) -> Cow<'_, str> {
    if !text.contains(is_hidden) {
        return text.into();
    }
    text.chars()
        .map(|c| match c {
            c if is_hidden(c) && c.is_ascii() => format!("\\x{:02x}", u32::from(c)),
            c if is_hidden(c) => format!("\\u{{{:x}}}", u32::from(c)),
            c => c.to_string(),
        })
        .collect::<String>()
        .into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_stand_right_and_lines_end_with_their_text() {
        let mut table = Table::new([("Name", Align::Left), ("Size", Align::Right), ("Tags", Align::Left)]);
        table.row(["grün".into(), "9 B".into(), String::new()]);
        table.row(["a\nb".into(), "1.2 KiB".into(), "x".into()]);
        let lines: Vec<String> = table.lines().collect();
        assert_eq!(lines, ["Name       Size  Tags", "grün        9 B", "a\\x0ab  1.2 KiB  x"]);
    }

    #[test]
    fn texts_break_between_words() {
        let lines: Vec<String> = wrap("a  long enough text/that-is-never-broken end", 12, 2).collect();
        assert_eq!(lines, ["a long", "  enough", "  text/that-is-never-broken", "  end"]);
    }

    #[test]
    fn hidden_characters_are_shown() {
        assert_eq!(visible("a\x1b[31m\u{202e}é\\"), "a\\x1b[31m\\u{202e}é\\");
        assert_eq!(visible("a\u{61c}b"), "a\\u{61c}b");
    }
}
