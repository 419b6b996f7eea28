# shellcheck shell=bash
# The checks of bin/check-managed, which has started both servers and the simulated Clerk, and sources this file.

secret='a secret of managed webhooks'
mirror_home=${PGHOST%/socket}
psql=(psql -XqAt -v ON_ERROR_STOP=1)
export PGPORT=$MIRROR_PORT
mirror() { "${psql[@]}" "$@"; }
# The administrator that a provider gives to its customers: no superuser.
managed_url="postgres://owner:p%40ss%2F%25w%22%27@127.0.0.1:$MANAGED_PORT/app"
managed() { PGPASSWORD="p@ss/%w\"'" "${psql[@]}" -d "postgres://owner@127.0.0.1:$MANAGED_PORT/app?sslmode=require" "$@"; }
managed_superuser() { PGHOST=$MANAGED_HOME PGPORT=$MANAGED_PORT "${psql[@]}" "$@"; }
# What follows is as docs/guide/managed-postgres.md has it.
# shellcheck disable=SC2154 # bin/common.sh sets top
cd "$top" || exit
read -rs CLERK_MIRROR_URL <<<"postgres://postgres:secret@127.0.0.1:$MIRROR_PORT/postgres?sslmode=require"
read -rs CLERK_MANAGED_URL <<<"$managed_url"
export CLERK_MIRROR_URL CLERK_MANAGED_URL
connect() { examples/managed-postgres/connect.sh --wait 60 "$@"; }

number=0 failures=0
check() { # check NAME COMMAND...
  local name=$1
  shift
  number=$((number + 1))
  if "$@" >"$MANAGED_HOME/out" 2>&1; then
    echo "ok $number - $name"
  else
    echo "not ok $number - $name"
    sed 's/^/# /' "$MANAGED_HOME/out"
    failures=$((failures + 1))
  fi
}
fails_with() { # fails_with TEXT COMMAND...
  local text=$1 output status=0
  shift
  output=$("$@" 2>&1) || status=$?
  printf '%s\n' "$output"
  [[ $status != 0 && $output == *"$text"* ]]
}
says() { # says TEXT COMMAND...
  local text=$1 output
  shift
  output=$("$@" 2>&1) || { printf '%s\n' "$output"; return 1; }
  printf '%s\n' "$output"
  [[ $output == *"$text"* ]]
}
is() { # is EXPECTED COMMAND...
  local expected=$1 got
  shift
  got=$("$@")
  echo "expected $expected, got $got"
  [[ $got == "$expected" ]]
}
within() { # within SECONDS COMMAND...: until it succeeds
  local end=$((SECONDS + $1))
  shift
  until "$@" >"$MANAGED_HOME/attempt" 2>&1; do
    ((SECONDS < end)) || { tail -n 20 "$MANAGED_HOME/attempt"; return 1; }
    sleep 0.2
  done
}

# Every row, compared without connect.sh: its tables in the mirror have the same columns in the same order.
tables=(users organizations organization_memberships)
rows() { for table in "${tables[@]}"; do "$1" -c "SET TimeZone = 'UTC'" -c "SELECT * FROM app.$table ORDER BY 1"; done; }
same_rows() { cmp <(rows mirror) <(rows managed) && [[ $(rows managed | wc -l) -gt 900 ]]; }
arrives() { within 30 same_rows; }

