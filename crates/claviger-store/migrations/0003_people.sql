-- Users: people who sign in. (The word itself is reserved in SQL.) email_key is the address in lower case, by which it is unique.
-- email_claimed: 1 if nobody has shown yet that the address is theirs.
-- password is an Argon2id hash in PHC form; totp_seed is sealed; totp_step is the last time step that was accepted.
CREATE TABLE person (
    id TEXT PRIMARY KEY,
    email TEXT NOT NULL,
    email_key TEXT NOT NULL,
    email_claimed BIGINT NOT NULL DEFAULT 0,
    name TEXT,
    external_id TEXT,
    metadata TEXT NOT NULL,
    password TEXT,
    password_set_at BIGINT,
    totp_seed BLOB,
    totp_confirmed_at BIGINT,
    totp_step BIGINT,
    disabled_at BIGINT,
    created_at BIGINT NOT NULL,
    deleted_at BIGINT
);
CREATE UNIQUE INDEX person_email ON person (email_key) WHERE deleted_at IS NULL;
CREATE UNIQUE INDEX person_external_id ON person (external_id) WHERE deleted_at IS NULL;

-- Who belongs to which organization; what they may do there are assignments.
CREATE TABLE membership (
    organization TEXT NOT NULL REFERENCES organization (id),
    person TEXT NOT NULL REFERENCES person (id),
    created_at BIGINT NOT NULL,
    PRIMARY KEY (organization, person)
);
CREATE INDEX membership_person ON membership (person);

-- roles (their ids) and permissions are separated by spaces. digest is a keyed hash of the code in the link. created_with: the
-- credential that the link was made with; it opens nothing once that does not count any more.
CREATE TABLE invitation (
    id TEXT PRIMARY KEY,
    organization TEXT NOT NULL REFERENCES organization (id),
    email TEXT NOT NULL,
    email_key TEXT NOT NULL,
    roles TEXT NOT NULL,
    permissions TEXT NOT NULL,
    digest BLOB NOT NULL,
    created_at BIGINT NOT NULL,
    created_by TEXT NOT NULL,
    created_with TEXT,
    ends_at BIGINT NOT NULL,
    accepted_at BIGINT,
    accepted_by TEXT,
    revoked_at BIGINT
);
CREATE UNIQUE INDEX invitation_digest ON invitation (digest);
CREATE INDEX invitation_organization ON invitation (organization, id);
CREATE INDEX invitation_email ON invitation (email_key);
CREATE INDEX invitation_ends_at ON invitation (ends_at);

-- Codes in links that work once: password resets, portal links. The row goes when the code is used.
CREATE TABLE one_time_code (
    digest BLOB PRIMARY KEY,
    purpose TEXT NOT NULL,
    person TEXT NOT NULL REFERENCES person (id),
    organization TEXT REFERENCES organization (id),
    details TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    created_by TEXT NOT NULL,
    created_with TEXT,
    ends_at BIGINT NOT NULL
);
CREATE INDEX one_time_code_ends_at ON one_time_code (ends_at);
CREATE INDEX one_time_code_person ON one_time_code (person, purpose);

-- Codes that stand in for the second factor, each once.
CREATE TABLE recovery_code (
    person TEXT NOT NULL REFERENCES person (id),
    digest BLOB NOT NULL,
    used_at BIGINT,
    PRIMARY KEY (person, digest)
);

-- Keys in their devices by which users sign in. credential is what the authenticator calls it, and public_key its COSE key.
CREATE TABLE passkey (
    id TEXT PRIMARY KEY,
    person TEXT NOT NULL REFERENCES person (id),
    relying_party TEXT NOT NULL,
    credential BLOB NOT NULL,
    public_key BLOB NOT NULL,
    sign_count BIGINT NOT NULL,
    transports TEXT NOT NULL,
    backup_eligible BIGINT NOT NULL,
    backed_up BIGINT NOT NULL,
    name TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    used_at BIGINT
);
CREATE UNIQUE INDEX passkey_credential ON passkey (credential);
CREATE INDEX passkey_person ON passkey (person, id);

-- Who a user is to an outside OpenID Connect provider.
CREATE TABLE identity (
    issuer TEXT NOT NULL,
    subject TEXT NOT NULL,
    person TEXT NOT NULL REFERENCES person (id),
    created_at BIGINT NOT NULL,
    PRIMARY KEY (issuer, subject)
);
CREATE INDEX identity_person ON identity (person);

