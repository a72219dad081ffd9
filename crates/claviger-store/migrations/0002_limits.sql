-- How often something may be used, as JSON: {"rate_limits": [{name, limit, window_seconds}], "quota": {limit, period}}.
ALTER TABLE organization ADD COLUMN limits TEXT;
ALTER TABLE service_account ADD COLUMN limits TEXT;
ALTER TABLE api_key ADD COLUMN limits TEXT;

-- What was used of a quota, by who carries it (its id) and the start of the period in milliseconds.
CREATE TABLE quota_use (
    holder TEXT NOT NULL,
    period BIGINT NOT NULL,
    used BIGINT NOT NULL,
    PRIMARY KEY (holder, period)
) WITHOUT ROWID;
CREATE INDEX quota_use_period ON quota_use (period);

-- Where a gateway may find a credential for an API, besides the usual headers.
ALTER TABLE api ADD COLUMN accept_basic BIGINT NOT NULL DEFAULT 0;
ALTER TABLE api ADD COLUMN query_parameter TEXT;