# Changes at Clerk, through a server that no mirror belongs to; the mirror learns of them by the next sync.
clerk() { mirror -c "SELECT clerk_fdw.request('elsewhere', '$1', '$2', body => nullif('${3:-}', '')::jsonb)" >/dev/null; }
sync() { mirror -c "CALL clerk_fdw.sync('app')" 2>/dev/null; }
rename() { clerk PATCH "/users/$1" "{\"first_name\": \"$2\"}"; }
webhook() { # webhook EVENT DATA
  local time body id=msg_$RANDOM$RANDOM signature
  time=$(date +%s)
  body="{\"type\": \"$1\", \"object\": \"event\", \"timestamp\": ${time}000, \"data\": $2}"
  signature=$(printf '%s' "$id.$time.$body" | openssl dgst -sha256 -hmac "$secret" -binary | openssl base64 -A)
  mirror -v body="$body" -v id="$id" -v time="$time" -v signature="v1,$signature" \
    <<<"SELECT clerk_fdw.receive_webhook('app', :'body', :'id', :'time', :'signature')"
}
restart() { # restart managed|mirror [stop|start]
  local data=$MANAGED_HOME/data programs=$MANAGED_BINDIR log=$MANAGED_HOME/log
  if [[ $1 == mirror ]]; then data=$mirror_home/data programs=$mirror_home/root$("$PG_CONFIG" --bindir) log=$CLERK_FDW_SERVER_LOG; fi
  local command=("$programs/pg_ctl" "${2:-restart}" -s -w -D "$data" -m fast -l "$log")
  if [[ ${2:-} == start ]]; then command=("$programs/pg_ctl" start -s -w -D "$data" -l "$log"); fi
  if [[ -z $MANAGED_ACCOUNT ]]; then
    (cd / && "${command[@]}" >/dev/null)
  elif command -v runuser >/dev/null; then
    (cd / && runuser -u "$MANAGED_ACCOUNT" -- "${command[@]}" >/dev/null)
  else
    (cd / && sudo -E -u "$MANAGED_ACCOUNT" "${command[@]}" >/dev/null)
  fi
}

mirror -v url="$CLERK_SIM_URL" -v secret="whsec_$(printf '%s' "$secret" | openssl base64 -A)" >/dev/null 2>&1 <<'SQL'
ALTER ROLE postgres PASSWORD 'secret';
CREATE EXTENSION clerk_fdw;
CREATE SERVER clerk FOREIGN DATA WRAPPER clerk_fdw OPTIONS (api_url :'url', rate_limit '1000');
CREATE USER MAPPING FOR CURRENT_USER SERVER clerk OPTIONS (api_key 'sk_test_simulator');
CREATE SERVER elsewhere FOREIGN DATA WRAPPER clerk_fdw
  OPTIONS (api_url :'url', rate_limit '1000', updatable 'true', mirror_writes 'false');
CREATE USER MAPPING FOR CURRENT_USER SERVER elsewhere OPTIONS (api_key 'sk_test_simulator');
CREATE SCHEMA clerk;
IMPORT FOREIGN SCHEMA clerk FROM SERVER clerk INTO clerk;
SELECT clerk_fdw.create_mirror('clerk', 'app');
SELECT clerk_fdw.add_webhook_secret('app', :'secret');
CALL clerk_fdw.sync('app');
SQL
managed_superuser >/dev/null <<'SQL'
CREATE DATABASE app;
CREATE ROLE owner LOGIN CREATEROLE PASSWORD 'p@ss/%w"''';
GRANT ALL ON DATABASE app TO owner;
SELECT CASE WHEN current_setting('server_version_num')::int >= 160000 THEN 'GRANT pg_create_subscription TO owner'
            ELSE 'ALTER ROLE owner SUPERUSER' END \gexec
GRANT SET ON PARAMETER log_statement, log_min_duration_statement, log_min_error_statement TO owner;
SQL
people=()
while read -r user; do people+=("$user"); done < <(mirror -c 'SELECT user_id FROM app.users ORDER BY created_at LIMIT 20')
other_major=$(managed -c "SELECT current_setting('server_version_num')::int / 10000")
echo "# mirror host: PostgreSQL $(mirror -c 'SHOW server_version'), managed: $(managed -c 'SHOW server_version')"

# Refusals
for password in b 'b#c' 'b?c' 'b/c'; do
  check "the password $password in an argument is refused" fails_with 'sees a password in an argument' \
    connect --from "postgres://a:$password@localhost/c" --to postgres://d@localhost/e
