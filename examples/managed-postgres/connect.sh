#!/usr/bin/env bash
# Replicates a clerk_fdw mirror into a Postgres that cannot have the extension (RDS, Cloud SQL, Neon, Supabase, …), with
# PostgreSQL's own logical replication. docs/guide/managed-postgres.md explains it. The SQL is in sql/ beside this file.
set -euo pipefail
sql=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)/sql

usage() {
  cat <<'USAGE'
usage: connect.sh [--from CONNECTION] [--to CONNECTION] [--mirror app] [--name clerk_app] [--via CONNECTION] [--wait 600]
                  [--status | --compare | --refresh | --remove [--drop-tables]]

Without an action: sets both ends up, or brings them up to date, and waits until the tables are copied. Run it as often
as you like; each time it gives the subscription a new password.

  --status       lag, state of each table, errors, drift; the exit status is 1 if anything is wrong
  --compare      compares the rows of both ends
  --refresh      takes over tables and columns that are new in the mirror
  --remove       drops subscription, slot, publication and role; with --drop-tables the replicated tables too

  --from         the mirror host, as a superuser            (default: $CLERK_MIRROR_URL)
  --to           the managed database, as a role that may create subscriptions  (default: $CLERK_MANAGED_URL)
  --mirror       the mirror's name
  --name         the name of subscription, slot, publication and role; another one for each managed database
  --via          how the managed database reaches the mirror host, as 'host=… port=… dbname=… sslmode=…'; the default is
                 host, port and database of --from with sslmode=require channel_binding=require, loopback excepted
  --wait         for how many seconds to wait for the copy

Passwords belong in $CLERK_MIRROR_URL and $CLERK_MANAGED_URL (as URLs), in ~/.pgpass or in a service file. Only psql 15 or
newer is needed.
USAGE
}

die() {
  printf 'connect.sh: %s\n' "$*" >&2
  exit 1
}
say() { printf '%s\n' "$*"; }

action=setup drop_tables='' from='' to='' mirror=app name='' via='' wait_seconds=600
while (($#)); do
  case $1 in
    --from | --to | --mirror | --name | --via | --wait)
      (($# > 1)) || die "$1 needs a value"
      case $1 in
        --from) from=$2 ;;
        --to) to=$2 ;;
        --mirror) mirror=$2 ;;
        --name) name=$2 ;;
        --via) via=$2 ;;
        --wait) wait_seconds=$2 ;;
      esac
      shift
      ;;
    --status | --compare | --refresh | --remove) action=${1#--} ;;
    --drop-tables) drop_tables=1 ;;
    --help | -h)
      usage
      exit
      ;;
    *) die "unknown argument $1; see --help" ;;
  esac
  shift
