//! What an adaptive router has learnt of one group's answers to one kind of request.

use diesel::prelude::*;

use super::super::schema::route_learning;

/// A row of `route_learning`, or what is to be added to one.
#[derive(Clone, Debug, Insertable, PartialEq, Queryable, Selectable)]
#[diesel(table_name = route_learning)]
pub struct LearntRow {
    pub router: String,
    pub model_group: String,
    pub request_type: String,
    /// Answers that were praised.
    pub good: i64,
    /// Answers that were not.
    pub bad: i64,
}
