//! Why a deployment may not take a call, with its figures.

use std::fmt;
use std::sync::Arc;

/// See the module. Shows as what stands behind "passed over: ".
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reason {
    /// It is paused (`model_info.blocked`).
    Paused,
    /// The name that is asked for is no model of its provider.
    NoModel,
    /// A list of models allows others of the group alone (`model_info.access_groups`).
    OtherAccessGroup,
    /// A time that others have to themselves (`model_info.access_windows`).
    Reserved(Arc<Reserved>),
    /// The request has a web search tool, and `model_info.supports_web_search` is false.
    NoWebSearch,
    /// The request is for a region; `own` is `litellm_params.region_name`.
    OtherRegion {
        wanted: Arc<str>,
        own: Option<Arc<str>>,
    },
    /// The request has a `response_format` that the model does not take, and it may not be dropped.
    NoResponseFormat,
    Tags(TagReason),
    /// Tokens of the request's input, and the most that the model reads.
    WindowTooSmall {
        window: u64,
        needed: u64,
    },
}

/// Why the tags of a deployment do not fit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TagReason {
    /// Has a tag that the request excludes by `!`.
    Excluded(Arc<str>),
    /// Lacks a tag that the request requires by `&`.
    Required(Arc<str>),
    /// No tag and no pattern of it fits the request.
    NoneFits,
    /// The request goes to those that are tagged `default`.
    NotDefault,
}

/// A time for which a deployment is reserved.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reserved {
    /// When it ends: `06:00`.
    pub until: Arc<str>,
    /// The IANA name of the zone: `America/New_York`.
    pub zone: Arc<str>,
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Paused => f.write_str("paused"),
            Self::NoModel => f.write_str("its provider has no model of this name"),
            Self::OtherAccessGroup => {
                f.write_str("it is in none of the access groups that are allowed")
            }
            Self::Reserved(reserved) => {
                let Reserved { until, zone } = &**reserved;
                write!(f, "reserved for another team until {until} {zone}")
            }
            Self::NoWebSearch => f.write_str("its model does not search the web"),
            Self::OtherRegion { wanted, own: None } => {
                write!(f, "its region is not known, asked for was {wanted}")
            }
            Self::OtherRegion {
                wanted,
                own: Some(own),
            } => write!(f, "its region is {own}, asked for was {wanted}"),
            Self::NoResponseFormat => f.write_str("its model does not take a response_format"),
            Self::Tags(TagReason::Excluded(tag)) => write!(f, "has the excluded tag {tag}"),
            Self::Tags(TagReason::Required(tag)) => write!(f, "lacks the required tag {tag}"),
            Self::Tags(TagReason::NoneFits) => f.write_str("no tag of it was asked for"),
            Self::Tags(TagReason::NotDefault) => f.write_str("not tagged default"),
            Self::WindowTooSmall { window, needed } => {
                write!(f, "window {window} < {needed}")
            }
        }
    }
}
