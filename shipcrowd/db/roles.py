"""The SQL of the three roles: the embedded PostgreSQL runs it, and `manage.py roles` prints it for an administrator.

shipcrowd_owner   owns the tables; only `migrate` logs in as it
shipcrowd_app     web and workers; sees the sellers of its scope
shipcrowd_ops     sees every seller; nobody logs in as it, the app enters it by SET LOCAL ROLE, each time audited
"""

OWNER, APP, OPS = "shipcrowd_owner", "shipcrowd_app", "shipcrowd_ops"

_NOTHING_MORE = "nosuperuser nobypassrls nocreaterole noreplication"

# Of web and workers; the owner's migrations have none. They stand at the role: a pooler between passes no options on.
TIME_LIMITS = {"statement_timeout": "15s", "lock_timeout": "5s", "idle_in_transaction_session_timeout": "60s"}


def roles_sql(*, owner_creates_databases: bool = False) -> str:
    """Makes the roles or brings them into shape, for a superuser of PostgreSQL 15 or newer; safe to run again.

    Only tests need an owner that creates databases.
    """
    creates = "createdb" if owner_creates_databases else "nocreatedb"
    limits = "\n".join(f"alter role {APP} set {name} = '{value}';" for name, value in TIME_LIMITS.items())
    return f"""\
do $$
declare
    missing text;
begin
    foreach missing in array array['{OWNER}', '{APP}', '{OPS}'] loop
        if not exists (select from pg_roles where rolname = missing) then
            execute format('create role %I', missing);
        end if;
    end loop;
end $$;
alter role {OWNER} login {creates} {_NOTHING_MORE};
alter role {APP} login noinherit nocreatedb {_NOTHING_MORE};
alter role {OPS} nologin nocreatedb {_NOTHING_MORE};
{limits}
-- The app may become ops, and has none of its rights before: else the policies of ops would hold for the app as well.
do $$
begin
    if current_setting('server_version_num')::int >= 160000 then
        execute 'grant {OPS} to {APP} with inherit false, set true';  -- 15 cannot even parse it
    else
        grant {OPS} to {APP};
    end if;
end $$;
"""


def psql_script(database: str) -> str:
    """What `psql` runs as a superuser to make roles and database; passwords come as psql variables."""
    quoted = database.replace("'", "''")
    return f"""\
-- Roles and database of Shipcrowd, for PostgreSQL 15 or newer; safe to run again.
--   manage.py roles | psql -v ON_ERROR_STOP=1 -v owner_password=... -v app_password=... postgres
-- Without the two variables no password is set or changed; \\password {OWNER} sets one by hand.
{roles_sql()}\\if :{{?owner_password}}
alter role {OWNER} password :'owner_password';
\\endif
\\if :{{?app_password}}
alter role {APP} password :'app_password';
\\endif
select format('create database %I owner {OWNER} encoding ''UTF8'' template template0', '{quoted}')
where not exists (select from pg_database where datname = '{quoted}') \\gexec
select format('revoke all on database %I from public', '{quoted}') \\gexec
select format('grant connect, temporary on database %I to {APP}', '{quoted}') \\gexec
"""  # noqa: S608 - a name from our own settings, quoted


def grants_sql() -> list[str]:
    """What the owner grants in its database before it migrates: each new table is the app's and ops' to read and write.

    Tables that are older than these rules get their rights once; what a migration takes away later stays taken.
    """
    both = f"{APP}, {OPS}"
    return [
        f"grant usage on schema public to {both}",
        f"alter default privileges in schema public grant select, insert, update, delete on tables to {both}",
        f"alter default privileges in schema public grant usage, select on sequences to {both}",
        f"""\
do $$
declare
    older record;
begin
    for older in select format('%I.%I', schemaname, tablename) as name from pg_tables
        where schemaname = 'public' and tableowner = current_user
    loop
        if not has_table_privilege('{APP}', older.name, 'select') then
            execute format('grant select, insert, update, delete on table %s to {both}', older.name);
        end if;
    end loop;
    for older in select format('%I.%I', schemaname, sequencename) as name from pg_sequences
        where schemaname = 'public' and sequenceowner = current_user
    loop
        if not has_sequence_privilege('{APP}', older.name, 'usage') then
            execute format('grant usage, select on sequence %s to {both}', older.name);
        end if;
    end loop;
end $$""",  # noqa: S608 - the names of our own roles
    ]
