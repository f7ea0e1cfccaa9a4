-- What checks of deployments have found, and which instance checks for all.

CREATE TABLE health_checks (
    id          BLOB    NOT NULL PRIMARY KEY, -- a UUID of version 7
    model_id    TEXT    NOT NULL, -- the deployment
    model_name  TEXT    NOT NULL, -- its group
    model       TEXT    NOT NULL, -- its `litellm_params.model`
    is_healthy  BOOLEAN NOT NULL,
    status      INTEGER,          -- HTTP, as a client would get it; NULL: it works
    error       TEXT,
    rate_limits TEXT    NOT NULL, -- a JSON object: what its provider says is left
    took_us     BIGINT  NOT NULL, -- microseconds
    by_schedule BOOLEAN NOT NULL, -- by the background, not by a caller
    checked_at  BIGINT  NOT NULL  -- milliseconds since the Unix epoch
);
CREATE INDEX health_checks_of_model ON health_checks (model_id, checked_at);
CREATE INDEX health_checks_time ON health_checks (checked_at);

CREATE TABLE health_rounds (
    name       TEXT   NOT NULL PRIMARY KEY,
    holder     TEXT   NOT NULL, -- the instance that checks, or did last
    held_until BIGINT NOT NULL, -- milliseconds since the Unix epoch; others may begin then
    began_at   BIGINT NOT NULL  -- the same: when the last round that is complete began; 0: there was none
);
