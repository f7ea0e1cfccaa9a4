//! Models of the database: added, changed, paused and deleted while the gateway runs.

mod changes;
mod instances;
mod refusals;
mod under_load;

use crate::harness::{Client, Config, Gateway, PROVIDER_KEY, Reply, Request, Value, json};
use crate::simulator::Simulator;

/// The file serves `of-file`; the database may serve more.
fn config(simulator: &Simulator) -> Config {
    Config::single(simulator, "of-file").general("store_model_in_db", true)
}

fn gateway(simulator: &Simulator) -> Gateway {
    Gateway::of(&config(simulator))
}

/// What `/model/new` is sent: the group `name` from the simulator's model of that name, under the id `name`.
fn model(simulator: &Simulator, name: &str) -> Value {
    json!({
        "model_name": name,
        "litellm_params": {"model": format!("openai/{name}"), "api_base": simulator.base_url(), "api_key": PROVIDER_KEY},
        "model_info": {"id": name},
    })
}

#[track_caller]
fn add(caller: &Client, model: &Value) -> Value {
    caller.post("/model/new", model).with_status(200).json()
}

fn update(caller: &Client, id: &str, fields: Value) -> Reply {
    let mut body = fields;
    body["model_info"]["id"] = json!(id);
    caller.post("/model/update", &body)
}

fn patch(caller: &Client, id: &str, fields: &Value) -> Reply {
    let path = format!("/model/{id}/update");
    caller.ask(Request {
        method: "PATCH".into(),
        ..Request::post(&path, fields.to_string())
    })
}

fn delete(caller: &Client, id: &str) -> Reply {
    caller.post("/model/delete", &json!({"id": id}))
}

/// What `/model/info` tells of a model, if it knows it.
fn told(caller: &Client, id: &str) -> Option<Value> {
    let reply = caller.get(&format!("/model/info?litellm_model_id={id}"));
    (reply.status == 200).then(|| reply.json()["data"][0].clone())
}
