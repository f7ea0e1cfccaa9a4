//! Turns of kept conversations: as the other rooms know them, and sealed, as the table has them.

use std::io::{Read, Write};

use bytes::Bytes;
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Binary, Nullable};
use flate2::Compression;
use flate2::read::ZlibDecoder;
use flate2::write::ZlibEncoder;
use serde::{Deserialize, Serialize};

use super::super::StoreError;
use super::super::schema::kept_responses;
use crate::types::LedgerId;
use crate::vault::{Purpose, Vault};

/// One request and its answer, as clients may refer to it.
#[derive(Clone, PartialEq, Eq)]
pub struct KeptTurn {
    /// Of the call that made it; what its response id seals.
    pub id: LedgerId,
    /// The turn that it follows.
    pub previous: Option<LedgerId>,
    /// Milliseconds since the Unix epoch.
    pub created_at: i64,
    /// The same; later it is as if it had never been, unless another turn follows it.
    pub expires_at: i64,
    /// A JSON array: what this request itself brought.
    pub input: Bytes,
    /// The whole answer, a JSON object.
    pub answer: Bytes,
}

/// A row of `kept_responses`.
#[derive(Clone, Debug, Insertable, QueryableByName)]
#[diesel(table_name = kept_responses, treat_none_as_default_value = false)]
pub(in crate::store) struct KeptRow {
    #[diesel(sql_type = Binary)]
    pub response_id: Vec<u8>,
    #[diesel(sql_type = Nullable<Binary>)]
    pub previous_id: Option<Vec<u8>>,
    #[diesel(sql_type = BigInt)]
    pub created_at: i64,
    #[diesel(sql_type = BigInt)]
    pub expires_at: i64,
    #[diesel(sql_type = Binary)]
    pub content: Vec<u8>,
}

#[derive(Serialize, Deserialize)]
struct Content<'a> {
    input: &'a [u8],
    answer: &'a [u8],
}

impl KeptTurn {
    /// Bytes of what was said.
    pub fn size(&self) -> usize {
        self.input.len() + self.answer.len()
    }

    pub(in crate::store) fn sealed(&self, vault: &Vault) -> Result<KeptRow, StoreError> {
        let bug = |what: &dyn std::fmt::Display| StoreError::Bug(what.to_string());
        let content = Content {
            input: &self.input,
            answer: &self.answer,
        };
        let mut small = ZlibEncoder::new(Vec::new(), Compression::fast());
        let plain = postcard::to_stdvec(&content).map_err(|error| bug(&error))?;
        small.write_all(&plain).map_err(|error| bug(&error))?;
        let small = small.finish().map_err(|error| bug(&error))?;
        let purpose = Purpose::Conversation(self.id.as_bytes());
        let content = vault
            .seal(purpose, &small)
            .map_err(|error| StoreError::Unavailable(error.to_string()))?;
        Ok(KeptRow {
            response_id: self.id.as_bytes().to_vec(),
            previous_id: self.previous.map(|id| id.as_bytes().to_vec()),
            created_at: self.created_at,
            expires_at: self.expires_at,
            content,
        })
    }
}

impl KeptRow {
    /// `None`: sealed with another salt key, changed, or of more than `most` bytes.
    pub(in crate::store) fn opened(self, vault: &Vault, most: usize) -> Option<KeptTurn> {
        let id = |bytes: Vec<u8>| Some(LedgerId::from_bytes(bytes.try_into().ok()?));
        let small = vault.open(Purpose::Conversation(&self.response_id), &self.content)?;
        let mut plain = Vec::new();
        // A few bytes more than the two texts, for their lengths.
        let most = (most as u64).saturating_add(64);
        ZlibDecoder::new(small.as_slice())
            .take(most)
            .read_to_end(&mut plain)
            .ok()?;
        let content: Content<'_> = postcard::from_bytes(&plain).ok()?;
        Some(KeptTurn {
            id: id(self.response_id)?,
            previous: match self.previous_id {
                Some(previous) => Some(id(previous)?),
                None => None,
            },
            created_at: self.created_at,
            expires_at: self.expires_at,
            input: Bytes::copy_from_slice(content.input),
            answer: Bytes::copy_from_slice(content.answer),
        })
    }
}

impl std::fmt::Debug for KeptTurn {
    /// Never the content.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("KeptTurn")
            .field("id", &self.id)
            .field("previous", &self.previous)
            .field("bytes", &self.size())
            .finish_non_exhaustive()
    }
}
