use proptest::prelude::*;

use super::*;

#[test]
fn prices_are_read_exactly() {
    for (text, units) in [
        ("0", 0),
        ("-0.0", 0),
        ("1", 1_000_000_000_000_000),
        ("2.5e-06", 2_500_000_000),
        ("2.5E-6", 2_500_000_000),
        ("0.0000025", 2_500_000_000),
        (" 3e-7 ", 300_000_000),
        (".5", 500_000_000_000_000),
        ("1e-15", 1),
        // Half-even, with the noise of floats.
        ("0.000015000020000000002", 15_000_020_000),
        ("2.5e-15", 2),
        ("3.5e-15", 4),
        ("2.50000000000000000000000000000000000000001e-15", 3),
        (
            "0.000000000000000000000000000000000000000000001e39",
            1_000_000_000,
        ),
        ("9223.372036854775807", i64::MAX),
    ] {
        assert_eq!(Price::parse(text), Ok(Price(units)), "{text}");
    }
}

#[test]
fn what_is_no_price_is_refused_by_name() {
    let told = |text: &str| text.to_owned();
    for text in [
        "", " ", "abc", "1,5", "1.2.3", "1e", "e5", "1e+", ".", "--1", "0x10", "1_000", "1 2",
    ] {
        assert_eq!(
            Price::parse(text),
            Err(PriceError::NotANumber(told(text))),
            "{text:?}"
        );
    }
    assert_eq!(
        Price::parse("-1e-6"),
        Err(PriceError::Negative(told("-1e-6")))
    );
    for text in ["inf", "-Infinity", "NaN", ".inf", "-.INF"] {
        assert_eq!(Price::parse(text), Err(PriceError::NotFinite(told(text))));
    }
    for text in ["9223.372036854775808", "1e4", "1e99999999999999999999"] {
        assert_eq!(Price::parse(text), Err(PriceError::TooLarge(told(text))));
    }
    for text in ["1e-16", "5e-16", "1e-99999999999999999999"] {
        assert_eq!(Price::parse(text), Err(PriceError::TooPrecise(told(text))));
    }
}

#[test]
fn a_price_page_counts_by_the_million() {
    assert_eq!(Price::parse_per_million("2.5"), Price::parse("0.0000025"));
    assert_eq!(Price::parse_per_million("0.000000001"), Ok(Price(1)));
}

#[test]
fn budgets_are_read() {
    for (text, nanos) in [
        ("0", 0),
        ("25", 25_000_000_000),
        ("2.85e-05", 28_500),
        // A budget above nothing stays above nothing.
        ("1e-12", 1),
        ("0.0000000004", 1),
        ("1.5e-9", 2),
        ("2.5e-9", 2),
        ("9.2e9", 9_200_000_000_000_000_000),
    ] {
        assert_eq!(NanoUsd::parse(text), Ok(NanoUsd(nanos)), "{text}");
    }
    for text in ["9200000000.000000001", "9.3e9", "1e300"] {
        assert_eq!(
            NanoUsd::parse(text),
            Err(AmountError::TooLarge(text.to_owned()))
        );
    }
    assert_eq!(
        NanoUsd::parse("-1"),
        Err(AmountError::Negative("-1".to_owned()))
    );
    assert_eq!(
        NanoUsd::parse("inf"),
        Err(AmountError::NotFinite("inf".to_owned()))
    );
    assert_eq!(
        NanoUsd::parse("ten"),
        Err(AmountError::NotANumber("ten".to_owned()))
    );
}

#[test]
fn amounts_are_shown_plainly() {
    for (nanos, text) in [
        (0, "0"),
        (28_500, "0.0000285"),
        (1, "0.000000001"),
        (12_000_000_000, "12"),
        (-500_000_000, "-0.5"),
        (i64::MAX, "9223372036.854775807"),
        (i64::MIN, "-9223372036.854775808"),
    ] {
        assert_eq!(NanoUsd(nanos).to_string(), text);
    }
    assert_eq!(NanoUsd(28_500).to_f64(), 0.0000285);
}

#[test]
fn sums_stop_at_the_end_of_the_range() {
    assert_eq!(NanoUsd::MAX.checked_add(NanoUsd(1)), None);
    assert_eq!(NanoUsd::MAX.saturating_add(NanoUsd(1)), NanoUsd::MAX);
    assert_eq!(
        [NanoUsd::MAX, NanoUsd(5)].iter().sum::<NanoUsd>(),
        NanoUsd::MAX
    );
}

proptest! {
    #[test]
    fn a_shown_price_reads_back(units in 0..=i64::MAX) {
        prop_assert_eq!(Price::parse(&Price(units).to_string()), Ok(Price(units)));
    }

    #[test]
    fn a_shown_amount_reads_back(nanos in 0..=NanoUsd::MAX_STATED.0) {
        prop_assert_eq!(NanoUsd(nanos).to_string().parse(), Ok(NanoUsd(nanos)));
    }

    #[test]
    fn an_exponent_only_moves_the_point(digits in 1..1_000_000i64, down in 0u32..9) {
        let scientific = format!("{digits}e-{down}");
        let nanos = digits * 10i64.pow(9 - down);
        prop_assert_eq!(NanoUsd::parse(&scientific), Ok(NanoUsd(nanos)));
        prop_assert_eq!(NanoUsd::parse(&NanoUsd(nanos).to_string()), Ok(NanoUsd(nanos)));
    }

    #[test]
    fn sums_are_exact(nanos in proptest::collection::vec(-1_000_000_000_000_000i64..1_000_000_000_000_000, 0..100)) {
        let sum: NanoUsd = nanos.iter().map(|n| NanoUsd(*n)).sum();
        prop_assert_eq!(i128::from(sum.0), nanos.iter().map(|n| i128::from(*n)).sum::<i128>());
    }

    #[test]
    fn no_text_panics(text in "\\PC{0,60}", number in "[-+]?[0-9]{0,50}\\.?[0-9]{0,50}([eE][-+]?[0-9]{0,25})?") {
        for text in [text, number] {
            let _ = (Price::parse(&text), NanoUsd::parse(&text), Price::parse_per_million(&text));
        }
    }
}
