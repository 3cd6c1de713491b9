//! What values a text column holds, and the type that holds them all.
//!
//! A value is of a kind exactly if the reader that fills the column afterwards can read it as one,
//! so a column whose values were all looked at never fails to be read.

use arrow::{
    compute::kernels::cast_utils::{Parser, string_to_datetime},
    datatypes::{DataType, Date32Type, Float64Type, Int64Type, TimeUnit},
};
use chrono::Utc;

/// The time zone of columns whose values say theirs.
const UTC: &str = "+00:00";

/// A set of kinds of values.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Kinds(u16);

impl Kinds {
    pub(super) const BOOLEAN: Self = Self(1);
    pub(super) const INTEGER: Self = Self(2);
    pub(super) const FLOAT: Self = Self(4);
    pub(super) const DATE: Self = Self(8);
    /// Without a time zone.
    const TIMESTAMP: Self = Self(16);
    /// With one.
    const INSTANT: Self = Self(32);
    /// More than six digits of a second.
    const NANOSECONDS: Self = Self(64);
    pub(super) const TEXT: Self = Self(128);

    /// The kind of a value of a CSV file.
    ///
    /// Digits that no `BIGINT` holds are text: a floating-point number would lose some. So are
    /// digits behind a zero, such as postal codes, because a number would lose the zero.
    pub(super) fn of(text: &str) -> Self {
        if text.eq_ignore_ascii_case("true") || text.eq_ignore_ascii_case("false") {
            Self::BOOLEAN
        } else if Int64Type::parse(text).is_some() {
            let digits = text.trim_start_matches([' ', '+', '-']).as_bytes();
            if digits.len() > 1 && digits[0] == b'0' { Self::TEXT } else { Self::INTEGER }
        } else if Float64Type::parse(text).is_some() {
            let digits = text.trim_start_matches(['+', '-']).bytes().all(|b| b.is_ascii_digit());
            if digits { Self::TEXT } else { Self::FLOAT }
        } else {
            Self::of_quoted(text)
        }
    }

    /// The kind of a JSON string: a number in quotes is meant as text.
    pub(super) fn of_quoted(text: &str) -> Self {
        let bytes = text.as_bytes();
        // Everything longer or shorter, such as `20240101`, could also mean something else.
        let dashed = bytes.len() >= 10
            && bytes[..10].iter().enumerate().all(|(index, byte)| match index {
                4 | 7 => *byte == b'-',
                _ => byte.is_ascii_digit(),
            });
        if !dashed {
            Self::TEXT
        } else if bytes.len() == 10 {
            if Date32Type::parse(text).is_some() { Self::DATE } else { Self::TEXT }
        } else if string_to_datetime(&Utc, text)
            .is_ok_and(|time| time.timestamp_nanos_opt().is_some())
        {
            Self::of_time(&text[10..])
        } else {
            Self::TEXT
        }
    }

    /// The kind of a timestamp by what follows its day.
    fn of_time(time: &str) -> Self {
        let fraction = time.split_once('.').map_or("", |(_, fraction)| fraction);
        let digits = fraction.bytes().take_while(u8::is_ascii_digit).count();
        let zone = time.trim_start_matches(|c: char| c.is_ascii_digit() || "T :.".contains(c));
        let mut kinds = if zone.is_empty() { Self::TIMESTAMP } else { Self::INSTANT };
        if digits > 6 {
            kinds.insert(Self::NANOSECONDS);
        }
        kinds
    }

    pub(super) fn insert(&mut self, other: Self) {
        self.0 |= other.0;
    }

    fn within(self, other: Self) -> bool {
        self.0 & !other.0 == 0
    }

    pub(super) fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The type that holds all values; text if there are none, and if nothing else does.
    pub(super) fn data_type(self) -> DataType {
        let numbers = Self(Self::INTEGER.0 | Self::FLOAT.0);
        let times = Self(Self::DATE.0 | Self::TIMESTAMP.0 | Self::NANOSECONDS.0);
        let instants = Self(Self::INSTANT.0 | Self::NANOSECONDS.0);
        let unit = match self.0 & Self::NANOSECONDS.0 {
            0 => TimeUnit::Microsecond,
            _ => TimeUnit::Nanosecond,
        };
        match self {
            _ if self.is_empty() => DataType::Utf8,
            Self::BOOLEAN => DataType::Boolean,
            Self::INTEGER => DataType::Int64,
            Self::DATE => DataType::Date32,
            _ if self.within(numbers) => DataType::Float64,
            _ if self.within(times) => DataType::Timestamp(unit, None),
            _ if self.within(instants) => DataType::Timestamp(unit, Some(UTC.into())),
            _ => DataType::Utf8,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(values: &[&str], expected: &DataType) {
        let mut kinds = Kinds::default();
        values.iter().for_each(|value| kinds.insert(Kinds::of(value)));
        assert_eq!(kinds.data_type(), *expected, "{values:?}");
    }

    #[test]
    fn types() {
        use DataType::{Boolean, Date32, Float64, Int64, Timestamp, Utf8};
        let timestamp = |unit| Timestamp(unit, None);
        let instant = |unit| Timestamp(unit, Some(UTC.into()));
        check(&[], &Utf8);
        check(&["true", "FALSE"], &Boolean);
        check(&["1", "-2", "0"], &Int64);
        check(&["01001", "12345"], &Utf8);
        check(&["0.5", "1"], &Float64);
        check(&["1", "2.5", "1e3"], &Float64);
        check(&["9223372036854775807"], &Int64);
        check(&["9223372036854775808"], &Utf8);
        check(&["1", "true"], &Utf8);
        check(&["00M", "00R"], &Utf8);
        check(&[" 1"], &Int64);
        check(&["1,000"], &Utf8);
        check(&["2024-02-29"], &Date32);
        check(&["2023-02-29"], &Utf8);
        check(&["2024-2-29"], &Utf8);
        check(&["20240229"], &Int64);
        check(&["12:30:00"], &Utf8);
        check(&["01/02/2024"], &Utf8);
        check(
            &["2024-02-29 12:30:00", "2024-02-29T12:30:00.123456"],
            &timestamp(TimeUnit::Microsecond),
        );
        check(&["2024-02-29 12:30:00", "2024-02-29"], &timestamp(TimeUnit::Microsecond));
        check(&["2024-02-29 12:30:00.1234567"], &timestamp(TimeUnit::Nanosecond));
        check(
            &["2024-02-29T12:30:00Z", "2024-02-29T12:30:00+02:00"],
            &instant(TimeUnit::Microsecond),
        );
        check(&["2024-02-29T12:30:00Z", "2024-02-29T12:30:00"], &Utf8);
        check(&["2024-02-29 25:00:00"], &Utf8);
        check(&["2024-02-29 and so on"], &Utf8);
    }
}
