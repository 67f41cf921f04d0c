-- Projects, their durable log, generations, revisions and sandboxes.
--
-- The log: an event is committed before anybody sees it. Its position comes
-- from project_heads, which only the journal's writer touches, always in the
-- order of project_id, always against the epoch and the head that it expects.

create table daemons (
    id uuid not null,
    boot_id uuid not null,
    host text not null,
    started_at timestamptz not null default now(),
    -- Renewed every five seconds while the daemon lives.
    seen_at timestamptz not null default now(),
    constraint daemons_pkey primary key (id)
);

-- One row a boot of a daemon, bumped in the same transaction as each batch of
-- events. When the connection dies during COMMIT, this row tells whether the
-- batch landed, and moving it on makes sure that it never will.
create table journal_writers (
    boot_id uuid not null,
    daemon_id uuid not null,
    batch bigint not null default 0,
    constraint journal_writers_pkey primary key (boot_id),
    constraint journal_writers_daemon_fkey foreign key (daemon_id) references daemons (id) on delete cascade
) with (fillfactor = 10);

-- Everything that shares this database, as one row: its id labels what is made
-- on Docker engines.
create table deployments (
    one boolean not null default true,
    id uuid not null,
    constraint deployments_pkey primary key (one),
    constraint deployments_one_check check (one)
);

create table projects (
    id uuid not null,
    team_id uuid not null,
    owner_id uuid not null,
    name text not null,
    description text not null default '',
    template text not null,
    -- Empty: the server's default.
    default_model text not null default '',
    -- Loopback port of the preview, on the daemon's host; stays the same.
    preview_port integer,
    created_at timestamptz not null default now(),
    constraint projects_pkey primary key (id),
    constraint projects_team_fkey foreign key (team_id) references teams (id) on delete cascade,
    constraint projects_owner_fkey foreign key (owner_id) references users (id) on delete cascade,
    constraint projects_preview_port_key unique (preview_port),
    constraint projects_name_check check (char_length(name) between 1 and 100)
);
create index projects_team_idx on projects (team_id, created_at desc, id desc);

create table project_heads (
    project_id uuid not null,
    -- Position of the newest event; 0 before the first.
    head bigint not null default 0,
    -- Oldest position that is still there.
    oldest bigint not null default 1,
    -- Bumped by every take-over; a writer with an older one writes nothing.
    epoch bigint not null default 0,
    -- Who runs a generation here. The lease lasts as long as that boot's row in
    -- daemons is fresh, so one heartbeat renews all leases of a daemon.
    owner_daemon_id uuid,
    owner_boot_id uuid,
    changed_at timestamptz not null default now(),
    constraint project_heads_pkey primary key (project_id),
    constraint project_heads_project_fkey foreign key (project_id) references projects (id) on delete cascade,
    constraint project_heads_head_check check (head >= 0)
) with (fillfactor = 50);
create index project_heads_owner_idx on project_heads (owner_daemon_id) where owner_daemon_id is not null;

create table generations (
    id uuid not null,
    project_id uuid not null,
    user_id uuid not null,
    -- The boot that accepted it, then the one that runs it; when that is dead
    -- and it is not finished, it is interrupted.
    daemon_id uuid not null,
    boot_id uuid not null,
    prompt text not null,
    model text not null,
    demo boolean not null,
    state text not null,
    outcome text,
    failure_reason text,
    message text not null default '',
    revision_id uuid,
    attempts integer not null default 0,
    prompt_tokens bigint not null default 0,
    completion_tokens bigint not null default 0,
    -- Null: unknown, which is not zero.
    cost_micro_usd bigint,
    usage_estimated boolean not null default false,
    context_omitted text[] not null default '{}',
    -- Left by a daemon that does not run it, for the one that does.
    cancel_requested boolean not null default false,
    first_sequence bigint not null,
    created_at timestamptz not null default now(),
    finished_at timestamptz,
    constraint generations_pkey primary key (id),
    constraint generations_project_fkey foreign key (project_id) references projects (id) on delete cascade,
    constraint generations_user_fkey foreign key (user_id) references users (id) on delete cascade,
    constraint generations_state_check check (state in ('queued', 'preparing', 'generating', 'applying',
        'installing', 'starting', 'checking', 'repairing', 'finished')),
    constraint generations_outcome_check check ((state = 'finished') = (outcome is not null)
        and (outcome is null or outcome in ('ready', 'failed', 'truncated', 'cancelled', 'interrupted', 'over_budget')))
);
create index generations_project_idx on generations (project_id, created_at desc, id desc);
-- At most one runs per project; any number may wait.
create unique index generations_running_key on generations (project_id) where state not in ('queued', 'finished');
create index generations_live_idx on generations (user_id) where state <> 'finished';
create index generations_daemon_idx on generations (daemon_id) where state <> 'finished';

