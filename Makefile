# What a person does with this clone. Belongs here: building the environment once, and naming the
# commands. What the commands do is in cdp/cli.py.

.DEFAULT_GOAL := help
BIN := .venv/bin
export DO_NOT_TRACK := 1
export NO_MKDOCS_2_WARNING := 1
PYTHON_WANTED := >=3.11,<3.14

# make demo PEOPLE=100000 DAYS=30 SEED=7, or make demo ARGS="--people 100000"
DEMO_ARGS = $(if $(PEOPLE),--people $(PEOPLE)) $(if $(DAYS),--days $(DAYS)) \
	$(if $(SEED),--seed $(SEED)) $(ARGS)

.PHONY: help demo test test-kill test-engines test-any-input test-identity dev bench docs reference docs-serve lint format lock env engines clean

help: ## Say what can be made
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | \
		awk -F ':.*## ' '{ printf "  make %-15s %s\n", $$1, $$2 }'

demo: .venv/ready ## Generate a shop, run the whole way, show its segments (PEOPLE= DAYS= SEED=)
	@$(BIN)/cdp demo $(strip $(DEMO_ARGS))

test: .venv/ready ## Run the tests (ARGS="-k word" for some of them)
	@$(BIN)/python -m pytest -m "not kill and not engines" $(ARGS)

test-engines: .venv/engines ## Run a whole shop beside DuckDB: on Spark (a folder, S3, a cluster), on fakesnow
	@$(BIN)/python -m pytest -m engines $(ARGS)

test-kill: .venv/ready ## Run the long sweeps that kill processes hundreds of times
	@$(BIN)/python -m pytest -m kill $(ARGS)

dev: .venv/ready ## Open Dagster's UI with the demo shop loaded, or with what has been run here
	@$(BIN)/cdp dev --shop $(ARGS)

test-any-input: .venv/ready ## Run the property tests on many thousands of generated inputs
	@$(BIN)/python -m pytest tests/ingestion/test_any_input.py --hypothesis-profile sweep $(ARGS)

test-identity: .venv/ready ## Run the property tests of who is who on many histories; takes hours
	@$(BIN)/python -m pytest tests/identity/test_against_an_oracle.py tests/models/test_identity_any_history.py \
		--hypothesis-profile sweep $(ARGS)

bench: .venv/ready ## Measure, side by side with a peer; results go to benchmarks/results/
	@$(BIN)/python -m benchmarks $(ARGS)

docs: .venv/ready ## Build the documentation into site/
	@$(BIN)/mkdocs build --strict --quiet

reference: .venv/ready ## Write the generated parts of docs/reference/ anew
	@$(BIN)/python -m cdp.reference

docs-serve: .venv/ready ## Read the documentation in a browser while writing it
	@$(BIN)/mkdocs serve

# With the engines' packages, since types are checked against them.
lint: .venv/engines ## Check style, types, SQL and documentation
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	@# In a data home of its own: rendering a model opens the warehouse.
	home=$$(mktemp -d) && CDP_HOME=$$home $(BIN)/sqlfluff lint dbt_project/models --disable-progress-bar; \
		found=$$?; rm -rf "$$home"; exit $$found
	$(BIN)/mkdocs build --strict --quiet

format: .venv/ready ## Put Python files into the form that lint wants
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# What the default needs stands in both, in the same versions: a deployment that changes its target
# changes nothing else.
LOCKED := --no-annotate --no-header --no-emit-index-url
lock: ## Resolve pyproject.toml into requirements.lock and requirements-engines.lock anew (needs uv)
	uv pip compile --universal --group dev --group engines --all-extras pyproject.toml \
		-o requirements-engines.lock $(LOCKED)
	uv pip compile --universal --group dev pyproject.toml -c requirements-engines.lock \
		-o requirements.lock $(LOCKED)

env: .venv/ready ## Build the environment and do nothing else

engines: .venv/engines ## Add what the targets spark, snowflake and bigquery need (Spark: Java 17, Maven)

clean: ## Remove the environment and what tools left behind; the data home (.cdp) stays
	rm -rf .venv site build *.egg-info .mypy_cache .pytest_cache .ruff_cache .hypothesis .coverage
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# The environment: exactly what the lock names, then this project itself, editable, then what
# a deployment needs beside it and names in requirements-local.txt. uv does it in seconds; without uv,
# Python's own venv and pip do the same. The lock is whole, so pip adds nothing to it.
LOCAL := $(wildcard requirements-local.txt)
# What `make engines` has added stays when the environment is built anew.
LOCK := $(if $(wildcard .venv/engines),requirements-engines.lock,requirements.lock)
.venv/ready: requirements.lock pyproject.toml $(LOCAL)
	@if command -v uv >/dev/null 2>&1; then \
		echo "Building the environment in .venv with uv ..."; \
		[ -x $(BIN)/python ] || uv venv --quiet --python '$(PYTHON_WANTED)' .venv; \
		uv pip sync --quiet --python .venv --compile-bytecode $(LOCK) && \
		uv pip install --quiet --python .venv --no-deps --no-build-isolation \
			--config-settings editable_mode=compat --editable . && \
		$(if $(LOCAL),uv pip install --quiet --python .venv -c $(LOCK) -r $(LOCAL),true); \
	else \
		python=; \
		for candidate in python3 python3.12 python3.11 python3.13 python; do \
			if "$$candidate" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' \
				>/dev/null 2>&1; then python="$$candidate"; break; fi; \
		done; \
		if [ -z "$$python" ]; then \
			echo "No Python $(PYTHON_WANTED) was found on the PATH. Install one, or install uv," \
				"which brings its own, and call make again." >&2; exit 1; \
		fi; \
		echo "Building the environment in .venv with $$python and pip; this takes minutes ..."; \
		[ -x $(BIN)/pip ] || "$$python" -m venv --clear .venv || { \
			echo "$$python cannot make environments: install its venv package" \
				"(Debian: python3-venv)." >&2; exit 1; }; \
		$(BIN)/pip install --quiet --disable-pip-version-check --no-deps -r $(LOCK) && \
		$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation \
			--config-settings editable_mode=compat --editable . && \
		$(if $(LOCAL),$(BIN)/pip install --quiet --disable-pip-version-check \
			-c $(LOCK) -r $(LOCAL),true); \
	fi
	@touch $@

.venv/engines: .venv/ready requirements-engines.lock cdp/warehouse/engines/jars.xml
	@command -v mvn >/dev/null 2>&1 || { echo "Maven (mvn) is not on the PATH, which fetches Spark's" \
		"jars. Install it (Debian: maven, openjdk-17-jre-headless) and call make again." >&2; exit 1; }
	@if command -v uv >/dev/null 2>&1; then \
		uv pip install --quiet --python .venv --compile-bytecode -r requirements-engines.lock; \
	else \
		$(BIN)/pip install --quiet --disable-pip-version-check --no-deps -r requirements-engines.lock; \
	fi
	@mvn --quiet --batch-mode --file cdp/warehouse/engines/jars.xml dependency:copy-dependencies \
		-DexcludeGroupIds=io.netty,org.slf4j,commons-codec,commons-logging,org.apache.httpcomponents \
		-DoutputDirectory="$(CURDIR)/.venv/jars"
	@touch $@
