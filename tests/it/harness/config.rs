//! Configurations, written as JSON, which is YAML too.

use serde_json::{Value, json};

use super::secrets::PROVIDER_KEY;
use crate::simulator::Simulator;

/// One entry of `model_list`.
pub struct Deployment(Value);

impl Deployment {
    /// Serves the group `name` from the simulator, whose model has the same name.
    pub fn of(simulator: &Simulator, name: &str) -> Self {
        Self::at(&simulator.base_url(), name)
    }

    /// The same anywhere.
    pub fn at(base_url: &str, name: &str) -> Self {
        Self(json!({
            "model_name": name,
            "litellm_params": {"model": format!("openai/{name}"), "api_base": base_url, "api_key": PROVIDER_KEY},
            "model_info": {"id": format!("id-{name}")},
        }))
    }

    /// Serves another group.
    pub fn group(mut self, name: &str) -> Self {
        self.0["model_name"] = json!(name);
        self
    }

    /// A deployment id of its own.
    pub fn id(mut self, id: &str) -> Self {
        self.0["model_info"]["id"] = json!(id);
        self
    }

    /// A field of `litellm_params`.
    pub fn param(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.0["litellm_params"][name] = value.into();
        self
    }

    pub fn info(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.0["model_info"][name] = value.into();
        self
    }

    /// Prices in dollars a token: input, output.
    pub fn priced(self, input: f64, output: f64) -> Self {
        self.param("input_cost_per_token", input)
            .param("output_cost_per_token", output)
    }
}

/// A whole configuration.
#[derive(Clone)]
pub struct Config(Value);

impl Config {
    pub fn of(deployments: impl IntoIterator<Item = Deployment>) -> Self {
        let list: Vec<Value> = deployments
            .into_iter()
            .map(|deployment| deployment.0)
            .collect();
        Self(json!({
            "model_list": list,
            "general_settings": {"master_key": "os.environ/LITELLM_MASTER_KEY"},
        }))
    }

    /// With more deployments.
    pub fn and(mut self, deployments: impl IntoIterator<Item = Deployment>) -> Self {
        if let Some(list) = self.0["model_list"].as_array_mut() {
            list.extend(deployments.into_iter().map(|deployment| deployment.0));
        }
        self
    }

    /// One group of one deployment that fails at once, and each time, when its upstream does.
    pub fn single(simulator: &Simulator, name: &str) -> Self {
        Self::of([Deployment::of(simulator, name)])
            .router("num_retries", 0)
            .never_cooling()
    }

    /// Deployments are called however often they fail.
    pub fn never_cooling(self) -> Self {
        self.router("disable_cooldowns", true)
    }

    pub fn general(self, name: &str, value: impl Into<Value>) -> Self {
        self.set("general_settings", name, value.into())
    }

    pub fn router(self, name: &str, value: impl Into<Value>) -> Self {
        self.set("router_settings", name, value.into())
    }

    pub fn litellm(self, name: &str, value: impl Into<Value>) -> Self {
        self.set("litellm_settings", name, value.into())
    }

    /// A field of the top level.
    pub fn top(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.0[name] = value.into();
        self
    }

    fn set(mut self, section: &str, name: &str, value: Value) -> Self {
        self.0[section][name] = value;
        self
    }

    pub fn text(&self) -> String {
        self.0.to_string()
    }
}
