//! Comparing bytes without libc's `memcmp`, which is not there.

/// Whether `a` and `b` are the same.
pub fn eq(a: &[u8], b: &[u8]) -> bool {
    after(a, b).is_some_and(<[u8]>::is_empty)
}

/// What follows `prefix` in `text`, which must begin with it.
pub fn after<'a>(mut text: &'a [u8], prefix: &[u8]) -> Option<&'a [u8]> {
    for byte in prefix {
        match text.split_first() {
            Some((first, rest)) if first == byte => text = rest,
            _ => return None,
        }
    }
    Some(text)
}

/// The index of `word` in `table`, whose words each end with a blank.
pub fn find(table: &[u8], word: &[u8]) -> Option<usize> {
    let mut index = 0;
    let mut rest = word.iter();
    let mut same = true;
    for byte in table {
        if *byte == b' ' {
            if same && rest.as_slice().is_empty() {
                return Some(index);
            }
            index += 1;
            rest = word.iter();
            same = true;
        } else {
            same &= rest.next() == Some(byte);
        }
    }
    None
}
