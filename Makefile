# Every target is a short script in bin/ that runs by itself as well. `make help` lists them.

PG_CONFIG ?= pg_config
export PG_CONFIG

.PHONY: all help package install uninstall installcheck test lint demo demo-psql bench fuzz soak docs dist release-sql hook deb clean

all: package ## build the extension for the Postgres of PG_CONFIG (installs what the build lacks)

help: ## show this list
	@echo 'make [TARGET] [PG_CONFIG=/path/to/pg_config]'
	@sed -n 's/^\([a-z-]*\):[^#]*## \(.*\)/  \1 | \2/p' Makefile | awk -F' [|] ' '{ printf "%-14s %s\n", $$1, $$2 }'

package: ## the same, laid out below target/package/ as it will be installed
	@bin/build

install: package ## install what is built into that Postgres (DESTDIR is prepended)
	@bin/install

uninstall: ## remove it from that Postgres
	@bin/install --remove

installcheck: ## the SQL tour against your running server, which has the extension (PGHOST, PGPORT, …; REGRESS='a b')
	@bin/installcheck

test: ## everything: format, lints, unit and integration tests in a throwaway Postgres (T=pushdown::like: those named so)
	@bin/test $(if $(T),'$(T)')

lint: ## format, shellcheck, clippy, and cargo-deny's licenses, advisories and duplicate crates
	@bin/test --lint

soak: ## ten minutes, or DURATION=seconds, of everything at once, with kills, restarts and faults
	@bin/soak $(DURATION)

demo: ## a throwaway Postgres over a simulated Clerk, or over yours with CLERK_SECRET_KEY in the environment
	@bin/demo

demo-psql: ## the demo, then psql in it
	@bin/demo --psql

bench: package ## the benchmarks (ARGS='…')
	@bin/bench $(ARGS)

fuzz: ## fuzz what takes bytes from outside, each target for a minute (ARGS='--seconds 600 page')
	@bin/fuzz $(ARGS)

docs: ## write what the code knows into docs/, and build the book in target/book
	@bin/docs

dist: ## clerk_fdw-VERSION.zip of the committed tree, for PGXN
	@bin/dist

release-sql: ## keep the install script of this release in sql/releases/, for tests of later updates
	@bin/release-sql

hook: ## build the webhook server, target/release/clerk-hook
	cargo build --release --locked --package clerk-hook

deb: ## Debian packages of the extension and of the webhook server, in target/deb/
	@bin/deb

clean: ## remove what was built
	cargo clean
	rm -f clerk_fdw-*.zip
