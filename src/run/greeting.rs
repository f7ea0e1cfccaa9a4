//! What a person sees who started the gateway without a configuration: where it is, the key, and what to try.

use std::fmt::Write as _;
use std::io::Write as _;
use std::net::SocketAddr;
use std::path::Path;

use super::master_key::{self, MasterKey};

/// What there is to tell.
pub struct Greeting<'a> {
    /// Where it listens.
    pub address: SocketAddr,
    /// It speaks TLS.
    pub is_tls: bool,
    /// `SERVER_ROOT_PATH`, empty or with a slash in front.
    pub root_path: &'a str,
    pub master_key: &'a MasterKey,
    pub data_dir: &'a Path,
    /// The salt key's file, when it was made at this start.
    pub salt_key: Option<&'a Path>,
    /// The model of the examples.
    pub model: &'a str,
    pub is_demo: bool,
    /// Below the root path; `None` when the pages are switched off.
    pub docs_path: Option<&'a str>,
}

impl Greeting<'_> {
    /// The whole text. The key, when it is shown, stands in it once.
    pub fn text(&self) -> String {
        let Self {
            root_path, model, ..
        } = self;
        let host = match self.address.ip() {
            ip if ip.is_unspecified() || ip.is_loopback() => "localhost".to_owned(),
            std::net::IpAddr::V6(ip) => format!("[{ip}]"),
            ip => ip.to_string(),
        };
        let scheme = if self.is_tls { "https" } else { "http" };
        let base = format!("{scheme}://{host}:{}{root_path}", self.address.port());
        let mut text = format!(
            "\npointsman {} listens on {base}\n\n",
            env!("CARGO_PKG_VERSION")
        );
        let mut line = |line: &str| {
            // Writing to a String cannot fail.
            let _ = writeln!(text, "{line}");
        };
        let variable = match self.master_key {
            MasterKey::Configured(_) | MasterKey::Missing => "LITELLM_MASTER_KEY",
            MasterKey::Fresh(_) | MasterKey::Kept(_) => "POINTSMAN_KEY",
        };
        match self.master_key {
            MasterKey::Fresh(key) => {
                line("The master key, shown only now. Keep it:\n");
                line(&format!("    export {variable}={}\n", key.expose()));
                line(&format!(
                    "Only its hash is stored, in {}.",
                    master_key::file(self.data_dir).display()
                ));
                line("`pointsman master-key rotate` makes another one.");
            }
            MasterKey::Kept(_) => {
                line(
                    "The master key is the one that was shown when it was made; it cannot be shown again.",
                );
                line(
                    "`pointsman master-key rotate` makes another one. Below it is expected in a variable:\n",
                );
                line(&format!("    export {variable}=…"));
            }
            MasterKey::Configured(_) => line("The master key is the one in LITELLM_MASTER_KEY."),
            MasterKey::Missing => {
                line("There is no master key: whoever reaches the port may call.")
            }
        }
        if let Some(path) = self.salt_key {
            line(&format!(
                "Secrets in the database will be encrypted with {}: back it up with the database.",
                path.display()
            ));
        }
        line("\nTry it:\n");
        line(&format!("    curl {base}/v1/chat/completions \\"));
        line(&format!(
            "      -H \"Authorization: Bearer ${variable}\" -H \"Content-Type: application/json\" \\"
        ));
        line(&format!(
            "      -d '{{\"model\": \"{model}\", \"messages\": [{{\"role\": \"user\", \"content\": \"Hello!\"}}]}}'"
        ));
        line("\nThe same in Python (pip install openai):\n");
        line("    import os");
        line("    from openai import OpenAI");
        line(&format!(
            "    client = OpenAI(base_url=\"{base}/v1\", api_key=os.environ[\"{variable}\"])"
        ));
        line(&format!(
            "    answer = client.chat.completions.create(model=\"{model}\", messages=[{{\"role\": \"user\", \"content\": \"Hello!\"}}])"
        ));
        line("    print(answer.choices[0].message.content)\n");
        if let Some(path) = self.docs_path {
            line(&format!("All routes:    {base}{path}"));
        }
        if self.is_demo {
            line("A real model:  OPENAI_API_KEY=… pointsman --model openai/gpt-4o");
        }
        line(
            "Many models:   pointsman --config config.yaml   (`pointsman check config.yaml` first)",
        );
        text
    }
}

/// Prints for people. A closed output is no reason to stop.
pub fn say(text: &str) {
    let mut out = std::io::stdout().lock();
    let _ = writeln!(out, "{text}");
    let _ = out.flush();
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::{KeyHash, Secret};

    fn text(master_key: &MasterKey, address: &str) -> String {
        Greeting {
            address: address.parse().unwrap(),
            is_tls: false,
            root_path: "/llm",
            master_key,
            data_dir: Path::new("d"),
            salt_key: Some(Path::new("d/salt.key")),
            model: "demo",
            is_demo: true,
            docs_path: Some("/"),
        }
        .text()
    }

    #[test]
    fn a_new_key_is_shown_once() {
        let fresh = text(&MasterKey::Fresh(Secret::new("sk-NEW")), "0.0.0.0:4000");
        assert_eq!(fresh.matches("sk-NEW").count(), 1, "{fresh}");
        assert!(
            fresh.contains("http://localhost:4000/llm/v1/chat/completions"),
            "{fresh}"
        );
        assert!(
            fresh.contains("All routes:    http://localhost:4000/llm/\n"),
            "{fresh}"
        );
        assert!(
            fresh.contains("d/salt.key") && fresh.contains("d/master-key.sha256"),
            "{fresh}"
        );
    }

    #[test]
    fn other_keys_are_not_shown() {
        let configured = text(
            &MasterKey::Configured(Secret::new("sk-OWN")),
            "[2001:db8::1]:80",
        );
        assert!(!configured.contains("sk-OWN"), "{configured}");
        assert!(
            configured.contains("http://[2001:db8::1]:80/llm"),
            "{configured}"
        );
        let hash = KeyHash::of("sk-OLD");
        let kept = text(&MasterKey::Kept(hash), "192.0.2.1:80");
        assert!(
            kept.contains("master-key rotate") && !kept.contains(&hash.to_string()),
            "{kept}"
        );
    }
}
