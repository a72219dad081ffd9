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

-- When and from where a secret was last used. Apart from the secrets: those in use are few and lie close together here, while
-- each would dirty a page of its own there.
CREATE TABLE secret_use (
    credential TEXT NOT NULL,
    number BIGINT NOT NULL,
    used_at BIGINT NOT NULL,
    used_from TEXT,
    PRIMARY KEY (credential, number)
) WITHOUT ROWID;
INSERT INTO secret_use (credential, number, used_at, used_from)
    SELECT credential, number, last_used_at, last_used_from FROM secret WHERE last_used_at IS NOT NULL;
ALTER TABLE secret DROP COLUMN last_used_at;
ALTER TABLE secret DROP COLUMN last_used_from;