-- Sign-in sessions. digest is a keyed hash of the cookie. organization bounds a portal session, and vouched_by let
-- its user in.
CREATE TABLE session (
    id TEXT PRIMARY KEY,
    digest BLOB NOT NULL,
    person TEXT NOT NULL REFERENCES person (id),
    kind TEXT NOT NULL,
    method TEXT NOT NULL,
    organization TEXT REFERENCES organization (id),
    return_url TEXT,
    vouched_by TEXT,
    address TEXT,
    user_agent TEXT,
    created_at BIGINT NOT NULL,
    authenticated_at BIGINT NOT NULL,
    seen_at BIGINT NOT NULL,
    ends_at BIGINT NOT NULL
);
CREATE UNIQUE INDEX session_digest ON session (digest);
CREATE INDEX session_person ON session (person, id);
CREATE INDEX session_ends_at ON session (ends_at);

-- What a kept answer is about; it goes with a user who is deleted. Null for answers before this schema, which are gone in a day.
ALTER TABLE idempotency ADD COLUMN about TEXT;
CREATE INDEX idempotency_about ON idempotency (about);

-- Where frames with an organization's portal may stand, separated by spaces.
ALTER TABLE organization ADD COLUMN portal_origins TEXT NOT NULL DEFAULT '';
-- What a product calls itself there, and its colour as #rrggbb. Null: the organization's name, and no colour of its own.
ALTER TABLE organization ADD COLUMN portal_name TEXT;
ALTER TABLE organization ADD COLUMN portal_color TEXT;

-- All long-lived opaque credentials in one table: API keys of service accounts, personal access tokens of users.
-- disabled_by: who stopped it. pending_since: waits for an approval. approved_by: who gave it. skeleton: what is left of how the
-- name looks, so that look-alikes are found; it is null until it was computed, which no SQL can.
CREATE TABLE credential (
    id TEXT PRIMARY KEY,
    kind TEXT NOT NULL,
    organization TEXT NOT NULL REFERENCES organization (id),
    principal TEXT NOT NULL,
    name TEXT NOT NULL,
    skeleton TEXT,
    environment TEXT NOT NULL,
    permissions TEXT NOT NULL,
    objects TEXT,
    networks TEXT,
    not_before BIGINT,
    expires_at BIGINT,
    disabled_at BIGINT,
    disabled_by TEXT,
    revoked_at BIGINT,
    revoke_reason TEXT,
    pending_since BIGINT,
    approved_at BIGINT,
    approved_by TEXT,
    confirmation TEXT,
    epoch BIGINT NOT NULL,
    limits TEXT,
    metadata TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    created_by TEXT NOT NULL,
    deleted_at BIGINT,
    retired_use_told_at BIGINT
);
INSERT INTO credential (id, kind, organization, principal, name, environment, permissions, objects, networks, not_before,
        expires_at, disabled_at, revoked_at, revoke_reason, confirmation, epoch, limits, metadata, created_at, created_by,
        deleted_at, retired_use_told_at)
    SELECT id, 'api_key', organization, service_account, name, environment, permissions, objects, networks, not_before,
        expires_at, disabled_at, revoked_at, revoke_reason, confirmation, epoch, limits, metadata, created_at, created_by,
        deleted_at, retired_use_told_at FROM api_key;
DROP TABLE api_key;
CREATE INDEX credential_organization ON credential (organization, id);
CREATE INDEX credential_name ON credential (organization, kind, LOWER(name), id);
CREATE INDEX credential_end ON credential (organization, kind, (COALESCE(expires_at, 9223372036854775807)), id);
CREATE INDEX credential_principal ON credential (principal, id);
CREATE INDEX credential_pending ON credential (organization, id) WHERE pending_since IS NOT NULL;
CREATE INDEX credential_skeleton ON credential (organization, skeleton, name, principal) WHERE revoked_at IS NULL;
CREATE INDEX credential_without_skeleton ON credential (id) WHERE skeleton IS NULL;

-- Who saw a secret when it was made; null for those before this schema, which whoever made the credential saw.
ALTER TABLE secret ADD COLUMN created_by TEXT;
CREATE INDEX secret_end ON secret (ends_at) WHERE ends_at IS NOT NULL;

-- What an event tells of a person stands outside of what is hashed, so that it can be erased.
ALTER TABLE audit_event ADD COLUMN personal TEXT;

-- With which credential, or in which session, it was done; null for events before this schema and for those without one.
ALTER TABLE audit_event ADD COLUMN means TEXT;
CREATE INDEX audit_event_means ON audit_event (means, id) WHERE means IS NOT NULL;
CREATE INDEX audit_event_action ON audit_event (chain, action, id);

-- Up to which link somebody proved a chain last, and when.
ALTER TABLE audit_head ADD COLUMN proved_seq BIGINT;
ALTER TABLE audit_head ADD COLUMN proved_at BIGINT;
