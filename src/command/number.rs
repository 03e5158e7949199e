//! Numbers among the words.

use super::{Context, Done};
use crate::report::NOT_SUPPORTED;
use crate::text::ZStr;

/// The number that `word` is to `base`, at most 10; none if it is none, or as large as a million.
pub(super) fn parse(word: ZStr, base: u32) -> Option<u32> {
    let mut number = 0;
    for character in word {
        let digit = (character as u32).wrapping_sub('0' as u32);
        if digit >= base || number > 99_999 {
            return None;
        }
        number = number * base + digit;
    }
    (!word.is_empty()).then_some(number)
}

impl Context<'_> {
    /// The number that `word` is to base 10.
    pub(super) fn number(&mut self, word: ZStr) -> Done<u32> {
        parse(word, 10).ok_or_else(|| self.refuse(word, NOT_SUPPORTED))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::z;

    #[test]
    fn digits_only() {
        assert_eq!((parse(z!("0"), 10), parse(z!("255"), 10), parse(z!("755"), 8)), (Some(0), Some(255), Some(0o755)));
        for none in [z!(""), z!("8"), z!("-1"), z!("1x"), z!("99999999")] {
            assert_eq!(parse(none, 8), None);
        }
    }
}
