//! `metadata.lar1`: how sure a request's agent is, in the words of the LAR-1 protocol.

use serde_json::Value;

use crate::policy::strategies::lar1::Said;

const TIMES: [&str; 4] = ["NOW", "MEM", "CTX", "PRE"];
const EVIDENCE: [&str; 4] = ["SYNTH", "RETRIEVED", "UNVERIFIED", "CONFIRMED"];

/// What is written there. What the protocol does not have is as if nothing was said: a hint is no reason to refuse a request.
pub fn read(written: &Value) -> Said {
    said(written).unwrap_or_else(|| {
        log::debug!("metadata.lar1 is none of the LAR-1 protocol");
        Said::default()
    })
}

fn said(written: &Value) -> Option<Said> {
    let written = written.as_object()?;
    let usual = Said::default();
    let confidence = match written.get("confidence") {
        None => usual.confidence,
        Some(confidence) => confidence.as_f64()? as f32,
    };
    let time = match written.get("time") {
        None => TIMES[0],
        Some(time) => time.as_str()?,
    };
    let evidence: Vec<&str> = match written.get("evidence") {
        None => Vec::new(),
        Some(evidence) => {
            let kinds = evidence.as_array()?.iter().map(Value::as_str);
            kinds.collect::<Option<_>>()?
        }
    };
    let is_known = TIMES.contains(&time) && evidence.iter().all(|kind| EVIDENCE.contains(kind));
    (is_known && (0.0..=1.0).contains(&confidence)).then(|| Said {
        confidence,
        is_unverified: evidence.contains(&"UNVERIFIED"),
        is_memory: time == "MEM",
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_written() {
        let of = |confidence, is_unverified, is_memory| Said {
            confidence,
            is_unverified,
            is_memory,
        };
        for (written, expected) in [
            (json!({}), Said::default()),
            (
                json!({"confidence": 0.9, "act": "INF"}),
                of(0.9, false, false),
            ),
            (
                json!({"confidence": 1, "evidence": ["SYNTH", "UNVERIFIED"], "time": "MEM"}),
                of(1.0, true, true),
            ),
            (json!({"confidence": 7, "time": "MEM"}), Said::default()),
            (json!({"time": "LATER"}), Said::default()),
            (json!({"evidence": "UNVERIFIED"}), Said::default()),
            (json!("sure"), Said::default()),
        ] {
            assert_eq!(read(&written), expected, "{written}");
        }
    }
}
