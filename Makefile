# `make` alone lists what there is. Everything installs what it needs.

# Port of `make dev`, and the folder of its local store (the same one that plain `npx wrangler dev` uses).
PORT ?= 8787
STATE ?= .wrangler/state
export PORT STATE

# The packages bring a newer Node than the machine may have.
NODE = PATH="$(CURDIR)/node_modules/.bin:$$PATH"; export PATH; exec node

.PHONY: help dev test check build bench deploy install

help: ## Lists the commands.
	@sed -n 's/^\([a-z]*\):.*## /make \1|/p' Makefile | while IFS='|' read -r name text; do printf '%-14s%s\n' "$$name" "$$text"; done

dev: install ## Runs Backtrail on this machine with a demo namespace; PORT and STATE may be set.
	@sh scripts/build.sh --dev
	@$(NODE) scripts/dev.js

test: ## Runs every check and test, end-to-end tests included.
	@sh scripts/test.sh

check: ## Runs every check and test but the end-to-end tests.
	@sh scripts/test.sh --no-e2e

build: install ## Builds the Worker into build/.
	@sh scripts/build.sh

bench: build ## Measures against workers written by hand in JavaScript.
	@$(NODE) bench/run.js

deploy: build ## Applies the migrations to the database on Cloudflare, then deploys [env.production]; see docs/deploying.md.
	@PATH="$(CURDIR)/node_modules/.bin:$$PATH"; export PATH; wrangler d1 migrations apply DB --env production --remote && wrangler deploy --env production

install: ## Installs what is missing: Rust target, cargo and npm tools.
	@sh scripts/install.sh
