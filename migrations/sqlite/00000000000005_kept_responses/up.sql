-- Conversations behind response ids, for upstreams that keep none. What was said is sealed (see src/vault).

CREATE TABLE kept_responses (
    response_id BLOB   NOT NULL PRIMARY KEY, -- the ledger id of the call that made it
    previous_id BLOB,                        -- the response that it follows; it may be gone
    created_at  BIGINT NOT NULL, -- milliseconds since the Unix epoch
    expires_at  BIGINT NOT NULL, -- the same; goes after it, once nothing follows it any more
    content     BLOB   NOT NULL  -- sealed: what this turn was asked and what was answered
);
CREATE INDEX kept_responses_previous ON kept_responses (previous_id);
CREATE INDEX kept_responses_expiry ON kept_responses (expires_at);
