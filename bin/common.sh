# shellcheck shell=bash
# What the scripts beside this file share. To be sourced, by bash 3.2 (macOS) or newer.

top=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
# shellcheck disable=SC2034 # used by the scripts that source this file
target=${CARGO_TARGET_DIR:-$top/target}

say() { printf '==> %s\n' "$*" >&2; }
die() {
  printf '%s: %s\n' "${0##*/}" "$*" >&2
  exit 1
}

# The version of this project, from the one place that cargo reads.
cargo_version() { sed -n '/^\[workspace.package\]/,/^\[[^w]/ s/^version = "\(.*\)"$/\1/p' "$top/Cargo.toml"; }
meta_version() { sed -n 's/^  "version": "\(.*\)",$/\1/p' "$top/META.json"; }

has_headers() { "$1" --version >/dev/null 2>&1 && [[ -f $("$1" --includedir-server)/postgres.h ]]; }

# The major version of the Postgres of a pg_config; ends with an error if this project is not for it.
supported_major() {
  local version major
  version=$("$1" --version 2>/dev/null) || die "PG_CONFIG=$1 is no program that runs; set it to …/bin/pg_config of a PostgreSQL from 15 to 18"
  major=${version#PostgreSQL }
  major=${major%%[!0-9]*}
  [[ $major == 1[5-8] ]] || die "$1 is of $version; clerk_fdw needs PostgreSQL 15 to 18 (set PG_CONFIG=…/bin/pg_config)"
  has_headers "$1" || die "the $version of $1 lacks its server headers; install them (on Debian postgresql-server-dev-$major) or set PG_CONFIG"
  echo "$major"
}

# The pg_config that is meant if none is named: the one on PATH, unless that lacks the headers. Debian's is that of the
# newest client, which may be newer than the server.
default_pg_config() {
  local config chosen=
  if ! has_headers pg_config; then
    for config in /usr/lib/postgresql/1[5-8]/bin/pg_config; do
      if [[ -x ${config%/*}/postgres ]] && has_headers "$config"; then chosen=$config; fi
    done
  fi
  echo "${chosen:-pg_config}"
}

# The pg_config that PG_CONFIG names, or the default one.
chosen_pg_config() {
  if [[ ${PG_CONFIG:-pg_config} == pg_config ]]; then default_pg_config; else echo "$PG_CONFIG"; fi
}

# Sets and exports PG_CONFIG, the absolute path of the pg_config in the chosen Postgres's own directory of
# programs. Debian's /usr/bin/pg_config is a script that runs that one; naming both by turns would make cargo
# rebuild pgrx each time, because pgrx watches the variable.
find_postgres() {
  local given
  given=$(chosen_pg_config)
  pg_major=$(supported_major "$given") || exit 1
  PG_CONFIG=$(command -v "$given")
  local own
  own=$("$PG_CONFIG" --bindir)/pg_config
  if [[ -x $own ]]; then PG_CONFIG=$own; fi
  export PG_CONFIG PGRX_PG_CONFIG_PATH=$PG_CONFIG
  # One package for each installation: the paths inside it are that installation's. Not below CARGO_TARGET_DIR, which
  # `sudo make install` does not know any more, and which several checkouts may share.
  # shellcheck disable=SC2034
  package=$top/target/package/pg$pg_major$("$PG_CONFIG" --pkglibdir | tr / -)
  # A loadable library has symbols that only the server defines; macOS's linker has to be told.
  if [[ $(uname) == Darwin && ${RUSTFLAGS:-} != *dynamic_lookup* ]]; then
    export RUSTFLAGS="${RUSTFLAGS:-} -Clink-arg=-Wl,-undefined,dynamic_lookup"
  fi
}

pgrx_version() { sed -n 's/^pgrx = .*"=\([0-9.]*\)".*/\1/p' "$top/Cargo.toml"; }

# Sets cargo_pgrx to a program of exactly the version that Cargo.toml asks for; pgrx refuses any other.
find_cargo_pgrx() {
  for cargo_pgrx in "$target/tools/bin/cargo-pgrx" "$(command -v cargo-pgrx)"; do
    if [[ -x $cargo_pgrx && $("$cargo_pgrx" pgrx --version 2>/dev/null) == "cargo-pgrx $(pgrx_version)" ]]; then return; fi
  done
  return 1
}

deny_version=0.20.2

# Sets cargo_deny to a program of that version: others may judge differently.
find_cargo_deny() {
  for cargo_deny in "$target/tools/bin/cargo-deny" "$(command -v cargo-deny)"; do
    if [[ -x $cargo_deny && $("$cargo_deny" --version 2>/dev/null) == "cargo-deny $deny_version" ]]; then return; fi
  done
  return 1
}

mdbook_version=0.5.4

# Sets mdbook to a program of that version: others may write another book.
find_mdbook() {
  for mdbook in "$target/tools/bin/mdbook" "$(command -v mdbook)"; do
    if [[ -x $mdbook && $("$mdbook" --version 2>/dev/null) == "mdbook v$mdbook_version" ]]; then return; fi
  done
  return 1
}

# Runs COMMAND until it ends or this script is told to end, and returns its status. In the background, because
# bash puts off its traps while it waits for a foreground command; with Ctrl-C restored, because bash makes
# background commands ignore it.
supervise() {
  local child status=0
  (
    trap - INT
    exec "$@"
  ) <&0 &
  child=$!
  # A terminal sends Ctrl-C to the command as well, and psql goes on after it: so the command decides.
  trap '[[ -t 0 ]] || kill -INT "$child" 2>/dev/null || true' INT
  trap 'kill "$child" 2>/dev/null; exit 143' TERM HUP
  while :; do
    status=0
    wait "$child" || status=$?
    kill -0 "$child" 2>/dev/null || return "$status"
  done
}
