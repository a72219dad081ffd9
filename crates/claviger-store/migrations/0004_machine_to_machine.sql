-- Keys that sign tokens. number counts the keys of an algorithm, so that of two who make the next one at once, one succeeds.
-- sealed is the private key; it is erased when the key is removed, while its row stays for a while.
CREATE TABLE signing_key (
    id TEXT PRIMARY KEY,
    algorithm TEXT NOT NULL,
    number BIGINT NOT NULL,
    sealed BLOB,
    created_at BIGINT NOT NULL,
    active_at BIGINT NOT NULL,
    retiring_at BIGINT,
    removed_at BIGINT
);
CREATE UNIQUE INDEX signing_key_number ON signing_key (algorithm, number);

-- How access tokens for an API are made.
ALTER TABLE api ADD COLUMN access_token_ttl BIGINT NOT NULL DEFAULT 600;
ALTER TABLE api ADD COLUMN signing_algorithm TEXT NOT NULL DEFAULT 'ES256';
ALTER TABLE api ADD COLUMN access_token_format TEXT NOT NULL DEFAULT 'jwt';

-- The public origins on which an API answers, separated by spaces; none: that of its identifier.
ALTER TABLE api ADD COLUMN origins TEXT NOT NULL DEFAULT '';

-- What opaque access tokens say: the claims of a JWT, as JSON. Looked up by digest alone, so the digest is the table.
CREATE TABLE access_token (
    digest BLOB PRIMARY KEY,
    pepper BIGINT NOT NULL,
    id TEXT NOT NULL,
    claims TEXT NOT NULL,
    expires_at BIGINT NOT NULL
) WITHOUT ROWID;
CREATE INDEX access_token_end ON access_token (expires_at);

-- Access tokens that ended by themselves before their time.
CREATE TABLE revoked_token (
    id TEXT PRIMARY KEY,
    credential TEXT NOT NULL,
    expires_at BIGINT NOT NULL,
    revoked_at BIGINT NOT NULL
);
CREATE INDEX revoked_token_end ON revoked_token (expires_at);
CREATE INDEX revoked_token_credential ON revoked_token (credential);

-- What was used and counts once: a hash of what for, whose and which. It is kept until it would not count anyway.
CREATE TABLE used_jti (
    key BLOB PRIMARY KEY,
    expires_at BIGINT NOT NULL
) WITHOUT ROWID;
CREATE INDEX used_jti_expires_at ON used_jti (expires_at);
-- How a service account authenticates as an OAuth client, if not by whatever it holds; and whether its assertions may name the
-- token endpoint as their audience.
ALTER TABLE service_account ADD COLUMN token_endpoint_auth_method TEXT;
ALTER TABLE service_account ADD COLUMN legacy_assertion_audience BIGINT NOT NULL DEFAULT 0;
-- Whether it gets no tokens but those that are bound to a key (RFC 9449).
ALTER TABLE service_account ADD COLUMN dpop_bound_access_tokens BIGINT NOT NULL DEFAULT 0;
-- The grants that it may use at the token endpoint, separated by spaces; null: those that there are.
ALTER TABLE service_account ADD COLUMN grant_types TEXT;

-- Service accounts that registered themselves (RFC 7591): by which credential, with which key they manage that, and what they may hold
-- at most.
CREATE TABLE registration (
    client TEXT PRIMARY KEY,
    organization TEXT NOT NULL,
    registrar TEXT NOT NULL,
    key TEXT NOT NULL,
    ceiling TEXT NOT NULL
);
CREATE INDEX registration_organization ON registration (organization);
-- The same of a client certificate (RFC 8705).
ALTER TABLE service_account ADD COLUMN tls_client_certificate_bound_access_tokens BIGINT NOT NULL DEFAULT 0;

-- What a client is proved with that has no secret, of credentials of the kinds public_key, {"jwk": {...}} or {"jwks_uri": "..."}, and
-- certificate, {"certificate": "..."} in base64 or one name, as {"san_dns": "..."}.
ALTER TABLE credential ADD COLUMN client_key TEXT;

-- Where the state of access tokens is told: a place in the status lists of a week (counted from 1970) for each epoch of a credential that
-- tokens were made from. A place is never given twice.
CREATE TABLE token_status (
    week BIGINT NOT NULL,
    shard BIGINT NOT NULL,
    place BIGINT NOT NULL,
    credential TEXT NOT NULL,
    epoch BIGINT NOT NULL,
    PRIMARY KEY (week, shard, place)
) WITHOUT ROWID;
CREATE UNIQUE INDEX token_status_credential ON token_status (credential, week, epoch);

-- Who got tokens in exchange for a credential of somebody else's, in which week.
CREATE TABLE token_client (
    client TEXT NOT NULL,
    credential TEXT NOT NULL,
    week BIGINT NOT NULL,
    PRIMARY KEY (client, credential, week)
) WITHOUT ROWID;

-- When what a credential may do became less, or it ended.
ALTER TABLE credential ADD COLUMN epoch_raised_at BIGINT;
CREATE INDEX credential_epoch_raised ON credential (epoch_raised_at) WHERE epoch_raised_at IS NOT NULL;

-- Which assertions of outside issuers stand for a client, of credentials of the kind federation: by what they are looked for, and all
-- that must be true of one, as JSON.
CREATE TABLE federation (
    credential TEXT PRIMARY KEY,
    issuer TEXT,
    trust_domain TEXT,
    terms TEXT NOT NULL,
    refusal_told_at BIGINT
);
CREATE INDEX federation_issuer ON federation (issuer);
CREATE INDEX federation_trust_domain ON federation (trust_domain);

-- Whose word counts when clients of an organization show certificates with names: certificates of authorities, as PEM. For clients that hold
-- something in all organizations, only where reaches_instance is 1.
CREATE TABLE certificate_authority (
    id TEXT PRIMARY KEY,
    organization TEXT NOT NULL,
    name TEXT NOT NULL,
    certificates TEXT NOT NULL,
    reaches_instance BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    created_by TEXT NOT NULL
);
CREATE INDEX certificate_authority_organization ON certificate_authority (organization, id);

-- Devices that ask for a token of a person (RFC 8628). digest is of what the device holds, user_code of what the person types.
-- permissions are those that were asked for (null: all of the person's on resource), approved those that were given.
CREATE TABLE device_request (
    id TEXT PRIMARY KEY,
    digest BLOB NOT NULL,
    user_code BLOB NOT NULL,
    client TEXT NOT NULL,
    resource TEXT,
    permissions TEXT,
    device_name TEXT,
    address TEXT,
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    wait BIGINT NOT NULL,
    polled_at BIGINT,
    state TEXT NOT NULL,
    person TEXT,
    organization TEXT,
    approved TEXT
);
CREATE UNIQUE INDEX device_request_digest ON device_request (digest);
CREATE UNIQUE INDEX device_request_user_code ON device_request (user_code);
CREATE INDEX device_request_end ON device_request (expires_at);
