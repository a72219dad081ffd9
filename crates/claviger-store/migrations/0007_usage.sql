-- In the order in which hours become days: PostgreSQL would sort all of an hour for each part of it.
DROP INDEX usage_hour_hour;
CREATE INDEX usage_hour_hour ON usage_hour (hour, credential, code);

-- Use of days whose hours nobody needs any more: what stood in usage_hour is added here and taken away there, at once.
CREATE TABLE usage_day (
    credential TEXT NOT NULL,
    day BIGINT NOT NULL,
    code TEXT NOT NULL,
    uses BIGINT NOT NULL,
    PRIMARY KEY (credential, day, code)
) WITHOUT ROWID;
CREATE INDEX usage_day_day ON usage_day (day);

-- The same use, summed over an organization's credentials: a picture of it costs the same however many they are.
CREATE TABLE organization_usage_hour (
    organization TEXT NOT NULL,
    hour BIGINT NOT NULL,
    code TEXT NOT NULL,
    uses BIGINT NOT NULL,
    PRIMARY KEY (organization, hour, code)
) WITHOUT ROWID;
CREATE INDEX organization_usage_hour_hour ON organization_usage_hour (hour, organization, code);
CREATE TABLE organization_usage_day (
    organization TEXT NOT NULL,
    day BIGINT NOT NULL,
    code TEXT NOT NULL,
    uses BIGINT NOT NULL,
    PRIMARY KEY (organization, day, code)
) WITHOUT ROWID;
CREATE INDEX organization_usage_day_day ON organization_usage_day (day);
INSERT INTO organization_usage_hour (organization, hour, code, uses)
    SELECT k.organization, u.hour, u.code, CAST(SUM(u.uses) AS BIGINT)
    FROM usage_hour u JOIN credential k ON k.id = u.credential GROUP BY k.organization, u.hour, u.code;

-- By which the busiest credentials of a time are found. It is written seldom, and only which they are is taken from here.
CREATE TABLE usage_rank (
    organization TEXT NOT NULL,
    credential TEXT NOT NULL,
    day BIGINT NOT NULL,
    kind TEXT NOT NULL,
    uses BIGINT NOT NULL,
    PRIMARY KEY (organization, credential, day)
) WITHOUT ROWID;
INSERT INTO usage_rank (organization, credential, day, kind, uses)
    SELECT k.organization, u.credential, u.hour - u.hour % 86400000, k.kind, CAST(SUM(u.uses) AS BIGINT)
    FROM usage_hour u JOIN credential k ON k.id = u.credential
    WHERE u.hour >= (SELECT COALESCE(MAX(hour), 0) FROM usage_hour) - 33 * CAST(86400000 AS BIGINT)
    GROUP BY k.organization, u.credential, u.hour - u.hour % 86400000, k.kind;
CREATE INDEX usage_rank_most ON usage_rank (day, organization, kind, uses);

-- Access tokens by the client (a service account) that they were issued to and the grant that it used, and the days that these hours become.
CREATE TABLE issued_hour (
    client TEXT NOT NULL,
    hour BIGINT NOT NULL,
    grant_type TEXT NOT NULL,
    uses BIGINT NOT NULL,
    PRIMARY KEY (client, hour, grant_type)
) WITHOUT ROWID;
CREATE INDEX issued_hour_hour ON issued_hour (hour, client, grant_type);
CREATE TABLE issued_day (
    client TEXT NOT NULL,
    day BIGINT NOT NULL,
    grant_type TEXT NOT NULL,
    uses BIGINT NOT NULL,
    PRIMARY KEY (client, day, grant_type)
) WITHOUT ROWID;
CREATE INDEX issued_day_day ON issued_day (day);

-- What each process that counts wrote last (at: when, in milliseconds): if it is not told so, it can ask before it writes the same again.
CREATE TABLE usage_flush (
    writer TEXT PRIMARY KEY,
    at BIGINT NOT NULL
) WITHOUT ROWID;

-- The few that are stopped or ended, by age and by name: among many that are neither they are far between.
CREATE INDEX credential_revoked_age ON credential (organization, kind, id) WHERE revoked_at IS NOT NULL;
CREATE INDEX credential_disabled_age ON credential (organization, kind, id)
    WHERE revoked_at IS NULL AND disabled_at IS NOT NULL;
CREATE INDEX credential_revoked ON credential (organization, kind, LOWER(name), id) WHERE revoked_at IS NOT NULL;
CREATE INDEX credential_disabled ON credential (organization, kind, LOWER(name), id)
    WHERE revoked_at IS NULL AND disabled_at IS NOT NULL;
