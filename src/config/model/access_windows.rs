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

#[cfg(test)]
mod tests {
    use crate::config::Config;

    fn told(windows: &str) -> Vec<String> {
        let text = format!(
            "model_list:\n- model_name: m\n  litellm_params: {{model: openai/m, api_key: k}}\n  model_info:\n    access_windows: {windows}\n"
        );
        let loaded = Config::from_text("c.yaml", &text, &|_| None).unwrap();
        let told = loaded.diagnostics.iter().map(ToString::to_string);
        told.collect()
    }

    #[test]
    fn what_is_no_window_stops_the_start_and_says_where() {
        let whole = "{start: '22:00', end: '06:00', timezone: Europe/Berlin, team_ids: [t]}";
        assert_eq!(told(&format!("[{whole}]")), [""; 0]);
        let path = "c.yaml:5:";
        for (windows, expected) in [
            (
                format!(
                    "[{whole}, {{start: '25:00', end: '06:00', timezone: UTC, team_ids: [t]}}]"
                ),
                "error: model_list[0].model_info.access_windows[1].start: expected a time of the day",
            ),
            (
                "[{start: '01:00', end: '06:00', timezone: Mars, team_ids: [t]}]".to_owned(),
                "error: model_list[0].model_info.access_windows[0].timezone: expected the IANA name",
            ),
            (
                "[{start: '01:00', end: '06:00', timezone: UTC}]".to_owned(),
                "error: model_list[0].model_info.access_windows[0].team_ids: expected a list",
            ),
            (
                "soon".to_owned(),
                "error: model_list[0].model_info.access_windows: expected a list of maps",
            ),
        ] {
            let told = told(&windows).join("\n");
            assert!(told.starts_with(path) && told.contains(expected), "{told}");
        }
    }
}
