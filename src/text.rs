//! Strings as the kernel takes them.
//!
//! A [`ZStr`] is one pointer, so that it costs one register wherever it goes; what makes that safe is here.

#![allow(unsafe_code)]

use core::ffi::CStr;
use core::marker::PhantomData;
use core::ptr::NonNull;

/// A string that ends with a NUL.
///
/// Invariant: from the pointer on, within one allocation that lives for `'a`, there is a byte that is NUL and
/// stays so. Bytes before it may change ([`Memory`](crate::memory::Memory) is reused); then the string does.
#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(transparent)]
pub struct ZStr<'a>(NonNull<u8>, PhantomData<&'a u8>);

/// A [`ZStr`] of a literal, or of several.
#[macro_export]
macro_rules! z {
    ($($part:expr),+ $(,)?) => {
        const { $crate::text::ZStr::new(match core::ffi::CStr::from_bytes_with_nul(concat!($($part,)+ "\0").as_bytes()) {
            Ok(string) => string,
            Err(_) => panic!("a NUL within"),
        }) }
    };
}

impl<'a> ZStr<'a> {
    /// A string literal, or what else is known to be one.
    pub const fn new(string: &'a CStr) -> Self {
        // SAFETY: a CStr's pointer is not null; its NUL is immutable for 'a.
        ZStr(unsafe { NonNull::new_unchecked(string.as_ptr().cast_mut().cast()) }, PhantomData)
    }

    /// What lies at `start`.
    ///
    /// # Safety
    /// The caller owes the invariant: a NUL from there on that stays, in one allocation that lives for `'a`.
    pub const unsafe fn from_raw(start: NonNull<u8>) -> Self {
        ZStr(start, PhantomData)
    }

    /// For the kernel.
    pub fn address(self) -> usize {
        self.0.as_ptr() as usize
    }

    /// The first byte, as the character of that number; NUL if the string is empty.
    pub fn first(self) -> char {
        // SAFETY: at most the NUL is read (the invariant).
        char::from(unsafe { self.0.read() })
    }

    /// What follows the first byte; of an empty string, itself.
    pub fn rest(self) -> Self {
        // SAFETY: if the byte is not the NUL, the next one is still within the allocation (the invariant).
        ZStr(unsafe { self.0.add(usize::from(self.first() != '\0')) }, PhantomData)
    }

    /// What is left from the first `wanted` on; nothing if there is none.
    pub fn find(mut self, wanted: char) -> Self {
        while self.first() != wanted && self.first() != '\0' {
            self = self.rest();
        }
        self
    }

    /// Whether `wanted` is among the bytes or the NUL behind them.
    pub fn has(self, wanted: char) -> bool {
        self.find(wanted).first() == wanted
    }

    /// Bytes before the NUL.
    pub fn len(self) -> usize {
        self.count()
    }

    /// Bytes before the first newline, or else the NUL.
    pub fn line_len(self) -> usize {
        self.take_while(|&byte| byte != '\n').count()
    }

    /// Whether the NUL comes first.
    pub fn is_empty(self) -> bool {
        self.first() == '\0'
    }

    /// Whether the bytes are the same.
    pub fn is(self, other: ZStr) -> bool {
        self.after(other).is_some_and(ZStr::is_empty)
    }

    /// What follows `prefix`, if the string begins with it.
    pub fn after(mut self, prefix: ZStr) -> Option<Self> {
        for byte in prefix {
            if self.next() != Some(byte) {
                return None;
            }
        }
        Some(self)
    }

    /// Whether this sorts before `other`, by bytes.
    pub fn before(mut self, mut other: Self) -> bool {
        loop {
            let (a, b) = (self.first(), other.first());
            if a != b || a == '\0' {
                return a < b;
            }
            self = self.rest();
            other = other.rest();
        }
    }

    /// The last name in a path, with the slashes that may be behind it; of `/` nothing.
    pub fn base(mut self) -> Self {
        let mut base = self;
        while !self.is_empty() {
            let next = self.rest();
            if self.first() == '/' && next.first() != '/' && (!next.is_empty() || base.first() == '/') {
                base = next;
            }
            self = next;
        }
        base
    }

    /// Whether it is `.` or `..`, with or without slashes behind it.
    pub fn is_dots(self) -> bool {
        let Some(rest) = self.after(z!(".")) else { return false };
        matches!(rest.after(z!(".")).unwrap_or(rest).first(), '\0' | '/')
    }
}

/// The bytes before the NUL.
impl Iterator for ZStr<'_> {
    type Item = char;

    fn next(&mut self) -> Option<char> {
        let first = self.first();
        if first == '\0' {
            return None;
        }
        *self = self.rest();
        Some(first)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn find_stops_at_the_end() {
        assert!(z!("a=b").find('=').is(z!("=b")));
        assert!(z!("ab").find('=').is_empty());
        assert!(z!("ab").has('\0') && z!("ab").has('b') && !z!("ab").has('c'));
    }

    #[test]
    fn a_prefix_is_taken_off() {
        assert!(z!("/bin/ls").after(z!("/bin/")).is_some_and(|rest| rest.is(z!("ls"))));
        assert!(z!("/bi").after(z!("/bin/")).is_none());
        assert!(z!("").is(z!("")) && !z!("a").is(z!("")) && !z!("").is(z!("a")));
    }

    #[test]
    fn lengths() {
        assert_eq!((z!("ab\ncd").len(), z!("ab\ncd").line_len(), z!("").len()), (5, 2, 0));
    }

    #[test]
    fn bytes_sort_unsigned() {
        assert!(z!("a").before(z!("b")) && z!("a").before(z!("aa")) && !z!("a").before(z!("a")));
        let high = ZStr::new(c"\xff");
        assert!(z!("z").before(high) && !high.before(z!("z")));
    }

    #[test]
    fn base_is_the_last_name() {
        for (path, base) in [
            (z!("/models/a"), z!("a")),
            (z!("a"), z!("a")),
            (z!("/models/"), z!("models/")),
            (z!("//a//b//"), z!("b//")),
            (z!("/"), z!("")),
            (z!("//"), z!("")),
            (z!("/models/."), z!(".")),
        ] {
            assert!(path.base().is(base));
        }
    }

    #[test]
    fn dots() {
        for dots in [z!("."), z!(".."), z!("./"), z!("..//")] {
            assert!(dots.is_dots());
        }
        for other in [z!(""), z!(".a"), z!("..."), z!("..a"), z!("a.")] {
            assert!(!other.is_dots());
        }
    }
}