create table attempts (
    generation_id uuid not null,
    attempt integer not null,
    kind text not null,
    model text not null,
    billed_model text not null default '',
    finish_reason text not null default '',
    prompt_tokens bigint not null default 0,
    completion_tokens bigint not null default 0,
    cost_micro_usd bigint,
    usage_estimated boolean not null default false,
    error text not null default '',
    -- The answer as it came, once; operations are a function of it.
    answer text not null default '',
    created_at timestamptz not null default now(),
    constraint attempts_pkey primary key (generation_id, attempt),
    constraint attempts_generation_fkey foreign key (generation_id) references generations (id) on delete cascade,
    constraint attempts_kind_check check (kind in ('first', 'continuation', 'repair'))
);

create table events (
    project_id uuid not null,
    sequence bigint not null,
    kind text not null,
    generation_id uuid,
    -- json, not jsonb: it is written and read whole, and text of a model may hold a NUL.
    payload json not null,
    created_at timestamptz not null default now(),
    constraint events_pkey primary key (project_id, sequence),
    constraint events_project_fkey foreign key (project_id) references projects (id) on delete cascade,
    constraint events_sequence_check check (sequence > 0)
);
-- A generation ends once.
create unique index events_terminal_key on events (generation_id) where kind = 'generation_finished';

create table agent_states (
    project_id uuid not null,
    state text not null default 'idle',
    generation_id uuid,
    last_outcome text,
    updated_at timestamptz not null default now(),
    constraint agent_states_pkey primary key (project_id),
    constraint agent_states_project_fkey foreign key (project_id) references projects (id) on delete cascade
);

-- Content addressed by SHA-256, shared by all projects of a team's database.
create table blobs (
    sha256 bytea not null,
    size_bytes bigint not null,
    content bytea not null,
    constraint blobs_pkey primary key (sha256),
    constraint blobs_size_check check (size_bytes = octet_length(content) and size_bytes <= 1048576)
);

create table revisions (
    id uuid not null,
    project_id uuid not null,
    number integer not null,
    parent_id uuid,
    generation_id uuid,
    title text not null,
    health text not null default 'unknown',
    file_count integer not null,
    total_bytes bigint not null,
    created_at timestamptz not null default now(),
    constraint revisions_pkey primary key (id),
    constraint revisions_number_key unique (project_id, number),
    constraint revisions_project_fkey foreign key (project_id) references projects (id) on delete cascade,
    constraint revisions_parent_fkey foreign key (parent_id) references revisions (id) on delete set null,
    constraint revisions_generation_fkey foreign key (generation_id) references generations (id) on delete set null,
    constraint revisions_health_check check (health in ('unknown', 'healthy', 'unhealthy'))
);

create table revision_files (
    revision_id uuid not null,
    path text not null,
    sha256 bytea not null,
    size_bytes bigint not null,
    constraint revision_files_pkey primary key (revision_id, path),
    constraint revision_files_revision_fkey foreign key (revision_id) references revisions (id) on delete cascade,
    constraint revision_files_blob_fkey foreign key (sha256) references blobs (sha256),
    constraint revision_files_path_check check (path <> '' and octet_length(path) <= 240
        and left(path, 1) <> '/' and path !~ '(^|/)\.{0,2}(/|$)')
);
create index revision_files_blob_idx on revision_files (sha256);

create table sandboxes (
    id uuid not null,
    project_id uuid not null,
    -- Which engine it lives on: the engine's own id.
    engine_id text not null,
    daemon_id uuid not null,
    state text not null,
    detail text not null default '',
    container_id text,
    image text not null default '',
    -- The revision that its dev server runs.
    revision_id uuid,
    slot text not null default 'a',
    created_at timestamptz not null default now(),
    changed_at timestamptz not null default now(),
    constraint sandboxes_pkey primary key (id),
    constraint sandboxes_project_key unique (project_id),
    constraint sandboxes_project_fkey foreign key (project_id) references projects (id) on delete cascade,
    constraint sandboxes_revision_fkey foreign key (revision_id) references revisions (id) on delete set null,
    constraint sandboxes_state_check check (state in ('stopped', 'starting', 'running', 'stopping', 'failed')),
    constraint sandboxes_slot_check check (slot in ('a', 'b'))
);
create index sandboxes_engine_idx on sandboxes (engine_id);

-- The last output of a dev server, kept when its sandbox stops or crashes.
create table sandbox_logs (
    project_id uuid not null,
    at timestamptz not null default now(),
    tail text not null,
    constraint sandbox_logs_pkey primary key (project_id),
    constraint sandbox_logs_project_fkey foreign key (project_id) references projects (id) on delete cascade
);
