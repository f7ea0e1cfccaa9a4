//! What a Responses API conversation carries from call to call: ids of responses, items of earlier turns, and content that
//! only the deployment that made it can read.
//!
//! [`marks`] names that deployment on such content and takes the name off again, [`items`] puts conversations together,
//! [`Outward`] edits answers on their way out. Pure; what an id stands for and where turns are kept is others' business.

mod items;
mod listing;
mod marks;
mod outward;

pub use items::{joined, output_of, own_items};
pub use listing::{Page, page_of};
pub use marks::{Reader, Unreadable, is_for_some, latest_origin, mark, readable_by};
pub use outward::{Names, Outward, Rename};

/// An item's `type`, or what an object's field says, when it is a plain text.
fn text_field<'a>(object: &'a [u8], name: &str) -> Option<&'a str> {
    field(object, name).and_then(|value| super::json::plain_str(value, &(0..value.len())))
}

/// A field's value in an object, as JSON; of two the last one.
pub fn field<'a>(object: &'a [u8], name: &str) -> Option<&'a [u8]> {
    let mut found = None;
    // What is no object has no fields.
    let _ = super::json::scan_object(object, |field| {
        if &object[field.key] == name.as_bytes() {
            found = Some(&object[field.value]);
        }
    });
    found
}