done
mkdir "$MANAGED_HOME/echo"
printf '#!/bin/sh\necho "psql $*" >&2\nexit 1\n' >"$MANAGED_HOME/echo/psql"
chmod 755 "$MANAGED_HOME/echo/psql"
without_password() { # without_password URL: for a mirror there, psql is called without the password
  local output
  output=$(PATH=$MANAGED_HOME/echo:$PATH CLERK_MIRROR_URL=$1 examples/managed-postgres/connect.sh 2>&1) || true
  printf '%s\n' "$output"
  [[ $output == *'psql '*'postgres://a@localhost/d'* && $output != *cret* ]]
}
check 'a password with # is no argument of psql' without_password 'postgres://a:se#cret@localhost/d'
check 'a password with ? is no argument of psql' without_password 'postgres://a:se?cret@localhost/d'
check 'a password with / is refused' fails_with 'as %2F' env CLERK_MIRROR_URL=postgres://a:b/c@localhost/d \
  examples/managed-postgres/connect.sh
check 'a mirror that does not exist' fails_with 'there is no mirror "nobody"' connect --mirror nobody
check 'status before there is a subscription' fails_with 'has no subscription clerk_app' connect --status
managed -c 'CREATE SCHEMA app' -c 'CREATE TABLE app.users (id int)'
check 'a table of that name is left alone' fails_with "none of this script's" connect
managed -c 'DROP TABLE app.users'
mirror -c 'CREATE ROLE clerk_app'
check 'a role of that name is left alone' fails_with "none of this script's" connect
mirror -c 'DROP ROLE clerk_app'
mirror -c 'ALTER TABLE app.users REPLICA IDENTITY FULL'
check 'a table without a key is refused' fails_with 'replica identity' connect
mirror -c 'ALTER TABLE app.users REPLICA IDENTITY DEFAULT'

# The first copy
check 'connect' says 'a worker runs' connect
check 'first copy' arrives
if ((failures)); then
  tail -n 20 "$MANAGED_HOME/log" | sed 's/^/# /'
  echo 'Bail out!'
  exit 1
fi
check 'status has no problem' examples/managed-postgres/connect.sh --status
check 'compare' says 'app.users: 300 rows in the mirror, 300 in the managed database, equal' connect --compare
check 'row security is on' is 3 managed -c 'SELECT count(*) FROM pg_class WHERE relrowsecurity'
indexes() { "$1" -c "SELECT count(*) FROM pg_indexes WHERE schemaname = 'app'"; }
check 'indexes' is "$(indexes mirror)" indexes managed
before=$(managed -c "SELECT oid FROM pg_subscription")
check 'connect once more, where each side has to prove itself' \
  connect --via "host=127.0.0.1 port=$MIRROR_PORT dbname=postgres sslmode=require channel_binding=require"
check 'nothing was copied again' is "$before" managed -c 'SELECT oid FROM pg_subscription'
check 'first copy, still' arrives
no_password() { ! grep -nE "password=[0-9a-f]{64}|PASSWORD '[0-9a-f]{64}" "$1"; }
check 'no password in the log of the managed database' no_password "$MANAGED_HOME/log"
check 'no password in the log of the mirror host' no_password "$CLERK_FDW_SERVER_LOG"
check 'the log has statements' grep -q 'CREATE TABLE app.users' "$MANAGED_HOME/log"
check 'the role reads no other table' fails_with 'permission denied' \
  mirror -c 'SET ROLE clerk_app' -c 'SELECT * FROM clerk_fdw_internal.webhook_secret'
managed -c "UPDATE app.users SET first_name = 'Mallory' WHERE user_id = '${people[0]}'"
check 'compare finds a difference' fails_with 'PROBLEM: app.users' connect --compare
rename "${people[0]}" Ada && sync
check 'a later change mends it' arrives

# Another database
managed_superuser -c 'CREATE DATABASE reporting' -c 'GRANT ALL ON DATABASE reporting TO owner'
check 'another database needs another name' fails_with 'another database is connected as clerk_app' \
  env CLERK_MANAGED_URL="${managed_url%/app}/reporting" examples/managed-postgres/connect.sh
