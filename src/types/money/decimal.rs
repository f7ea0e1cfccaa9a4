//! Decimal text to scaled integers and back, exactly.

use std::fmt;

/// Why a text is no amount.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum DecimalError {
    NotANumber,
    Negative,
    NotFinite,
    /// Beyond an `i64` of the asked unit.
    TooLarge,
}

/// A number read from text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Decimal {
    /// Count of 10^-places, rounded half-even.
    pub units: i64,
    /// The number was positive and rounded to zero.
    pub vanished: bool,
}

/// Significant digits kept; what comes after them only decides how to round.
const KEPT: u32 = 36;

/// Reads `[+-]digits[.digits][e[+-]digits]` as a count of 10^-places. Space around it is ignored; minus zero is zero.
pub(super) fn parse(text: &str, places: u32) -> Result<Decimal, DecimalError> {
    let text = text.trim_ascii();
    let (negative, unsigned) = match text.as_bytes() {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        rest => (false, rest),
    };
    if is_not_finite(unsigned) {
        return Err(DecimalError::NotFinite);
    }
    let number = scan(unsigned).ok_or(DecimalError::NotANumber)?;
    if number.mantissa == 0 {
        return Ok(Decimal {
            units: 0,
            vanished: false,
        });
    }
    if negative {
        return Err(DecimalError::Negative);
    }
    let shift = number.exponent.saturating_add(i64::from(places));
    let units = if shift >= 0 {
        u32::try_from(shift)
            .ok()
            .and_then(|shift| 10u128.checked_pow(shift))
            .and_then(|factor| number.mantissa.checked_mul(factor))
            .ok_or(DecimalError::TooLarge)?
    } else {
        divide_half_even(number.mantissa, shift.unsigned_abs(), number.more)
    };
    let units = i64::try_from(units).map_err(|_| DecimalError::TooLarge)?;
    Ok(Decimal {
        units,
        vanished: units == 0,
    })
}

/// Mantissa and power of ten; `more` when non-zero digits were left off behind the mantissa.
struct Scanned {
    mantissa: u128,
    exponent: i64,
    more: bool,
}

fn scan(text: &[u8]) -> Option<Scanned> {
    let mut number = Scanned {
        mantissa: 0,
        exponent: 0,
        more: false,
    };
    let (mut kept, mut digits, mut in_fraction) = (0, 0usize, false);
    let mut rest = text;
    while let [byte, tail @ ..] = rest {
        match byte {
            b'0'..=b'9' => {
                digits += 1;
                if kept < KEPT {
                    number.mantissa = number.mantissa * 10 + u128::from(byte - b'0');
                    kept += u32::from(number.mantissa != 0);
                    number.exponent -= i64::from(in_fraction);
                } else {
                    number.more |= *byte != b'0';
                    number.exponent += i64::from(!in_fraction);
                }
            }
            b'.' if !in_fraction => in_fraction = true,
            b'e' | b'E' if digits > 0 => {
                number.exponent = number.exponent.saturating_add(scan_exponent(tail)?);
                return Some(number);
            }
            _ => return None,
        }
        rest = tail;
    }
    (digits > 0).then_some(number)
}

/// An exponent too long for an `i64` is held at ±10¹⁵, far beyond anything that is not zero or too large anyway.
fn scan_exponent(text: &[u8]) -> Option<i64> {
    const FAR: i64 = 1_000_000_000_000_000;
    let (sign, digits) = match text {
        [b'-', rest @ ..] => (-1, rest),
        [b'+', rest @ ..] => (1, rest),
        rest => (1, rest),
    };
    if digits.is_empty() {
        return None;
    }
    let mut value = 0i64;
    for byte in digits {
        if !byte.is_ascii_digit() {
            return None;
        }
        value = (value * 10 + i64::from(byte - b'0')).min(FAR);
    }
    Some(sign * value)
}

fn is_not_finite(text: &[u8]) -> bool {
    // `.inf` and `.nan` are YAML's spelling, the others JSON's and Python's.
    let word = text.strip_prefix(b".").unwrap_or(text);
    [&b"inf"[..], b"infinity", b"nan"]
        .iter()
        .any(|name| word.eq_ignore_ascii_case(name))
}

/// `mantissa / 10^places`, to the nearest integer, ties to even; `more` means that the mantissa is a little too small.
fn divide_half_even(mantissa: u128, places: u64, more: bool) -> u128 {
    let Some(divisor) = u32::try_from(places)
        .ok()
        .and_then(|places| 10u128.checked_pow(places))
    else {
        return 0;
    };
    let (quotient, remainder) = (mantissa / divisor, mantissa % divisor);
    let half = divisor / 2;
    let up = match remainder.cmp(&half) {
        std::cmp::Ordering::Less => false,
        std::cmp::Ordering::Greater => true,
        std::cmp::Ordering::Equal => more || quotient % 2 == 1,
    };
    quotient + u128::from(up)
}

/// Writes a count of 10^-places in plain decimal, without trailing zeros.
pub(super) fn write(f: &mut fmt::Formatter<'_>, units: i64, places: u32) -> fmt::Result {
    let one = 10u64.pow(places);
    let magnitude = units.unsigned_abs();
    let sign = if units < 0 { "-" } else { "" };
    let (whole, mut fraction) = (magnitude / one, magnitude % one);
    if fraction == 0 {
        return write!(f, "{sign}{whole}");
    }
    let mut width = places as usize;
    while fraction % 10 == 0 {
        fraction /= 10;
        width -= 1;
    }
    write!(f, "{sign}{whole}.{fraction:0width$}")
}
