-- What the routing of their calls is to be like; a JSON map, read with the row.

ALTER TABLE keys ADD COLUMN router_settings TEXT NOT NULL DEFAULT '{}';
ALTER TABLE teams ADD COLUMN router_settings TEXT NOT NULL DEFAULT '{}';
