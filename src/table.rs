//! Tables of words, as one string: a pointer to each would need somebody to relocate it.

use crate::text::ZStr;

/// Looks up `text` in `table`, where each entry is a name, `=` and what belongs to it, up to a newline. Returns the
/// entry's index and what belongs to it; if it is none of them, the number of entries and nothing.
pub fn lookup<'a>(table: ZStr<'a>, text: ZStr) -> (u32, ZStr<'a>) {
    let mut entry = table;
    let mut index = 0;
    while !entry.is_empty() {
        let mut rest = text;
        // Never past the `=`, though it may be in the text.
        while entry.first() == rest.first() && entry.first() != '=' {
            entry = entry.rest();
            rest = rest.rest();
        }
        if entry.first() == '=' && rest.is_empty() {
            return (index, entry.rest());
        }
        entry = entry.find('\n').rest();
        index += 1;
    }
    (index, entry)
}

/// Makes such a table, and a type for its indices: a constant for each row, in that order, and `UNKNOWN` for none.
#[macro_export]
macro_rules! table {
    ($(#[$meta:meta])* $table:ident: $index:ident { $($row:ident $name:literal $data:expr;)* }) => {
        $(#[$meta])*
        const $table: $crate::text::ZStr = $crate::z!($($name, "=", $data, "\n"),*);

        #[doc = concat!("Index of a row in [`", stringify!($table), "`].")]
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd)]
        struct $index(u32);

        #[allow(dead_code)]
        impl $index {
            $crate::table!(@rows 0; $($row)* UNKNOWN);

            /// The index of the row called `text`, and what stands in it.
            fn find(text: $crate::text::ZStr) -> ($index, $crate::text::ZStr<'static>) {
                let (index, data) = $crate::table::lookup($table, text);
                ($index(index), data)
            }
        }
    };
    (@rows $index:expr; $row:ident $($rest:ident)*) => {
        const $row: Self = Self($index);
        $crate::table!(@rows $index + 1; $($rest)*);
    };
    (@rows $index:expr;) => {};
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::z;

    #[test]
    fn a_name_is_found_whole_and_alone() {
        let table = z!("a=1\nab=2\nb=\n");
        let find = |text| {
            let (index, data) = lookup(table, text);
            (index, data.first())
        };
        assert_eq!(find(z!("a")), (0, '1'));
        assert_eq!(find(z!("ab")), (1, '2'));
        assert_eq!(find(z!("b")), (2, '\n'));
        for none in [z!(""), z!("c"), z!("abc"), z!("a=1"), z!("a=1\nab"), z!("1\nab"), z!("b=")] {
            assert_eq!(find(none), (3, '\0'));
        }
    }
}
