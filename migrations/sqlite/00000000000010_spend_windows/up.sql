-- What was spent in the present windows of budgets of providers, deployments and tags.

CREATE TABLE spend_windows (
    budget  TEXT   NOT NULL PRIMARY KEY, -- its key: provider_spend:openai
    ends_at BIGINT NOT NULL, -- milliseconds since the Unix epoch
    spent   BIGINT NOT NULL  -- nano-dollars
);
