-- What a request says about itself for the books.

ALTER TABLE spend_logs ADD COLUMN user_agent_ref INTEGER;
ALTER TABLE spend_logs ADD COLUMN labels TEXT; -- JSON: tags, session_id, spend_logs_metadata; NULL: none of them
