//! Where the model that a request asks for leads.

use super::asked::Asked;
use super::failure::Failure;
use crate::policy::access;
use crate::router::{Asker, Astray, Destination, RoutingTable};
use crate::types::Principal;

/// Where `model` leads whoever asks for it so.
pub fn destination(
    table: &RoutingTable,
    principal: &Principal,
    asked: &Asked,
    model: &str,
) -> Result<Destination, Astray> {
    if let Some(led) = &asked.led {
        return Ok(led.destination.clone());
    }
    let asker = Asker::of(principal);
    let name = access::target(principal, model);
    if asked.names_deployment {
        return table.resolve_model(name, asker);
    }
    match table.resolve(name, asker) {
        // The first of `default_fallbacks` serves names that a wildcard could have stood for (LiteLLM 1.106.2).
        Err(Astray::FitsNoPattern) => {
            let default = table.failover.fallbacks.default_target();
            let default = default.and_then(|name| table.resolve(name, asker).ok());
            default.ok_or(Astray::FitsNoPattern)
        }
        found => found,
    }
}

/// What somebody is told whose `model` leads nowhere.
pub fn lost(astray: Astray, model: String) -> Failure {
    match astray {
        Astray::Unknown => Failure::UnknownModel(Some(model)),
        Astray::FitsNoPattern => Failure::NoDeploymentOfName(model),
        Astray::OfSeveralTeams => Failure::OfSeveralTeams(model),
        Astray::LedNowhere => Failure::LedNowhere(model),
    }
}
