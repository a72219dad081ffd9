-- Groups that devices enrol in. closed_at: nothing enrols or renews.
CREATE TABLE fleet (
    id TEXT PRIMARY KEY,
    organization TEXT NOT NULL REFERENCES organization (id),
    name TEXT NOT NULL,
    device_lifetime_days BIGINT NOT NULL,
    closed_at BIGINT,
    created_at BIGINT NOT NULL,
    deleted_at BIGINT
);
CREATE INDEX fleet_organization ON fleet (organization, id);

-- Who issues the certificates of a fleet's devices: its certificate (DER), and its private key, sealed.
CREATE TABLE fleet_authority (
    fleet TEXT PRIMARY KEY REFERENCES fleet (id),
    certificate BLOB NOT NULL,
    sealed BLOB NOT NULL,
    created_at BIGINT NOT NULL
);

-- What each device of a fleet gets: a role or a permission.
CREATE TABLE fleet_grant (
    fleet TEXT NOT NULL REFERENCES fleet (id),
    position BIGINT NOT NULL,
    role TEXT REFERENCES role (id),
    permission TEXT,
    PRIMARY KEY (fleet, position)
);
CREATE INDEX fleet_grant_role ON fleet_grant (role);
CREATE INDEX fleet_grant_permission ON fleet_grant (permission);

-- By which devices enrol. digest is of what whoever runs the fleet was shown once. gives: the permissions that the fleet gave then.
CREATE TABLE claim_code (
    id TEXT PRIMARY KEY,
    fleet TEXT NOT NULL REFERENCES fleet (id),
    organization TEXT NOT NULL,
    digest BLOB NOT NULL,
    pepper BIGINT NOT NULL,
    hint TEXT NOT NULL,
    uses BIGINT NOT NULL,
    used BIGINT NOT NULL,
    gives TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    created_by TEXT NOT NULL,
    created_with TEXT,
    ends_at BIGINT NOT NULL,
    revoked_at BIGINT
);
CREATE UNIQUE INDEX claim_code_digest ON claim_code (digest);
CREATE INDEX claim_code_fleet ON claim_code (fleet, id);
CREATE INDEX claim_code_end ON claim_code (ends_at);

-- Service accounts that are devices. thumbprint is of the key that was registered last, key_id; former_key is
-- the one before. A name is free again once its device ended. gone_at: its service account was deleted, too.
CREATE TABLE device (
    account TEXT PRIMARY KEY REFERENCES service_account (id),
    fleet TEXT NOT NULL REFERENCES fleet (id),
    organization TEXT NOT NULL,
    name TEXT NOT NULL,
    thumbprint TEXT NOT NULL,
    key_id TEXT NOT NULL,
    former_key TEXT,
    claim_code TEXT NOT NULL,
    enrolled_at BIGINT NOT NULL,
    ended_at BIGINT,
    gone_at BIGINT
);
CREATE INDEX device_fleet ON device (fleet, account) WHERE gone_at IS NULL;
CREATE UNIQUE INDEX device_called ON device (fleet, name) WHERE ended_at IS NULL;
CREATE UNIQUE INDEX device_thumbprint ON device (fleet, thumbprint) WHERE ended_at IS NULL;
CREATE INDEX device_ended_called ON device (claim_code, name) WHERE ended_at IS NOT NULL;
CREATE INDEX device_ended_thumbprint ON device (claim_code, thumbprint) WHERE ended_at IS NOT NULL;
