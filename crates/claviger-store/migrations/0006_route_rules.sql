-- What requests to an API take, as JSON: a list that is read and replaced as a whole.
ALTER TABLE api ADD COLUMN route_rules TEXT NOT NULL DEFAULT '[]';
