//! Virtual keys: `/key/*`, LiteLLM's routes.
//!
//! One file a route or a pair of them. `fields` knows what a body may say and what is not kept yet, `within_own` what a user
//! may give a key, `find` whose key it is, `shown` what a key looks like from outside, `apply` who must be told of a change.
//! A secret is answered by the request that made it and never again; nothing here may log one.

mod apply;
mod block;
mod changes;
mod checked;
mod delete;
mod fields;
mod find;
mod generate;
mod info;
mod list;
mod regenerate;
mod shown;
mod update;
mod within_own;

pub(super) use find::hash_of;
pub(super) use within_own::{is_admin, own_id, sees_all};

use crate::auth::Permission;
use crate::http::about::Tag;
use crate::http::route::{Route, guarded};

/// See [`crate::http::routes`].
pub const ROUTES: &[Route] = &[
    Route::post("/key/generate", Permission::OwnKeys, |gate| {
        guarded(gate, generate::generate)
    })
    .about(
        Tag::Keys,
        "Makes a virtual key; its text is returned this once.",
    )
    .optional_body::<generate::GenerateKeyRequest>()
    .errors(&[404])
    .written_answer("KeyWithSecret"),
    Route::post("/key/update", Permission::OwnKeys, |gate| {
        guarded(gate, update::update)
    })
    .about(
        Tag::Keys,
        "Changes a key: fields that are absent stay as they are, null empties them.",
    )
    .body::<update::UpdateKeyRequest>()
    .errors(&[404])
    .written_answer("Key"),
    Route::post("/key/delete", Permission::OwnKeys, |gate| {
        guarded(gate, delete::delete)
    })
    .about(
        Tag::Keys,
        "Deletes keys by text, hash or alias; they go to the archive.",
    )
    .body::<delete::DeleteKeysRequest>()
    .errors(&[404])
    .written_answer("DeletedKeys"),
    Route::get("/key/info", Permission::Information, |gate| {
        guarded(gate, info::info)
    })
    .about(
        Tag::Keys,
        "Tells about a key: the caller's own, or the one named by `key`.",
    )
    .query::<info::KeyInfoQuery>()
    .errors(&[404])
    .written_answer("KeyInfo"),
    Route::post("/v2/key/info", Permission::Information, |gate| {
        guarded(gate, info::info_of_several)
    })
    .about(Tag::Keys, "Tells about several keys.")
    .body::<info::KeysRequest>()
    .written_answer("KeyInfos"),
    Route::get("/key/list", Permission::Information, |gate| {
        guarded(gate, list::list)
    })
    .about(
        Tag::Keys,
        "Lists keys page by page: all for administrators, their own for users.",
    )
    .query::<list::KeyListQuery>()
    .written_answer("KeyPage"),
    Route::get("/key/aliases", Permission::SeeKeys, |gate| {
        guarded(gate, list::aliases)
    })
    .about(Tag::Keys, "Lists the aliases in use.")
    .query::<list::KeyAliasesQuery>()
    .written_answer("KeyAliasPage"),
    Route::post("/key/block", Permission::OwnKeys, |gate| {
        guarded(gate, block::block)
    })
    .about(Tag::Keys, "Blocks a key from the next request on.")
    .body::<block::BlockKeyRequest>()
    .errors(&[404])
    .written_answer("Key"),
    Route::post("/key/unblock", Permission::OwnKeys, |gate| {
        guarded(gate, block::unblock)
    })
    .about(Tag::Keys, "Lets a blocked key in again.")
    .body::<block::BlockKeyRequest>()
    .errors(&[404])
    .written_answer("Key"),
    Route::post("/key/regenerate", Permission::OwnKeys, |gate| {
        guarded(gate, regenerate::regenerate)
    })
    .about(
        Tag::Keys,
        "Gives a key a new secret; all else stays, or is changed by the same request.",
    )
    .query::<regenerate::RegenerateKeyQuery>()
    .optional_body::<regenerate::RegenerateKeyRequest>()
    .errors(&[404])
    .written_answer("KeyWithSecret"),
    Route::post("/key/{key:.+}/regenerate", Permission::OwnKeys, |gate| {
        guarded(gate, regenerate::regenerate)
    })
    .about(
        Tag::Keys,
        "Gives a key a new secret; all else stays, or is changed by the same request.",
    )
    .optional_body::<regenerate::RegenerateKeyRequest>()
    .errors(&[404])
    .written_answer("KeyWithSecret"),
    Route::post("/key/{key:.+}/reset_spend", Permission::OwnKeys, |gate| {
        guarded(gate, update::reset_spend)
    })
    .about(Tag::Keys, "Sets what a key has spent to a lower amount.")
    .body::<update::ResetSpendRequest>()
    .errors(&[404])
    .written_answer("SpendReset"),
];
