//! What a route asks of its caller. LiteLLM's matrix: a role that no rule lets through is refused.

use crate::types::Role;

/// Declared by every route; a route without one cannot be listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Permission {
    /// No credential is looked at.
    Public,
    /// Calls a model. Viewers of the whole proxy may not.
    Inference,
    /// Tells a caller about itself; the handler limits what is shown.
    Information,
    /// Makes and changes keys: administrators, and users for themselves.
    OwnKeys,
    /// Adds and changes models: administrators. Users pass this gate to hear from the handler what they may.
    OwnModels,
    /// Sees keys: administrators and viewers all of them, users their own.
    SeeKeys,
    /// Reads what concerns the whole proxy: administrators, and viewers of everything.
    Administration,
    /// Changes what concerns the whole proxy: administrators alone.
    Reconfiguration,
    /// Reads spend: administrators and viewers all of it, users their own.
    OwnSpend,
}

/// How a refusal is worded and which status it has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// 401, the text for administrators' routes.
    AdminOnly,
    /// 403, the text for viewers.
    Viewer,
}

impl Permission {
    /// Whether `role` may use a route of this kind.
    pub const fn check(self, role: Role) -> Result<(), Refused> {
        match (self, role) {
            (Self::Public | Self::Information, _) | (_, Role::ProxyAdmin) => Ok(()),
            (
                Self::Inference | Self::OwnKeys | Self::OwnModels | Self::Reconfiguration,
                Role::ProxyAdminViewer,
            ) => Err(Refused::Viewer),
            (Self::Inference, _) => Ok(()),
            (Self::OwnKeys | Self::OwnModels | Self::SeeKeys, Role::InternalUser)
            | (Self::SeeKeys | Self::Administration, Role::ProxyAdminViewer) => Ok(()),
            (
                Self::OwnKeys
                | Self::OwnModels
                | Self::SeeKeys
                | Self::Administration
                | Self::Reconfiguration,
                _,
            ) => Err(Refused::AdminOnly),
            (Self::OwnSpend, Role::Unknown) => Err(Refused::AdminOnly),
            (Self::OwnSpend, _) => Ok(()),
        }
    }
}
