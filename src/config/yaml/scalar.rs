//! What an unquoted word means: the rules of YAML 1.1 as PyYAML applies them.
//!
//! The surprising cases are LiteLLM's and its users' files depend on them: `yes` and `on` are true, `010` is eight, and
//! `1e-6` is text because the pattern for numbers asks for a point and a signed exponent (`1.0e-6`). Numbers in base 60
//! (`1:30`) and dates are left as text: nobody writes the first on purpose, and a date's text is what LiteLLM uses of it.

use super::Value;

/// The value of a plain scalar.
pub fn plain(text: &str) -> Value {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Value::Null,
        "yes" | "Yes" | "YES" | "true" | "True" | "TRUE" | "on" | "On" | "ON" => {
            return Value::Bool(true);
        }
        "no" | "No" | "NO" | "false" | "False" | "FALSE" | "off" | "Off" | "OFF" => {
            return Value::Bool(false);
        }
        _ => {}
    }
    if let Some(value) = int(text) {
        return Value::Int {
            value,
            written: text.to_owned(),
        };
    }
    match float(text) {
        Some(value) => Value::Float {
            value,
            written: text.to_owned(),
        },
        None => Value::Text(text.to_owned()),
    }
}

/// Decimal, `0x`, `0b` and octal with a leading `0`; underscores between digits. Beyond 128 bits it is not a number to us.
pub fn int(text: &str) -> Option<i128> {
    let (sign, digits) = match text.as_bytes().first()? {
        b'-' => ("-", &text[1..]),
        b'+' => ("", &text[1..]),
        _ => ("", text),
    };
    let (radix, digits) = if let Some(rest) = digits.strip_prefix("0x") {
        (16, rest)
    } else if let Some(rest) = digits.strip_prefix("0b") {
        (2, rest)
    } else if digits.len() > 1 && digits.starts_with('0') {
        (8, &digits[1..])
    } else if digits.starts_with('_') {
        return None;
    } else {
        (10, digits)
    };
    let bare: String = digits.chars().filter(|c| *c != '_').collect();
    if bare.is_empty() && radix == 8 {
        return Some(0);
    }
    if bare.is_empty() || !bare.chars().all(|c| c.is_digit(radix)) {
        return None;
    }
    i128::from_str_radix(&format!("{sign}{bare}"), radix).ok()
}

/// `1.`, `1.5`, `.5`, `1.5e+3`, `.inf`, `-.inf`, `.nan`.
pub fn float(text: &str) -> Option<f64> {
    match text {
        ".nan" | ".NaN" | ".NAN" => return Some(f64::NAN),
        ".inf" | ".Inf" | ".INF" | "+.inf" | "+.Inf" | "+.INF" => return Some(f64::INFINITY),
        "-.inf" | "-.Inf" | "-.INF" => return Some(f64::NEG_INFINITY),
        _ => {}
    }
    let unsigned = text.strip_prefix(['-', '+']);
    let (mantissa, exponent) = match unsigned.unwrap_or(text).split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (unsigned.unwrap_or(text), None),
    };
    let (whole, fraction) = mantissa.split_once('.')?;
    let digits = |part: &str| part.bytes().all(|b| b.is_ascii_digit() || b == b'_');
    let leads = |part: &str| part.as_bytes().first().is_some_and(u8::is_ascii_digit);
    // A number that begins with its point takes no sign and needs a digit after it.
    let shape = if whole.is_empty() {
        unsigned.is_none() && leads(fraction)
    } else {
        leads(whole)
    };
    let power = exponent.is_none_or(|exponent| {
        exponent
            .strip_prefix(['-', '+'])
            .is_some_and(|n| !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit()))
    });
    if !shape || !digits(whole) || !digits(fraction) || !power {
        return None;
    }
    text.replace('_', "").parse().ok()
}

/// Whether this is a plain decimal number, exponent allowed: what a field that wants a number accepts as text.
pub fn is_decimal(text: &str) -> bool {
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (unsigned, None),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = |part: &str| part.bytes().all(|b| b.is_ascii_digit());
    let power = exponent.is_none_or(|exponent| {
        let exponent = exponent.strip_prefix(['-', '+']).unwrap_or(exponent);
        !exponent.is_empty() && exponent.len() <= 4 && digits(exponent)
    });
    !(whole.is_empty() && fraction.is_empty()) && digits(whole) && digits(fraction) && power
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> String {
        match plain(text) {
            Value::Null => "null".into(),
            Value::Bool(value) => format!("bool {value}"),
            Value::Int { value, .. } => format!("int {value}"),
            Value::Float { value, .. } => format!("float {value}"),
            Value::Text(text) => format!("text {text}"),
            Value::List(_) | Value::Map(_) => "never".into(),
        }
    }

    #[test]
    fn words_mean_what_pyyaml_says() {
        // PyYAML's safe_load says the same of every line, but for the date, which it makes a date.
        for (text, expected) in [
            ("", "null"),
            ("~", "null"),
            ("nULL", "text nULL"),
            ("yes", "bool true"),
            ("Off", "bool false"),
            ("y", "text y"),
            ("0", "int 0"),
            ("-5", "int -5"),
            ("+5", "int 5"),
            ("1_000", "int 1000"),
            ("_1", "text _1"),
            ("010", "int 8"),
            ("08", "text 08"),
            ("0_", "int 0"),
            ("0x1F", "int 31"),
            ("0b101", "int 5"),
            ("1.5", "float 1.5"),
            ("1.", "float 1"),
            (".5", "float 0.5"),
            ("-.5", "text -.5"),
            ("1e-6", "text 1e-6"),
            ("1.0e-6", "float 0.000001"),
            ("1.0e6", "text 1.0e6"),
            ("-.inf", "float -inf"),
            (".nan", "float NaN"),
            ("1.2.3", "text 1.2.3"),
            ("2024-02-01", "text 2024-02-01"),
            ("sk-1234", "text sk-1234"),
            (".", "text ."),
            ("-_1", "text -_1"),
        ] {
            assert_eq!(shown(text), expected, "{text:?}");
        }
    }

    #[test]
    fn decimals_as_text() {
        for (text, expected) in [
            ("1", true),
            ("-1.5", true),
            ("1e-6", true),
            ("2.5E-06", true),
            (".5", true),
            ("5.", true),
            ("", false),
            (".", false),
            ("e5", false),
            ("1e", false),
            ("1e99999", false),
            ("inf", false),
            ("NaN", false),
            ("1_0", false),
            ("ten", false),
            ("１", false),
        ] {
            assert_eq!(is_decimal(text), expected, "{text:?}");
        }
    }
}
