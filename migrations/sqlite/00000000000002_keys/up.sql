-- Schema 2: what keys are made, changed, rotated and deleted with.

ALTER TABLE keys ADD COLUMN soft_budget BIGINT;
ALTER TABLE keys ADD COLUMN key_type TEXT;
ALTER TABLE keys ADD COLUMN allowed_routes TEXT NOT NULL DEFAULT '[]'; -- a JSON list, read with the row
ALTER TABLE keys ADD COLUMN rotation_count BIGINT NOT NULL DEFAULT 0;
ALTER TABLE keys ADD COLUMN last_rotation_at BIGINT;

CREATE INDEX keys_created ON keys (created_at, token_hash);
-- Budgets that begin anew.
CREATE INDEX keys_budget_reset ON keys (budget_reset_at);
CREATE INDEX users_budget_reset ON users (budget_reset_at);
CREATE INDEX teams_budget_reset ON teams (budget_reset_at);

-- Former hashes of keys that were regenerated. Until revoke_at the former secret is still good; after it the row stays, so
-- that calls which began under the former hash are charged to the key whenever they are booked.
CREATE TABLE retired_keys (
    old_hash   TEXT   NOT NULL PRIMARY KEY,
    token_hash TEXT   NOT NULL REFERENCES keys (token_hash) ON UPDATE CASCADE ON DELETE CASCADE,
    revoke_at  BIGINT NOT NULL,
    created_at BIGINT NOT NULL
);
CREATE INDEX retired_keys_active ON retired_keys (token_hash);

-- The archive. document is the key as the API shows it.
CREATE TABLE deleted_keys (
    id             TEXT   NOT NULL PRIMARY KEY, -- UUIDv7
    token_hash     TEXT   NOT NULL,
    key_alias      TEXT,
    user_id        TEXT,
    team_id        TEXT,
    document       TEXT   NOT NULL,
    deleted_at     BIGINT NOT NULL,
    deleted_by     TEXT,
    deleted_by_key TEXT
);
CREATE INDEX deleted_keys_deleted ON deleted_keys (deleted_at, id);
CREATE INDEX deleted_keys_token ON deleted_keys (token_hash);
