//! What `/metrics` tells. Series of a deployment are resolved once, so that counting a request is a few atomic additions.
//!
//! Names are LiteLLM's where it has one for the thing; labels are the deployment's (group, model, id, provider) and the operation's route.

use std::sync::Arc;

use prometheus::{
    Counter, CounterVec, Encoder, Histogram, HistogramOpts, HistogramVec, IntCounter,
    IntCounterVec, IntGaugeVec, Opts, Registry, TextEncoder, core::Collector,
};

/// Seconds; LiteLLM's ends, fewer steps.
const BUCKETS: &[f64] = &[
    0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0,
];
/// Seconds that the gateway itself adds.
const OVERHEAD_BUCKETS: &[f64] = &[
    0.000_05, 0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.05, 0.25, 1.0,
];

/// `route` is the operation's path without `/v1`.
const LABELS: &[&str] = &["model_group", "model", "model_id", "api_provider", "route"];

/// The series of the process.
pub struct Metrics {
    registry: Registry,
    requests: IntCounterVec,
    failures: IntCounterVec,
    total: HistogramVec,
    upstream: HistogramVec,
    overhead: HistogramVec,
    first_token: HistogramVec,
    spend: CounterVec,
    input_tokens: IntCounterVec,
    output_tokens: IntCounterVec,
    refused: IntCounterVec,
    unpriced: IntCounterVec,
    cooldowns: Cooldowns,
}

/// A deployment in series of its health: model, id, address, provider.
pub type DeploymentLabels<'a> = [&'a str; 4];

const HEALTH_LABELS: [&str; 4] = ["litellm_model_name", "model_id", "api_base", "api_provider"];

/// Cooldowns by deployment and cause.
#[derive(Clone)]
pub struct Cooldowns(IntCounterVec);

impl Cooldowns {
    /// Counts one of a deployment that failed with `status`.
    pub fn begun(&self, [model, id, api_base, provider]: DeploymentLabels<'_>, status: u16) {
        let status = status.to_string();
        let labels = [model, id, api_base, provider, &status];
        self.0.with_label_values(&labels).inc();
    }
}

/// The resolved series of one deployment.
#[derive(Clone)]
pub struct DeploymentMetrics {
    pub succeeded: IntCounter,
    pub total: Histogram,
    pub upstream: Histogram,
    pub overhead: Histogram,
    pub first_token: Histogram,
    pub spend: Counter,
    pub input_tokens: IntCounter,
    pub output_tokens: IntCounter,
    labels: [Arc<str>; LABELS.len()],
}

impl Metrics {
    /// Registers everything. Fails only when two series share a name.
    pub fn new() -> Result<Self, prometheus::Error> {
        let registry = Registry::new();
        let counter = |name: &str, help: &str, labels: &[&str]| {
            let vec = IntCounterVec::new(Opts::new(name, help), labels)?;
            registry.register(Box::new(vec.clone()))?;
            Ok::<_, prometheus::Error>(vec)
        };
        let histogram = |name: &str, help: &str, buckets: &[f64]| {
            let vec = HistogramVec::new(
                HistogramOpts::new(name, help).buckets(buckets.to_vec()),
                LABELS,
            )?;
            registry.register(Box::new(vec.clone()))?;
            Ok::<_, prometheus::Error>(vec)
        };
        let with_status: Vec<&str> = LABELS.iter().copied().chain(["status_code"]).collect();
        let with_class: Vec<&str> = LABELS
            .iter()
            .copied()
            .chain(["exception_status", "exception_class"])
            .collect();
        let with_cause: Vec<&str> = HEALTH_LABELS
            .into_iter()
            .chain(["exception_status"])
            .collect();
        let spend = CounterVec::new(
            Opts::new("litellm_spend_metric_total", "US dollars spent"),
            LABELS,
        )?;
        registry.register(Box::new(spend.clone()))?;
        Ok(Self {
            requests: counter(
                "litellm_proxy_total_requests_metric_total",
                "Requests that reached a deployment, by the status answered",
                &with_status,
            )?,
            failures: counter(
                "litellm_proxy_failed_requests_metric_total",
                "Requests that reached a deployment and were not answered with success",
                &with_class,
            )?,
            total: histogram(
                "litellm_request_total_latency_metric",
                "Seconds from arrival to the end of the answer",
                BUCKETS,
            )?,
            upstream: histogram(
                "litellm_llm_api_latency_metric",
                "Seconds spent in the upstream call",
                BUCKETS,
            )?,
            overhead: histogram(
                "litellm_overhead_latency_metric",
                "Seconds that the gateway added",
                OVERHEAD_BUCKETS,
            )?,
            first_token: histogram(
                "litellm_llm_api_time_to_first_token_metric",
                "Seconds to a stream's first content",
                BUCKETS,
            )?,
            input_tokens: counter("litellm_input_tokens_metric_total", "Input tokens", LABELS)?,
            output_tokens: counter(
                "litellm_output_tokens_metric_total",
                "Output tokens",
                LABELS,
            )?,
            refused: counter(
                "pointsman_refused_requests_total",
                "Requests that were refused before any deployment was called, by the type of the error",
                &["type"],
            )?,
            unpriced: counter(
                "pointsman_unpriced_requests_total",
                "Requests booked at 0 because nobody knows their model's price",
                LABELS,
            )?,
            cooldowns: Cooldowns(counter(
                "litellm_deployment_cooled_down_total",
                "Times that a deployment was left out after failures, by the status it failed with",
                &with_cause,
            )?),
            spend,
            registry,
        })
    }

