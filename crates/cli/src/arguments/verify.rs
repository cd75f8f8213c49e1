//! `lbak verify`.

use clap::Args;

/// Check that everything is there and, if asked, that every byte is right
///
/// Without options every object's name and length and every tree of every snapshot are checked, and each chunk is looked up in
/// the index. Damage is named with the snapshots and paths that it hurts (exit code 20).
#[derive(Args, Debug)]
#[command(after_help = "Example:\n  lbak verify -q --read-data=1/7 || echo 'the backup needs you'")]
pub(crate) struct VerifyArguments {
    /// Check names and checksums only: needs no key
    #[arg(long, conflicts_with = "read_data")]
    pub(crate) no_key: bool,
    /// Read the data too: all of it, the N-th of T equal parts (`1/7` today, `2/7` tomorrow), or a share (`10%`)
    #[arg(long, value_name = "SHARE", num_args = 0..=1, require_equals = true, default_missing_value = "100%")]
    pub(crate) read_data: Option<ShareArgument>,
    /// Threads that work [default: one per processor]
    #[arg(long, value_name = "N", value_parser = super::selection::threads)]
    pub(crate) threads: Option<usize>,
}

/// A share of the data.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum ShareArgument {
    /// The `part`-th, from 1 on, of so many equal `parts`.
    Part { part: u32, parts: u32 },
    /// So many hundredths, chosen anew each time.
    Percent(f64),
}

impl std::str::FromStr for ShareArgument {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let share = match (text.strip_suffix('%'), text.split_once('/')) {
            (Some(percent), _) => {
                percent.parse().ok().filter(|percent| *percent > 0.0 && *percent <= 100.0).map(Self::Percent)
            }
            (None, Some((part, parts))) => part
                .parse()
                .ok()
                .zip(parts.parse().ok())
                .filter(|(part, parts)| (1..=*parts).contains(part))
                .map(|(part, parts)| Self::Part { part, parts }),
            (None, None) => None,
        };
        share.ok_or_else(|| "give `N/T` with N from 1 to T, or a percentage above 0".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_parts_or_percentages() {
        assert_eq!("2/7".parse(), Ok(ShareArgument::Part { part: 2, parts: 7 }));
        assert_eq!("2.5%".parse(), Ok(ShareArgument::Percent(2.5)));
        for text in ["", "0%", "101%", "NaN%", "0/7", "8/7", "1/0", "10", "-1%"] {
            assert!(text.parse::<ShareArgument>().is_err(), "{text}");
        }
    }
}
