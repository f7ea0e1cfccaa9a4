//! `model_info.access_windows`: times of the day that some teams have a deployment to themselves.

use crate::config::diagnostic::Severity;
use crate::config::read::Section;
use crate::config::yaml::Value;
use crate::policy::shortlist::Reservation;

const KEY: &str = "access_windows";

/// The windows. What cannot be one is an error: a reservation that does not hold would let everybody in.
pub fn read(info: &Section<'_>) -> Vec<Reservation> {
    let Some(node) = info.value(KEY) else {
        return Vec::new();
    };
    let Value::List(items) = &node.value else {
        info.expected(
            KEY,
            node,
            "a list of maps of `start`, `end`, `timezone` and `team_ids`",
        );
        return Vec::new();
    };
    let path = info.path_of(KEY);
    let window = |(index, item)| {
        let path = format!("{path}[{index}]");
        let section = Section::open(item, path, info.sink, Severity::Error)?;
        window(&section)
    };
    items.iter().enumerate().filter_map(window).collect()
}

fn window(section: &Section<'_>) -> Option<Reservation> {
    let text = |key| section.text(key).unwrap_or_default();
    let (start, end, zone) = (text("start"), text("end"), text("timezone"));
    let teams = section.texts("team_ids");
    let made = Reservation::new(&start, &end, &zone, &teams);
    made.inspect_err(|error| {
        let node = section.value(error.field).unwrap_or(section.node);
        let path = section.path_of(error.field);
        section.sink.error(node.pos, path, error.to_string());
    })
    .ok()
}