    /// The series of one deployment's calls of one operation: values of the labels in their order.
    pub fn deployment(&self, values: [&str; LABELS.len()]) -> DeploymentMetrics {
        let labels = values.map(Into::into);
        let [group, model, id, provider, route] = values;
        let with_status = [group, model, id, provider, route, "200"];
        DeploymentMetrics {
            succeeded: self.requests.with_label_values(&with_status),
            total: self.total.with_label_values(&values),
            upstream: self.upstream.with_label_values(&values),
            overhead: self.overhead.with_label_values(&values),
            first_token: self.first_token.with_label_values(&values),
            spend: self.spend.with_label_values(&values),
            input_tokens: self.input_tokens.with_label_values(&values),
            output_tokens: self.output_tokens.with_label_values(&values),
            labels,
        }
    }

    /// Counts a request that a deployment failed.
    pub fn failed(&self, deployment: &DeploymentMetrics, status: u16, class: &str) {
        let [group, model, id, provider, route] =
            deployment.labels.each_ref().map(|label| &**label);
        let status = status.to_string();
        self.requests
            .with_label_values(&[group, model, id, provider, route, &status])
            .inc();
        self.failures
            .with_label_values(&[group, model, id, provider, route, &status, class])
            .inc();
    }

    /// Counts a request that was booked without a price.
    pub fn unpriced(&self, deployment: &DeploymentMetrics) {
        let labels = deployment.labels.each_ref().map(|label| &**label);
        self.unpriced.with_label_values(&labels).inc();
    }

    /// Where cooldowns are counted.
    pub fn cooldowns(&self) -> Cooldowns {
        self.cooldowns.clone()
    }

    /// Counts a request that was refused here.
    pub fn refused(&self, kind: &str) {
        self.refused.with_label_values(&[kind]).inc();
    }

    /// The text format of Prometheus, `gauges` (name, help, value) and the deployments' states included: 0 healthy, 1 the last
    /// call failed, 2 left out.
    pub fn render<'a>(
        &self,
        gauges: &[(&str, &str, f64)],
        states: impl IntoIterator<Item = (DeploymentLabels<'a>, i64)>,
    ) -> String {
        let mut out = Vec::new();
        let mut families = self.registry.gather();
        families.extend(of_states(states));
        if let Err(error) = TextEncoder::new().encode(&families, &mut out) {
            log::error!("metrics: {error}");
        }
        let mut text = String::from_utf8(out).unwrap_or_default();
        for (name, help, value) in gauges {
            text.push_str(&format!(
                "# HELP {name} {help}\n# TYPE {name} gauge\n{name} {value}\n"
            ));
        }
        text
    }
}

/// Made anew each time, so that deployments that are gone leave no series behind.
fn of_states<'a>(
    states: impl IntoIterator<Item = (DeploymentLabels<'a>, i64)>,
) -> Vec<prometheus::proto::MetricFamily> {
    let opts = Opts::new(
        "litellm_deployment_state",
        "0: healthy, 1: its last call failed, 2: left out after failures",
    );
    let made = IntGaugeVec::new(opts, &HEALTH_LABELS);
    let made = made.inspect_err(|error| log::error!("metrics: {error}"));
    made.map_or_else(
        |_| Vec::new(),
        |vec| {
            for (labels, state) in states {
                vec.with_label_values(&labels).set(state);
            }
            vec.collect()
        },
    )
}
