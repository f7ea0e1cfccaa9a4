-- Rows of calls that spend_logs refused, kept whole, so that the sums of keys, users, teams and days can be accounted for.

CREATE TABLE rejected_spend (
    journal_id   BYTEA    NOT NULL,
    seq          BIGINT  NOT NULL,
    ledger_id    BYTEA    NOT NULL,
    key_hash     TEXT    NOT NULL,
    user_id      TEXT,
    team_id      TEXT,
    started_at   BIGINT  NOT NULL, -- microseconds, as in spend_logs
    spend        BIGINT  NOT NULL,
    money_booked BOOLEAN NOT NULL, -- whether key, user, team and day were charged all the same
    reason       TEXT    NOT NULL, -- what the database said
    document     TEXT    NOT NULL, -- the whole row, JSON
    PRIMARY KEY (journal_id, seq)
);
CREATE INDEX rejected_spend_ledger ON rejected_spend (ledger_id);
