-- Deployments that were added while the gateway ran. Every text in litellm_params is sealed (see src/models).

CREATE TABLE models (
    model_id       TEXT    NOT NULL PRIMARY KEY, -- the deployment's id
    model_name     TEXT    NOT NULL,
    litellm_params TEXT    NOT NULL, -- JSON
    model_info     TEXT    NOT NULL, -- JSON
    blocked        BOOLEAN NOT NULL, -- paused
    created_at     BIGINT  NOT NULL, -- milliseconds since the Unix epoch
    created_by     TEXT,
    updated_at     BIGINT  NOT NULL, -- the same; grows with every change
    updated_by     TEXT
);