done
name=${name:-clerk_$mirror}
[[ $name =~ ^[a-z_][a-z0-9_]{0,62}$ ]] || die "'$name' cannot be the name of a replication slot: use a-z, 0-9 and _ in --name"
[[ $wait_seconds =~ ^[0-9]+$ ]] || die "--wait takes a number of seconds"
[[ $via != *://* && $via != *password* ]] || die "--via has the form 'host=… port=… dbname=…', without user and password"
[[ -z $drop_tables || $action == remove ]] || die "--drop-tables belongs to --remove"
command -v psql >/dev/null || die "psql is needed"

# The process list shows arguments to everybody, but the environment to nobody else. So a password stays out of both this
# script's arguments and psql's, which gets it as PGPASSWORD.
# In a URL it ends with the first @, whatever else is in it. With a / before that, psql would find no password there.
url_password='^(postgres(ql)?://[^:/@]*):([^@/]*)@(.*)$'
unclear_password='^postgres(ql)?://[^@]*:[^@]*/[^@]*@'
for given in "$from" "$to"; do
  if [[ $given =~ $url_password || $given =~ $unclear_password || $given == *password* ]]; then
    die "everybody on this machine sees a password in an argument: use \$CLERK_MIRROR_URL, \$CLERK_MANAGED_URL or ~/.pgpass"
  fi
done
from=${from:-${CLERK_MIRROR_URL:-}} to=${to:-${CLERK_MANAGED_URL:-}}
[[ -n $from ]] || die "say where the mirror is, with --from or \$CLERK_MIRROR_URL"
[[ -n $to ]] || die "say where the managed database is, with --to or \$CLERK_MANAGED_URL"
# shellcheck disable=SC2034 # named in at_mirror and at_managed
from_password=${PGPASSWORD:-} to_password=${PGPASSWORD:-}
take_password() { # take_password VARIABLE: moves the password of that URL into VARIABLE_password
  if [[ ${!1} =~ $url_password ]]; then
    local encoded=${BASH_REMATCH[3]//\\/\\\\}
    printf -v "$1" '%s@%s' "${BASH_REMATCH[1]}" "${BASH_REMATCH[4]}"
    printf -v "$1_password" '%b' "${encoded//%/\\x}"
  elif [[ ${!1} =~ $unclear_password || ${!1} == *password* ]]; then
    die "write a connection with a password as postgres://user:password@host/database, and in the password / as %2F, @ as %40"
  fi
}
take_password from
take_password to

# at_mirror and at_managed run the SQL on their standard input, with the names in settings where DO can read them. Names in
# the SQL are resolved in pg_catalog alone, and both ends print values alike.
prelude="SET client_min_messages = warning;
SET search_path = pg_catalog, pg_temp;
SET client_encoding = 'UTF8';
SET DateStyle = ISO;
SET TimeZone = 'UTC';
SET IntervalStyle = postgres;
SET extra_float_digits = 1;
SET bytea_output = hex;
SELECT set_config('clerk.name', :'name', false), set_config('clerk.mirror', :'mirror', false),
       set_config('clerk.mark', :'mark', false) \\gset ignored_
SET client_min_messages = notice;"
mark="Replicated from a clerk_fdw mirror by the subscription $name. Do not write here."
run() { # run PASSWORD CONNECTION
  local password=$1 connection=$2
  { printf '%s\n' "$prelude" && cat; } |
    PGPASSWORD=$password PGAPPNAME=connect.sh PGCONNECT_TIMEOUT=${PGCONNECT_TIMEOUT:-20} psql -XqAtw \
      -v ON_ERROR_STOP=1 -v name="$name" -v mirror="$mirror" -v mark="$mark" -d "$connection"
}
at_mirror() { run "$from_password" "$from"; }
at_managed() { run "$to_password" "$to"; }

# What the mirror has, as JSON in base64: the managed database reads it as data. What the mirror host says never gets
# there as SQL.
describe() {
  tables=$(at_mirror <"$sql/describe.sql") || return
  [[ $tables =~ ^[A-Za-z0-9+/=]+$ ]] || die "the mirror host describes its tables in a way that is none"
}
# The SQL of FILE, with that in the setting clerk.tables.
with_tables() {
  printf "SELECT set_config('clerk.tables', convert_from(decode('%s', 'base64'), 'UTF8'), false) %s\n" "$tables" '\gset ignored_'
  cat "$sql/$1"
}

# "none", "enabled" or "disabled"
subscription() { at_managed <"$sql/subscription.sql"; }
# "none", "active", "inactive" or "lost"
slot() { at_mirror <"$sql/slot.sql"; }

# With its slot, and the slots of tables that are being copied; or alone, if the mirror host does not answer or has no slot.
drop_subscription() {
  if at_managed <<<'DROP SUBSCRIPTION :"name";' 2>/dev/null; then return; fi
  at_managed <<'SQL'
ALTER SUBSCRIPTION :"name" DISABLE;
ALTER SUBSCRIPTION :"name" SET (slot_name = NONE);
DROP SUBSCRIPTION :"name";
SQL
}

quoted() { # a value of a connection string
  local value=${1//\\/\\\\}
  printf "'%s'" "${value//\'/\\\'}"
}

# Gives the role a new password, and makes or changes the subscription, which connects with it. Nobody else has to know the
# password, so nobody chooses it: it has 244 random bits.
connect_subscription() { # connect_subscription CREATE|ALTER
  local password host port dbname statement
  if [[ -z $via ]]; then
    { read -r host && read -r port && read -r dbname; } < <(at_mirror <<<$'\\echo :HOST\n\\echo :PORT\n\\echo :DBNAME')
    via="host=$(quoted "$host") port=$port dbname=$(quoted "$dbname")"
    # SCRAM with channel binding proves to each side that the other knows the password, over this very TLS connection:
    # nobody can stand in between, whoever signed the certificate.
    case $host in /* | localhost | 127.* | ::1) ;; *) via+=' sslmode=require channel_binding=require' ;; esac
  fi
  if [[ $via != *connect_timeout* ]]; then via+=' connect_timeout=20'; fi
  password=$(at_mirror <<<"SELECT encode(sha256((gen_random_uuid() || '/' || gen_random_uuid())::bytea), 'hex')")
  [[ $password =~ ^[0-9a-f]{64}$ ]] || die "the mirror host made no password"
  {
    cat "$sql/unlogged.sql"
    printf '%s\n' "SET password_encryption = 'scram-sha-256';" "ALTER ROLE :\"name\" PASSWORD '$password';"
  } | at_mirror
  case $1 in
    CREATE) statement='CREATE SUBSCRIPTION :"name" CONNECTION :'\''connection'\'' PUBLICATION :"name";' ;;
    ALTER) statement='ALTER SUBSCRIPTION :"name" CONNECTION :'\''connection'\''; ALTER SUBSCRIPTION :"name" ENABLE;' ;;
  esac
  {
    cat "$sql/unlogged.sql"
    printf '\\set connection '
    quoted "$via user=$name password=$password"
    printf '\n%s\n' "$statement"
  } | at_managed
}

refresh() {
  # Tables that the publication has lost leave the subscription first, so that they are copied anew.
  at_managed <<<'ALTER SUBSCRIPTION :"name" REFRESH PUBLICATION;'
  with_tables prepare.sql | at_managed
  with_tables publish.sql | at_mirror
  at_managed <<<'ALTER SUBSCRIPTION :"name" REFRESH PUBLICATION;'
}

await_copy() {
  local deadline=$((SECONDS + wait_seconds)) waiting errors
  while :; do
    IFS='|' read -r waiting errors < <(at_managed <"$sql/copying.sql")
    ((waiting)) || return 0
    ((SECONDS < deadline)) || die "$waiting tables are not copied after $wait_seconds s, with $errors errors." \
      "The log of the managed database says why; --status shows how it goes on."
    sleep 0.5
  done
}

# Prints lines, of which those that begin with PROBLEM say what is wrong.
status() {
  with_tables status-mirror.sql | at_mirror || say 'PROBLEM: the mirror host cannot be asked'
  with_tables status-managed.sql | at_managed || say 'PROBLEM: the managed database cannot be asked'
}

# Prints a line for each table; fails if one differs.
compare() {
  local theirs ours position deadline tries=0
  while :; do
    position=$(at_mirror <<<'SELECT pg_current_wal_insert_lsn()')
    theirs=$(with_tables digests.sql | at_mirror)
    deadline=$((SECONDS + wait_seconds))
    until [[ $({ printf "\\\\set position '%s'\n" "$position" && cat "$sql/reached.sql"; } | at_mirror) == t ]]; do
      ((SECONDS < deadline)) || die "the managed database is still behind after $wait_seconds s"
      sleep 0.2
    done
    ours=$(with_tables digests.sql | at_managed)
    # What differs may have changed in between.
    if [[ $theirs == "$ours" ]] || ((++tries == 3)); then break; fi
  done
  join -t '|' <(sort <<<"$theirs") <(sort <<<"$ours") | awk -F'|' '
    { same = $2 == $4 && $3 == $5; if (!same) bad = 1
      printf "%s%s: %d rows in the mirror, %d in the managed database, %s\n", same ? "" : "PROBLEM: ", $1, $2, $4,
        same ? "equal" : "different" }
    END { exit bad }'
}

setup() {
  local subscribed held
  at_mirror <"$sql/check-mirror.sql"
  at_managed <"$sql/check-managed.sql"
  describe
  subscribed=$(subscription)
  held=$(slot)
  if [[ $subscribed == none && $held == active ]]; then
    die "another database is connected as $name: choose another --name, or --remove that one first"
  fi
  if [[ $subscribed != none && ($held == none || $held == lost) ]]; then
    say "The slot $name is ${held/none/gone}: copying everything anew."
    drop_subscription
    subscribed=none
  fi
  if [[ $subscribed == none ]]; then
    at_mirror <"$sql/drop-slot.sql"
    with_tables prepare.sql | at_managed
    with_tables publish.sql | at_mirror
    connect_subscription CREATE
  else
    connect_subscription ALTER
    refresh
  fi
  await_copy
  status
}

remove() {
  if [[ $(subscription) != none ]]; then drop_subscription; fi
  at_mirror <<<'SELECT' >/dev/null || die "the managed database is disconnected, but the mirror host cannot be reached:" \
    "run this again when it can, because its slot $name keeps WAL until then"
  at_mirror <"$sql/drop-slot.sql"
  at_mirror <"$sql/unpublish.sql"
  if [[ -n $drop_tables ]]; then at_managed <"$sql/drop-tables.sql"; fi
}

case $action in
  setup) setup ;;
  refresh)
    [[ $(subscription) != none ]] || die "there is no subscription $name yet: run this script without --refresh"
    describe
    refresh
    await_copy
    ;;
  status)
    describe || tables=$(printf '[]' | base64)
    lines=$(status)
    printf '%s\n' "$lines"
    [[ $lines != *PROBLEM:* ]]
    ;;
  compare)
    describe
    compare
    ;;
  remove) remove ;;
esac
