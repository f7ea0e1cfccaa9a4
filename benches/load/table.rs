//! What was measured, as one Markdown table: a row a measurement and target, medians of the rounds, ratios to nginx.

use std::fmt;

use crate::stats;

/// One value of one target in one round.
pub struct Sample {
    pub what: &'static str,
    pub target: &'static str,
    pub value: f64,
    /// CPU microseconds of the whole target process for each thing counted.
    pub cpu: Option<f64>,
    pub note: String,
}

#[derive(Default)]
pub struct Table {
    samples: Vec<Sample>,
    pub remarks: Vec<String>,
}

// === impl Table ===

impl Table {
    pub fn add(&mut self, sample: Sample) {
        self.samples.push(sample);
    }

    fn of<'a>(&'a self, what: &'a str, target: &'a str) -> impl Iterator<Item = &'a Sample> {
        self.samples
            .iter()
            .filter(move |sample| sample.what == what && sample.target == target)
    }

    /// The median of the ratios within each round: neighbours in time.
    fn ratio(&self, what: &str, target: &str, of: impl Fn(&Sample) -> f64) -> Option<f64> {
        let pairs: Vec<f64> = self
            .of(what, target)
            .zip(self.of(what, "nginx"))
            .filter(|(_, nginx)| of(nginx) != 0.0)
            .map(|(own, nginx)| of(own) / of(nginx))
            .collect();
        (!pairs.is_empty()).then(|| stats::median(pairs.into_iter()))
    }

    /// Measurements and targets in the order they first came.
    fn rows(&self) -> Vec<(&'static str, &'static str)> {
        let mut rows = Vec::new();
        for sample in &self.samples {
            let row = (sample.what, sample.target);
            if !rows.contains(&row) {
                rows.push(row);
            }
        }
        // Rows of one measurement stand together.
        let order = rows.clone();
        rows.sort_by_key(|(what, _)| order.iter().position(|(other, _)| other == what));
        rows
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "| what | target | median | range | × nginx | CPU µs each | CPU × nginx | note |"
        )?;
        writeln!(f, "|---|---|---|---|---|---|---|---|")?;
        for (what, target) in self.rows() {
            let values = stats::sorted(self.of(what, target).map(|sample| sample.value).collect());
            let range = match values.as_slice() {
                [lowest, .., highest] => format!("{} … {}", number(*lowest), number(*highest)),
                _ => String::new(),
            };
            let cpu = stats::sorted(
                self.of(what, target)
                    .filter_map(|sample| sample.cpu)
                    .collect(),
            );
            let cpu_text = if cpu.is_empty() {
                String::new()
            } else {
                number(stats::quantile(&cpu, 0.5))
            };
            let ratio = |of: &dyn Fn(&Sample) -> f64| {
                self.ratio(what, target, of)
                    .map(|ratio| format!("{ratio:.2}"))
                    .unwrap_or_default()
            };
            let note = self
                .of(what, target)
                .last()
                .map(|sample| sample.note.as_str())
                .unwrap_or_default();
            writeln!(
                f,
                "| {what} | {target} | {} | {range} | {} | {cpu_text} | {} | {note} |",
                number(stats::quantile(&values, 0.5)),
                ratio(&|sample| sample.value),
                if cpu.is_empty() {
                    String::new()
                } else {
                    ratio(&|sample| sample.cpu.unwrap_or_default())
                },
            )?;
        }
        for remark in &self.remarks {
            writeln!(f, "\n{remark}")?;
        }
        Ok(())
    }
}

/// Three significant digits or whole numbers with separators.
fn number(value: f64) -> String {
    if value.abs() < 100.0 {
        return format!("{value:.*}", if value.abs() < 10.0 { 3 } else { 1 });
    }
    let digits = format!("{:.0}", value.abs());
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    if value < 0.0 {
        format!("-{text}")
    } else {
        text
    }
}
