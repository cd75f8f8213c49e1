//! Numbers for people: bytes in powers of 1024, counts in groups of three.

/// Bytes with a unit: `512 B`, `1.2 KiB`, `340 MiB`.
pub(crate) fn bytes(bytes: u64) -> String {
    const UNITS: [&str; 6] = ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
    if bytes < 1024 {
        return format!("{bytes} B");
    }
    // Three digits are enough to compare, and a column of them stays narrow.
    let mut value = bytes as f64 / 1024.0;
    let mut unit = 0;
    while value >= 999.5 && unit + 1 < UNITS.len() {
        value /= 1024.0;
        unit += 1;
    }
    let unit = UNITS[unit];
    if value < 99.95 { format!("{value:.1} {unit}") } else { format!("{value:.0} {unit}") }
}

/// Bytes per second.
pub(crate) fn rate(bytes_done: u64, seconds: f64) -> String {
    if seconds < 0.001 {
        return "–".to_owned();
    }
    // Saturates, which is as good as any number there.
    #[expect(
        clippy::cast_possible_truncation,
        reason = "a float above the largest integer becomes the largest integer"
    )]
    #[expect(clippy::cast_sign_loss, reason = "neither factor is negative")]
    let per_second = (bytes_done as f64 / seconds) as u64;
    format!("{}/s", bytes(per_second))
}

/// So many bytes in that time: `381 MiB in 6.2 s (61.1 MiB/s)`. A speed only where enough was done for one.
pub(crate) fn in_time(bytes_done: u64, worked_bytes: u64, seconds: f64) -> String {
    let text = format!("{} in {seconds:.1} s", bytes(bytes_done));
    if worked_bytes < 1 << 20 || seconds < 0.05 {
        return text;
    }
    format!("{text} ({})", rate(worked_bytes, seconds))
}

/// Reads a size in powers of 1024: `100`, `64K`, `1.5G`, `2TiB`.
pub(crate) fn parse(text: &str) -> Result<u64, String> {
    let unclear = || format!("`{text}` is no size: give bytes, or a number with K, M, G or T");
    let number = text.trim_end_matches(|character: char| character.is_ascii_alphabetic());
    let shift = match text.get(number.len()..).unwrap_or_default().to_ascii_lowercase().as_str() {
        "" | "b" => 0,
        "k" | "kib" => 10,
        "m" | "mib" => 20,
        "g" | "gib" => 30,
        "t" | "tib" => 40,
        _ => return Err(unclear()),
    };
    let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
    let is_number = |digits: &str| !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    // Three digits behind the point are more than anybody means, and stay exact.
    if !is_number(whole) || !is_number(fraction) || fraction.len() > 3 {
        return Err(unclear());
    }
    let thousandths: u128 = format!("{whole}{fraction:0<3}").parse().map_err(|_| unclear())?;
    thousandths.checked_mul(1 << shift).and_then(|bytes| u64::try_from(bytes / 1000).ok()).ok_or_else(unclear)
}

/// A count with commas: `78,600`.
pub(crate) fn count(count: u64) -> String {
    let digits = count.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A count with its noun, in the plural where it is not one.
pub(crate) fn counted(number: u64, one: &str, many: &str) -> String {
    format!("{} {}", count(number), if number == 1 { one } else { many })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_have_at_most_three_digits() {
        let shown: Vec<String> =
            [0, 1023, 1024, 1536, 102_300, 102_400, 1_023_999, 1 << 20, u64::MAX].map(bytes).into();
        assert_eq!(
            shown,
            ["0 B", "1023 B", "1.0 KiB", "1.5 KiB", "99.9 KiB", "100 KiB", "1.0 MiB", "1.0 MiB", "16.0 EiB"]
        );
    }

    #[test]
    fn a_speed_is_told_of_work_that_has_one() {
        assert_eq!(in_time(381 << 20, 381 << 20, 6.2), "381 MiB in 6.2 s (61.5 MiB/s)");
        assert_eq!(in_time(381 << 20, 0, 2.0), "381 MiB in 2.0 s", "all of it was there");
        assert_eq!([in_time(2, 2, 0.3), in_time(9 << 20, 9 << 20, 0.01)], ["2 B in 0.3 s", "9.0 MiB in 0.0 s"]);
    }

    #[test]
    fn sizes_are_read_in_powers_of_1024() {
        let sizes = ["0", "100", "7b", "64K", "1.5G", "2TiB", "16777215T"].map(|text| parse(text).expect(text));
        assert_eq!(sizes, [0, 100, 7, 64 << 10, 3 << 29, 2 << 40, 16_777_215 << 40]);
        for text in ["", "K", "-1", "1,5G", "1.G", ".5G", "1KB", "1P", "1 K", "99999999T", "1.2345M", "१"] {
            assert!(parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn counts_are_grouped() {
        assert_eq!([0, 999, 1000, 78_600, 1_234_567].map(count), ["0", "999", "1,000", "78,600", "1,234,567"]);
        assert_eq!(counted(1, "file", "files"), "1 file");
    }
}
