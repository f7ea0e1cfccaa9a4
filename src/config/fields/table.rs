//! Lines of the table's files to rows.

use super::{KnownField, Place, Status};

/// The rows of one file; its first line names the columns. A dash is an empty cell.
pub fn rows(place: Place, text: &'static str) -> impl Iterator<Item = KnownField> {
    text.lines()
        .skip(1)
        .filter_map(move |line| row(place, line))
}

fn row(place: Place, line: &'static str) -> Option<KnownField> {
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
    cells.next().is_none().then_some(KnownField {
        place,
        name,
        status,
        tier,
        default,
        meaning,
    })
}
