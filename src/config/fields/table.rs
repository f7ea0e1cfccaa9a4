//! Lines of the table's files to rows.

use super::Status;

/// One line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Row {
    pub name: &'static str,
    pub status: Status,
    pub tier: u8,
    pub default: Option<&'static str>,
    pub meaning: &'static str,
}

/// The rows of one file; its first line names the columns. A dash is an empty cell.
pub fn rows(text: &'static str) -> impl Iterator<Item = Row> {
    text.lines().skip(1).filter_map(row)
}

fn row(line: &'static str) -> Option<Row> {
    let mut cells = line.split('\t');
    let name = cells.next()?;
    let status = match cells.next()? {
        "obeyed" => Status::Obeyed,
        "not yet" => Status::NotYet,
        "accepted" => Status::Accepted,
        _ => return None,
    };
    let tier = cells.next()?.parse().ok()?;
    let default = Some(cells.next()?).filter(|cell| *cell != "–");
    let meaning = cells.next()?;
    cells.next().is_none().then_some(Row {
        name,
        status,
        tier,
        default,
        meaning,
    })
}
