-- One text for both engines; dialect.rs says the three words that differ.
-- Times are milliseconds since 1970 UTC. Ids are TypeIDs. Lists are text: permissions and networks
-- separated by spaces, objects by line feeds.

CREATE TABLE sealed_key (
    purpose TEXT NOT NULL,
    version BIGINT NOT NULL,
    sealed BLOB NOT NULL,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (purpose, version)
);

CREATE TABLE organization (
    id TEXT PRIMARY KEY,
    slug TEXT NOT NULL,
    name TEXT NOT NULL,
    external_id TEXT,
    ceiling TEXT,
    policy TEXT NOT NULL,
    metadata TEXT NOT NULL,
    disabled_at BIGINT,
    created_at BIGINT NOT NULL,
    deleted_at BIGINT
);
CREATE UNIQUE INDEX organization_slug ON organization (slug) WHERE deleted_at IS NULL;
CREATE UNIQUE INDEX organization_external_id ON organization (external_id) WHERE deleted_at IS NULL;

CREATE TABLE service_account (
    id TEXT PRIMARY KEY,
    organization TEXT NOT NULL REFERENCES organization (id),
    name TEXT NOT NULL,
    external_id TEXT,
    metadata TEXT NOT NULL,
    disabled_at BIGINT,
    created_at BIGINT NOT NULL,
    deleted_at BIGINT
);
CREATE INDEX service_account_organization ON service_account (organization, id);
CREATE UNIQUE INDEX service_account_external_id ON service_account (organization, external_id) WHERE deleted_at IS NULL;

CREATE TABLE api (
    id TEXT PRIMARY KEY,
    identifier TEXT NOT NULL,
    name TEXT NOT NULL,
    resource_servers TEXT NOT NULL,
    builtin BIGINT NOT NULL,
    created_at BIGINT NOT NULL
);
CREATE UNIQUE INDEX api_identifier ON api (identifier);
CREATE UNIQUE INDEX api_builtin ON api (builtin) WHERE builtin = 1;

CREATE TABLE permission (
    name TEXT PRIMARY KEY,
    api TEXT NOT NULL REFERENCES api (id),
    position BIGINT NOT NULL,
    description TEXT
);
CREATE INDEX permission_api ON permission (api);

CREATE TABLE role (
    id TEXT PRIMARY KEY,
    organization TEXT REFERENCES organization (id),
    name TEXT NOT NULL,
    description TEXT,
    permissions TEXT NOT NULL,
    builtin BIGINT NOT NULL,
    created_at BIGINT NOT NULL
);
CREATE UNIQUE INDEX role_name_in_organization ON role (organization, name) WHERE organization IS NOT NULL;
CREATE UNIQUE INDEX role_name_in_instance ON role (name) WHERE organization IS NULL;

-- organization: where it counts; NULL is the instance. home: the principal's own organization.
CREATE TABLE assignment (
    id TEXT PRIMARY KEY,
    principal TEXT NOT NULL,
    home TEXT NOT NULL REFERENCES organization (id),
    organization TEXT REFERENCES organization (id),
    role TEXT REFERENCES role (id),
    permission TEXT,
    created_at BIGINT NOT NULL
);
CREATE INDEX assignment_principal ON assignment (principal);
CREATE INDEX assignment_role ON assignment (role);
CREATE INDEX assignment_home ON assignment (home, id);
CREATE INDEX assignment_permission ON assignment (permission) WHERE permission IS NOT NULL;

CREATE TABLE api_key (
    id TEXT PRIMARY KEY,
    organization TEXT NOT NULL REFERENCES organization (id),
    service_account TEXT NOT NULL REFERENCES service_account (id),
    name TEXT NOT NULL,
    environment TEXT NOT NULL,
    permissions TEXT NOT NULL,
    audiences TEXT,
    objects TEXT,
    networks TEXT,
    not_before BIGINT,
    expires_at BIGINT,
    disabled_at BIGINT,
    revoked_at BIGINT,
    revoke_reason TEXT,
    confirmation TEXT,
    epoch BIGINT NOT NULL,
    metadata TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    created_by TEXT NOT NULL,
    deleted_at BIGINT,
    retired_use_told_at BIGINT
);
CREATE INDEX api_key_organization ON api_key (organization, id);
CREATE INDEX api_key_service_account ON api_key (service_account, id);

-- Looked up by digest alone, so the digest is the table. Rows outlive their credential, as tombstones.
CREATE TABLE secret (
    digest BLOB PRIMARY KEY,
    pepper BIGINT NOT NULL,
    credential TEXT NOT NULL,
    number BIGINT NOT NULL,
    hint TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    ends_at BIGINT,
    last_used_at BIGINT,
    last_used_from TEXT
) WITHOUT ROWID;
CREATE INDEX secret_credential ON secret (credential, number);

CREATE TABLE change_log (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    at BIGINT NOT NULL,
    kind TEXT NOT NULL,
    id TEXT NOT NULL
);
CREATE INDEX change_log_at ON change_log (at);

CREATE TABLE audit_head (
    chain TEXT PRIMARY KEY,
    seq BIGINT NOT NULL,
    hash BLOB NOT NULL
);

-- record is what the hash covers; address is personal and stays outside of it.
CREATE TABLE audit_event (
    chain TEXT NOT NULL,
    seq BIGINT NOT NULL,
    id TEXT NOT NULL,
    at BIGINT NOT NULL,
    action TEXT NOT NULL,
    actor TEXT NOT NULL,
    target TEXT NOT NULL,
    record TEXT NOT NULL,
    address TEXT,
    hash BLOB NOT NULL,
    PRIMARY KEY (chain, seq)
);
CREATE UNIQUE INDEX audit_event_id ON audit_event (id);
CREATE INDEX audit_event_chain ON audit_event (chain, id);
CREATE INDEX audit_event_target ON audit_event (target, id);
CREATE INDEX audit_event_actor ON audit_event (actor, id);

CREATE TABLE usage_hour (
    credential TEXT NOT NULL,
    hour BIGINT NOT NULL,
    code TEXT NOT NULL,
    uses BIGINT NOT NULL,
    PRIMARY KEY (credential, hour, code)
) WITHOUT ROWID;
CREATE INDEX usage_hour_hour ON usage_hour (hour);

CREATE TABLE usage_permission_day (
    credential TEXT NOT NULL,
    day BIGINT NOT NULL,
    permission TEXT NOT NULL,
    uses BIGINT NOT NULL,
    PRIMARY KEY (credential, day, permission)
) WITHOUT ROWID;
CREATE INDEX usage_permission_day_day ON usage_permission_day (day);

-- key and body are keyed hashes; answer is the response without its secret.
CREATE TABLE idempotency (
    key BLOB PRIMARY KEY,
    body BLOB NOT NULL,
    status BIGINT NOT NULL,
    location TEXT,
    answer TEXT NOT NULL,
    created_at BIGINT NOT NULL
) WITHOUT ROWID;
CREATE INDEX idempotency_created_at ON idempotency (created_at);
