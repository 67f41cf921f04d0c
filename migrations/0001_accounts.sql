-- Accounts, teams and credentials. Every user has a personal team from the
-- start, so that every project can be scoped by team in every query. Of secrets
-- only SHA-256 hashes are kept: a dump of this database signs nobody in.

create table users (
    id uuid not null,
    -- Lower case; null for the local owner, who signs in by peer credentials.
    email text,
    display_name text not null,
    -- PHC string of argon2id; null where there is no password.
    password_hash text,
    is_owner boolean not null default false,
    is_local boolean not null default false,
    disabled boolean not null default false,
    created_at timestamptz not null default now(),
    constraint users_pkey primary key (id),
    constraint users_email_key unique (email)
);
-- One local owner for a deployment.
create unique index users_local_owner_key on users (is_local) where is_local;

create table teams (
    id uuid not null,
    name text not null,
    -- Set for the team that belongs to one user alone.
    personal_user_id uuid,
    created_at timestamptz not null default now(),
    constraint teams_pkey primary key (id),
    constraint teams_personal_user_key unique (personal_user_id),
    constraint teams_personal_user_fkey foreign key (personal_user_id) references users (id) on delete cascade
);

create table team_members (
    team_id uuid not null,
    user_id uuid not null,
    role text not null,
    created_at timestamptz not null default now(),
    constraint team_members_pkey primary key (team_id, user_id),
    constraint team_members_team_fkey foreign key (team_id) references teams (id) on delete cascade,
    constraint team_members_user_fkey foreign key (user_id) references users (id) on delete cascade,
    constraint team_members_role_check check (role in ('viewer', 'editor', 'owner'))
);
create index team_members_user_idx on team_members (user_id);

create table invites (
    id uuid not null,
    code_hash bytea not null,
    -- Null for the bootstrap code, which makes the first owner of a server.
    team_id uuid,
    role text not null,
    created_by uuid,
    created_at timestamptz not null default now(),
    expires_at timestamptz not null,
    used_by uuid,
    used_at timestamptz,
    constraint invites_pkey primary key (id),
    constraint invites_code_hash_key unique (code_hash),
    constraint invites_team_fkey foreign key (team_id) references teams (id) on delete cascade,
    constraint invites_created_by_fkey foreign key (created_by) references users (id) on delete cascade,
    constraint invites_used_by_fkey foreign key (used_by) references users (id) on delete set null,
    constraint invites_role_check check (role in ('viewer', 'editor', 'owner', 'bootstrap'))
);

create table sessions (
    id uuid not null,
    user_id uuid not null,
    token_hash bytea not null,
    created_at timestamptz not null default now(),
    -- Slides: seven days after the last day of use, never past created_at + 30 days.
    expires_at timestamptz not null,
    extended_at timestamptz not null default now(),
    constraint sessions_pkey primary key (id),
    constraint sessions_token_hash_key unique (token_hash),
    constraint sessions_user_fkey foreign key (user_id) references users (id) on delete cascade
);
create index sessions_user_idx on sessions (user_id);

create table api_tokens (
    id uuid not null,
    user_id uuid not null,
    name text not null,
    token_hash bytea not null,
    -- Any of read, generate, sandbox, admin.
    scopes text[] not null,
    created_at timestamptz not null default now(),
    expires_at timestamptz not null,
    last_used_at timestamptz,
    -- Kept for a while after, so that revoking twice is no error.
    revoked_at timestamptz,
    constraint api_tokens_pkey primary key (id),
    constraint api_tokens_token_hash_key unique (token_hash),
    constraint api_tokens_user_fkey foreign key (user_id) references users (id) on delete cascade
);
create index api_tokens_user_idx on api_tokens (user_id, created_at desc, id desc);

-- Fixed windows, counted before any hashing. The key is a hash of what is
-- counted (an e-mail, an address), so nothing can be read from it.
create table throttles (
    bucket text not null,
    key bytea not null,
    window_start timestamptz not null,
    hits integer not null,
    -- Accounts only: after too many failures in a row, when the next try may be.
    blocked_until timestamptz,
    constraint throttles_pkey primary key (bucket, key)
);

-- Append only.
create table audit_entries (
    id uuid not null,
    at timestamptz not null default now(),
    user_id uuid,
    action text not null,
    detail text not null default '',
    constraint audit_entries_pkey primary key (id)
);

-- What a mutation answered, so that its retry answers the same. Kept 24 hours.
create table request_ids (
    user_id uuid not null,
    request_id text not null,
    method text not null,
    payload_sha256 bytea not null,
    -- What the first call made; null where it handed out a secret.
    resource_id uuid,
    created_at timestamptz not null default now(),
    constraint request_ids_pkey primary key (user_id, request_id),
    constraint request_ids_user_fkey foreign key (user_id) references users (id) on delete cascade
);
create index request_ids_created_idx on request_ids (created_at);