CLERK_MANAGED_URL=${managed_url%/app}/reporting
check 'connect another database' examples/managed-postgres/connect.sh --name clerk_reporting
check 'the other database has equal rows' connect --name clerk_reporting --compare
check 'remove the other database' connect --name clerk_reporting --remove
CLERK_MANAGED_URL=$managed_url

# Changes and deletions
rename "${people[1]}" Grace
clerk POST /users '{"first_name": "New", "email_address": ["new@example.com"], "skip_password_requirement": true}'
sync
check 'changes of a sync' arrives
state=$(mirror -c "SELECT attrs || jsonb_build_object('first_name', 'Hedy', 'updated_at', (extract(epoch FROM now()) * 1000)::int8)
                     FROM app.users WHERE user_id = '${people[2]}'")
check 'a webhook is applied' is applied webhook user.updated "$state"
check 'changes of a webhook' arrives
check 'the name that the webhook brought' is Hedy managed -c "SELECT first_name FROM app.users WHERE user_id = '${people[2]}'"
clerk DELETE "/users/${people[3]}" && sync
check 'a deletion in Clerk' arrives
check 'a deleted user is marked' is t managed -c "SELECT deleted_at IS NOT NULL FROM app.users WHERE user_id = '${people[3]}'"
mirror -c "SELECT clerk_fdw.alter_mirror('app', deletes => 'hard')" >/dev/null
clerk DELETE "/users/${people[4]}" && sync
check 'a hard deletion' arrives
check 'a hard deletion leaves no row' is 0 managed -c "SELECT count(*) FROM app.users WHERE user_id = '${people[4]}'"
mirror -c "SELECT clerk_fdw.alter_mirror('app', deletes => 'soft')" >/dev/null

# Triggers at the subscriber
managed <<'SQL'
CREATE SCHEMA own;
CREATE TABLE own.changes (user_id text);
CREATE FUNCTION own.note() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN INSERT INTO own.changes VALUES (new.user_id); RETURN new; END';
CREATE TRIGGER note AFTER UPDATE ON app.users FOR EACH ROW EXECUTE FUNCTION own.note();
SQL
rename "${people[5]}" Silent && sync
check 'a change of a table with a trigger' arrives
check 'ordinary triggers do not fire' is 0 managed -c 'SELECT count(*) FROM own.changes'
managed -c 'ALTER TABLE app.users ENABLE REPLICA TRIGGER note'
rename "${people[5]}" Loud && sync
check 'a change of a table with a replica trigger' arrives
check 'replica triggers fire' is "${people[5]}" managed -c 'SELECT user_id FROM own.changes'
managed -c 'DROP TRIGGER note ON app.users'

# A change that the managed database rejects
managed -c "ALTER TABLE app.users ADD CONSTRAINT polite CHECK (first_name <> 'Rude')"
rename "${people[5]}" Rude && sync
has_errors() { [[ $(connect --status) =~ [1-9][0-9]*\ errors\ applying ]]; }
check 'status counts what is rejected' within 20 has_errors
managed -c 'ALTER TABLE app.users DROP CONSTRAINT polite'
check 'what was rejected is applied when its reason is gone' arrives
if ((other_major >= 16)); then
  managed -c 'ALTER TABLE app.users FORCE ROW LEVEL SECURITY'
  rename "${people[5]}" Forced && sync
  check 'row security that is forced rejects changes' within 20 \
    grep -q 'cannot replicate into relation with row-level security enabled: "users"' "$MANAGED_HOME/log"
  managed -c 'ALTER TABLE app.users NO FORCE ROW LEVEL SECURITY'
  check 'changes are applied when it is not forced' arrives
fi

# Drift
mirror -c "ALTER TABLE app.users ADD COLUMN plan text DEFAULT 'free'"
check 'a new column is drift' \
  fails_with 'the column app.users.plan of the mirror is not replicated' connect --status
rename "${people[6]}" Before && sync
check 'drift stops nothing' within 20 is Before managed -c "SELECT first_name FROM app.users WHERE user_id = '${people[6]}'"
check 'refresh' examples/managed-postgres/connect.sh --refresh
check 'rows have the values of the new column' arrives
check 'status after the refresh' connect --status
mirror -c "UPDATE app.users SET plan = 'pro' WHERE user_id = '${people[6]}'"
check 'changes of the new column' arrives
check 'a column that is replicated cannot be dropped' \
  fails_with 'cannot drop column' mirror -c 'ALTER TABLE app.users DROP COLUMN plan'
mirror -c 'ALTER TABLE app.users DROP COLUMN plan CASCADE' 2>/dev/null
check 'dropping it with CASCADE makes the table drift' \
  fails_with 'the table app.users of the mirror is not replicated' connect --status
rename "${people[6]}" Meanwhile && sync
check 'refresh copies that table anew' says 'emptied the table app.users' connect --refresh
managed -c 'ALTER TABLE app.users DROP COLUMN plan'
check 'the copy has what changed meanwhile' arrives
# Objects of a mirror are chosen when it is made.
mirror >/dev/null <<'SQL'
SELECT clerk_fdw.drop_mirror('app');
SELECT clerk_fdw.create_mirror('clerk', 'app', '{users, organizations, organization_memberships, invitations}');
SQL
sync
check 'a mirror that was made anew is drift' \
  fails_with 'the table app.invitations of the mirror is not replicated' connect --status
check 'refresh after that' connect --refresh
tables+=(invitations)
check 'rows of the new mirror' arrives

# Restarts
restart managed stop
rename "${people[7]}" Away && sync
check 'status shows that the managed database is away' fails_with 'the managed database cannot be asked' connect --status
restart managed start
check 'changes while the managed database was away' arrives
restart mirror stop
sleep 1
restart mirror start
rename "${people[8]}" Restarted && sync
check 'changes after a restart of the mirror host' arrives

# Lag
managed -c 'ALTER SUBSCRIPTION clerk_app DISABLE'
rename "${people[9]}" Late && sync
behind() { connect --status | sed -n 's/^slot .* \([0-9]*\) bytes behind .*/\1/p'; }
is_behind() { (($(behind) > 1000)); }
is_level() { (($(behind) < 1000)); }
check 'status shows the lag' is_behind
check 'status shows that the subscription is disabled' fails_with 'the subscription is disabled' connect --status
managed -c 'ALTER SUBSCRIPTION clerk_app ENABLE'
check 'the lag goes' arrives
check 'the lag is nothing in the end' within 20 is_level
check 'status has no problem again' within 20 connect --status

# A slot that is lost
managed -c 'ALTER SUBSCRIPTION clerk_app DISABLE'
within 20 is f mirror -c "SELECT active FROM pg_replication_slots WHERE slot_name = 'clerk_app'" >/dev/null
mirror -c "SELECT pg_drop_replication_slot('clerk_app')" >/dev/null
rename "${people[10]}" Lost && sync
check 'status shows that the slot is gone' fails_with 'the mirror host has no slot clerk_app' connect --status
check 'connect copies everything anew' says 'is gone: copying everything anew' connect
check 'the copy has what the slot did not' arrives

# Row security at the subscriber
managed_superuser -d app -c 'CREATE ROLE authenticated'
managed -f "$top/examples/managed-postgres/row-security.sql"
member=$(mirror -c 'SELECT user_id FROM app.organization_memberships GROUP BY 1 ORDER BY count(*) DESC, 1 LIMIT 1')
seen() { managed_superuser -d app -c 'SET ROLE authenticated' -c "SET request.jwt.claims = '$1'" -c "$2"; }
claims="{\"sub\": \"$member\"}"
check 'a user sees themselves' is "$member" seen "$claims" 'SELECT user_id FROM app.users'
memberships=$(mirror -c "SELECT count(*) FROM app.organization_memberships WHERE user_id = '$member'")
check 'a user sees their organizations' is "$memberships" seen "$claims" 'SELECT count(*) FROM app.organizations'
check 'a user sees their memberships' is "$memberships" seen "$claims" 'SELECT count(*) FROM app.organization_memberships'
check 'nobody else sees anything' is 0 seen '' 'SELECT count(*) FROM app.organizations'
check 'nobody sees attrs' fails_with 'permission denied' seen "$claims" 'SELECT attrs FROM app.users'
clerk POST "/users/$member/ban" && sync && arrives
check 'a banned user sees nothing' is 0 seen "$claims" 'SELECT count(*) FROM app.organizations'

# Live queries through postgres_fdw
export CLERK_READER_PASSWORD='reader "s" pass'
export CLERK_MIRROR_HOST=127.0.0.1 CLERK_MIRROR_PORT=$MIRROR_PORT CLERK_MIRROR_DATABASE=postgres
CLERK_SECRET_KEY=sk_test_simulator mirror -f "$top/examples/managed-postgres/live-mirror-host.sql"
managed_superuser -d app -c 'CREATE EXTENSION postgres_fdw' \
  -c 'GRANT USAGE ON FOREIGN DATA WRAPPER postgres_fdw TO owner'
check 'live tables' managed -f "$top/examples/managed-postgres/live-managed.sql"
requests() { awk 'END { print NR }' "$CLERK_SIM_REQUEST_LOG"; }
asked=$(requests)
check 'a live query' is "${people[11]}" managed -c "SELECT user_id FROM clerk.users WHERE user_id = '${people[11]}'"
check 'a live query is one request' is $((asked + 1)) requests
check 'live rows' is "$(mirror -c 'SELECT count(*) FROM clerk.organizations')" managed -c 'SELECT count(*) FROM clerk.organizations'
check 'a live join with a replicated table' is "${people[11]}" \
  managed -c "SELECT l.user_id FROM app.users u JOIN clerk.users l USING (user_id) WHERE u.user_id = '${people[11]}'"
no_reader() { ! grep -n 'reader "s" pass' "$1"; }
check 'the password of the reader is not in the log of the mirror host' no_reader "$CLERK_FDW_SERVER_LOG"
check 'the password of the reader is not in the log of the managed database' no_reader "$MANAGED_HOME/log"

# Removal
check 'remove' examples/managed-postgres/connect.sh --remove
check 'nothing is left at the mirror host' is '0|0|0' mirror -c "SELECT (SELECT count(*) FROM pg_replication_slots),
  (SELECT count(*) FROM pg_publication), (SELECT count(*) FROM pg_roles WHERE rolname = 'clerk_app')"
check 'no subscription is left' is 0 managed -c 'SELECT count(*) FROM pg_subscription'
check 'the tables are left' is 4 managed -c "SELECT count(*) FROM pg_tables WHERE schemaname = 'app'"
rename "${people[12]}" Between && sync
managed_superuser -c 'REVOKE SET ON PARAMETER log_statement FROM owner'
check 'connect after the removal warns of a log that it cannot stop' says 'log_statement is all, and owner may not change it' connect
check 'connect copies anew after the removal' arrives
check 'tables that something depends on stay' \
  fails_with 'clerk_access.organizations() depends on' connect --remove --drop-tables
managed -c 'DROP SCHEMA clerk_access CASCADE' 2>/dev/null
check 'remove with the tables' connect --remove --drop-tables
check 'no table is left' is 0 managed -c "SELECT count(*) FROM pg_tables WHERE schemaname = 'app'"
check 'remove once more' connect --remove
mirror -c "ALTER SYSTEM SET wal_level = 'replica'"
restart mirror
check 'wal_level is checked' fails_with 'wal_level of the mirror host is replica' connect

echo "1..$number"
((failures == 0))
