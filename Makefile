# Two commands: `make demo` shows everything, `make test` checks everything. Both install what is missing.

SHELL := /bin/bash
CARGO ?= cargo
TARGET := wasm32-unknown-unknown
PLUGIN := target/plugins/template-by-stream.wasm
DENY := target/tools/bin/cargo-deny
NODE := target/tools/node
SECONDS ?= 40
FLOW ?= 1
export CARGO_TERM_COLOR ?= auto
# Where the system's Node.js is too old, setup-languages puts another one here.
export PATH := $(CURDIR)/$(NODE)/node_modules/node/bin:$(PATH)

# Installs what a recipe found missing, or says what to type.
define INSTALL
if [ -n "$$missing" ]; then \
		if [ "$$(id -u)" = 0 ]; then sudo=""; else sudo="sudo"; fi; \
		echo "installing:$$missing"; \
		$$sudo apt-get update -q && $$sudo env DEBIAN_FRONTEND=noninteractive apt-get install -qy --no-install-recommends $$missing \
			|| { echo "please install:$$missing"; exit 1; }; \
	fi
endef

.PHONY: demo test lint fmt setup setup-languages build plugins bench bench-policies bench-languages bench-engines help

help: ## List the commands
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 18

demo: setup build plugins ## Record a live stream and watch what becomes of it (SECONDS=40 FLOW=1..4)
	target/debug/reprise demo --flow $(FLOW) --seconds $(SECONDS) --plugin $(PLUGIN) $(DEMO)

test: setup setup-languages lint build ## Run every check and every test
	$(CARGO) test --workspace --exclude reprise-test-guests --no-fail-fast

lint: setup $(DENY) ## Format, lints, licences and bans
	$(CARGO) fmt --all --check
	$(CARGO) clippy --workspace --all-targets -- -D warnings
	$(DENY) --config host/deny.toml check licenses bans sources
	@$(DENY) --config host/deny.toml check advisories 2> target/advisories.log || { \
		if grep -q 'advisory database' target/advisories.log && grep -qiE 'fail|unable|could not' target/advisories.log; \
		then echo "advisories: the data base cannot be had here, so they are not checked"; \
		else cat target/advisories.log; exit 1; fi; }

fmt: ## Format everything
	$(CARGO) fmt --all

# One set of features with the tests, so that dependencies are built once.
build:
	$(CARGO) build --workspace --exclude reprise-test-guests --bin reprise

plugins: build
	@mkdir -p target/plugins
	target/debug/reprise plugin build plugins/template-by-stream --profile plugin --output $(PLUGIN)
	target/debug/reprise plugin build plugins/callback-fields --profile plugin --output target/plugins/callback-fields.wasm
	target/debug/reprise plugin build plugins/sports-highlights --profile plugin --output target/plugins/sports-highlights.wasm

bench: setup ## Print the figures that README quotes
	$(CARGO) bench -p reprise-policy
	$(CARGO) build --release
	$(CARGO) run --release -p reprise-tests --bin bench
	$(CARGO) run --release -p reprise-tests --bin bench ladder 60 300 900
	$(CARGO) run --release -p reprise-tests --bin bench-compose

bench-policies: setup ## Swaps, hostile components, backtests and 5,000 tenants: minutes each
	$(CARGO) build --release --workspace --exclude reprise-test-guests --bins
	target/release/bench-policies

bench-languages: setup setup-languages ## One policy in three languages: its size, and what a call costs
	$(CARGO) build --release --workspace --exclude reprise-test-guests --bins
	@mkdir -p target/plugins
	@for folder in plugins/template-by-stream tests/guests-js tests/guests-python; do \
		product=target/plugins/bench-$$(basename $$folder).wasm; \
		target/release/reprise plugin build $$folder --profile plugin --output $$product > /dev/null || exit 1; \
		echo "$$folder: $$(stat -c %s $$product) bytes"; \
		target/release/reprise plugin bench $$product --cases tests/fixtures/languages/cases.json --seconds 10 || exit 1; \
	done

bench-engines: setup ## The same decision in other engines; builds them first
	cd tests/engines && $(CARGO) run --release

# Whatever a fresh Debian or Ubuntu with rustup lacks.
setup:
	@command -v cargo > /dev/null || { echo "Rust is missing: install rustup, see https://rustup.rs"; exit 1; }
	@rustup target list --installed | grep -q '^$(TARGET)$$' || rustup target add $(TARGET)
	@rustup component list --installed | grep -q '^clippy' || rustup component add clippy
	@rustup component list --installed | grep -q '^rustfmt' || rustup component add rustfmt
	@missing=""; \
	command -v cc > /dev/null || missing="$$missing build-essential"; \
	command -v ffmpeg > /dev/null && command -v ffprobe > /dev/null || missing="$$missing ffmpeg"; \
	python3 -c 'import venv, ensurepip' > /dev/null 2>&1 || missing="$$missing python3-venv"; \
	$(INSTALL)

# What the tests need beside that: the tools of the other languages that policies are written in.
setup-languages:
	@missing=""; \
	command -v node > /dev/null && command -v npm > /dev/null || missing="$$missing nodejs npm"; \
	command -v clang > /dev/null && command -v wasm-ld > /dev/null || missing="$$missing clang lld"; \
	$(INSTALL)
	@node -e 'const [a, b] = process.versions.node.split("."); process.exit(a > 20 || (a == 20 && b >= 19) ? 0 : 1)' || { \
		echo "Node.js $$(node --version) is too old for componentize-js: node@22 goes to $(NODE)"; \
		npm install --no-audit --no-fund --loglevel=error --prefix $(NODE) node@22; }

$(DENY):
	$(CARGO) install --quiet --debug --locked --root target/tools cargo-deny@0.20.2
