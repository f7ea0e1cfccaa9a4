//! Secrets that tests plant, and the search for them where they must not be.

use std::path::Path;

/// The key that deployments of these tests carry.
pub const PROVIDER_KEY: &str = "sk-provider-7d1f0c55b2e94a6fPLANTED";

/// The prompt of these tests.
pub const PROMPT: &str = "PLANTED-PROMPT: what the blue locomotive told nobody";

/// Where a secret was found.
pub fn search<'a>(
    place: &str,
    bytes: &[u8],
    secrets: impl IntoIterator<Item = &'a str>,
) -> Vec<String> {
    let mut found = Vec::new();
    for secret in secrets {
        if let Some(at) = memchr::memmem::find(bytes, secret.as_bytes()) {
            let from = bytes[..at]
                .iter()
                .rposition(|byte| *byte == b'\n')
                .map_or(0, |at| at + 1);
            let until = (at + secret.len() + 80).min(bytes.len());
            let line = String::from_utf8_lossy(&bytes[from.max(at.saturating_sub(200))..until]);
            found.push(format!("{secret} in {place}: …{line}…"));
        }
    }
    found
}

/// Searches every file below a folder.
pub fn search_files<'a>(
    folder: &Path,
    secrets: &(impl IntoIterator<Item = &'a str> + Clone),
) -> Vec<String> {
    let mut found = Vec::new();
    let Ok(entries) = std::fs::read_dir(folder) else {
        return found;
    };
    for entry in entries.flatten() {
        let path = entry.path();
        if path.is_dir() {
            found.extend(search_files(&path, secrets));
        } else if let Ok(bytes) = std::fs::read(&path) {
            found.extend(search(&path.display().to_string(), &bytes, secrets.clone()));
        }
    }
    found
}
