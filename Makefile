# The one vocabulary of tasks, for people, hooks and CI. `make` lists them.
.DEFAULT_GOAL := help
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c

PYTHON ?= python3
VENV := .venv
# "dev" is everything but GPU libraries; `make env LOCK=gpu` adds those (2.8 GB), LOCK=jax adds JAX, LOCK=team what a
# team's server and its S3 store need.
LOCK ?= dev
STAMP := $(VENV)/.synced-$(LOCK)
REQUIREMENTS := requirements/$(LOCK).lock

# Every command below finds the environment's programs first; no activation is needed.
export PATH := $(CURDIR)/$(VENV)/bin:$(PATH)
export DVC_NO_ANALYTICS := true
export DO_NOT_TRACK := true
export GX_ANALYTICS_ENABLED := false
export MLFLOW_DISABLE_TELEMETRY := true

# What a workflow passes on and its repository has not set is empty, and that is no region and no address.
$(foreach name,MLFLOW_TRACKING_URI AWS_ENDPOINT_URL_S3 AWS_DEFAULT_REGION,$(if $($(name)),,$(eval unexport $(name))))

# --- Set-up ---------------------------------------------------------------------------------------

.PHONY: env
env: $(STAMP) ## Make the environment in .venv from the hashed lock, if it is missing or stale

# uv reads none of pip's settings: an index that pip is told to use is handed on to it.
$(STAMP): $(REQUIREMENTS) requirements/uv.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 14))' \
	  || { echo "error: Python 3.11 to 3.13 is needed, $$($(PYTHON) --version) was found:" \
	            "make $(MAKECMDGOALS) PYTHON=python3.12" >&2; exit 1; }
	$(VENV)/bin/python -m pip --version >/dev/null 2>&1 || $(PYTHON) -m venv --clear $(VENV)
	$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/uv.lock
	index="$${UV_DEFAULT_INDEX:-$${PIP_INDEX_URL:-$$($(VENV)/bin/python -m pip config get global.index-url 2>/dev/null || true)}}"; \
	if [ -n "$$index" ]; then export UV_DEFAULT_INDEX="$$index"; fi; \
	$(VENV)/bin/uv pip sync --quiet --python $(VENV)/bin/python --require-hashes --compile-bytecode $(REQUIREMENTS) \
	&& $(VENV)/bin/uv pip install --quiet --python $(VENV)/bin/python --no-deps --no-build-isolation --editable .
	@# What `dvc plots` draws with comes from the environment: it asks no server for it.
	$(VENV)/bin/python -m ferflow.page.dvc_plots $(VENV)/share/ferflow/dvc_plots.html
	$(VENV)/bin/dvc config --local plots.html_template ../$(VENV)/share/ferflow/dvc_plots.html
	rm -f $(VENV)/.synced-*
	touch $@

.PHONY: lock
lock: env ## Resolve the dependencies of pyproject.toml anew, into hashed locks without addresses
	for name in dev gpu jax team; do \
	  extras="--extra dev"; if [ $$name != dev ]; then extras="$$extras --extra $$name"; fi; \
	  if [ $$name = gpu ]; then extras="$$extras --extra s3"; fi; \
	  uv pip compile --quiet --upgrade --universal --python-version 3.11 --fork-strategy fewest \
	    --generate-hashes --no-emit-index-url --no-header --no-annotate $$extras \
	    pyproject.toml --output-file requirements/$$name.lock; \
	done
	grep '^uv==' requirements/dev.lock | cut -d' ' -f1 \
	  | uv pip compile --quiet --universal --generate-hashes --no-emit-index-url --no-header --no-annotate \
	    - --output-file requirements/uv.lock

# --- The pipeline ---------------------------------------------------------------------------------

# What `dvc repro` does: first the models, several at a time where they are small, then all that is left.
define repro
	@# Before DVC reads it: a misspelt switch would be a message about dvc.yaml.
	@python stages/check.py
	dvc repro validate
	@python -m ferflow.parallel $(if $(JOBS),--jobs $(JOBS))
	dvc repro
	@python -m ferflow.summary reports
endef

.PHONY: repro
repro: env ## Run the whole pipeline (what changed of it) and show the champion: make repro [JOBS=2]
	$(repro)

.PHONY: dataset
# Through the environment and as they stand: a path or a layout may hold quotes and dollars. `override`: what stands
# on the command line of make would be expanded when it is exported.
dataset: override export DATASET_NAME := $(value NAME)
dataset: override export DATASET_SOURCE := $(value SOURCE)
dataset: override export DATASET_LAYOUT := $(value LAYOUT)
dataset: override export DATASET_LICENCE := $(value LICENCE)
dataset: env ## Your own images: make dataset NAME=mine SOURCE=<folder, archive, csv, address> [LAYOUT='{...}'] [BUDGET=full]
	@: $(if $(value NAME),,$(error say which data set: make dataset NAME=mine SOURCE=path))
	python -m ferflow.choose "$$DATASET_NAME" $${DATASET_SOURCE:+--source "$$DATASET_SOURCE"} \
	  $${DATASET_LAYOUT:+--layout "$$DATASET_LAYOUT"} $${DATASET_LICENCE:+--licence "$$DATASET_LICENCE"} \
	  $(if $(SHA256),--sha256 $(SHA256)) $(if $(BUDGET),--budget $(BUDGET))
	$(repro)

.PHONY: fer2013
fer2013: ## The same pipeline on FER-2013: make fer2013 [SOURCE=<folder, archive, csv, address>] [BUDGET=quick|full] [SHA256=...]
	@$(MAKE) --no-print-directory dataset NAME=fer2013 BUDGET=$(or $(BUDGET),quick)

# What the source of cnn2_small tried, and a second learning rate.
TRIALS := batch_size=16,32,64 options.dropout=0.3,0.4,0.5 phases.all.learning_rate=0.001,0.0003

.PHONY: trials
trials: env ## Hyper-parameter trials: make trials [MODEL=cnn2_small] [SET="batch_size=16,32 options.dropout=0.3,0.5"] [JOBS=1]
	@python -m ferflow.trials $(or $(MODEL),cnn2_small) $(or $(SET),$(TRIALS)) --jobs $(or $(JOBS),1)

.PHONY: register
register: env ## Project DVC's files into MLflow again, e.g. after deleting mlflow.db
	dvc repro --single-item --force register

.PHONY: push
push: env ## Push DVC's cache to the default remote, if there is one
	@if [ -n "$$(dvc config core.remote)" ]; then dvc push; \
	else echo "no default DVC remote is configured: nothing is pushed (dvc remote add --default NAME URL)"; fi

.PHONY: results
# Pictures of people are in .gitignore, and so in no patch.
results: PATCH ?= results.patch
results: ## What the pipeline changed of files in git, as one patch (no file if nothing): make results [PATCH=results.patch]
	@# In an index of its own: what the user has staged stays as it is.
	@index="$$(git rev-parse --git-path results-index)"; trap 'rm -f "$$index"' EXIT; export GIT_INDEX_FILE="$$index"; \
	git read-tree HEAD; git add --all params.yaml dvc.lock reports; \
	git diff --cached --binary --output="$(PATCH)" -- params.yaml dvc.lock reports; \
	git diff --cached --stat -- params.yaml dvc.lock reports; \
	[ -s "$(PATCH)" ] || rm "$(PATCH)"

.PHONY: rollback
rollback: env ## Make the champion before this one champion again
	@python -m ferflow.rollback

.PHONY: promote
promote: env ## Make a version of the registered model champion by hand: make promote VERSION=3
	@: $(or $(VERSION),$(error say which version: make promote VERSION=3))
	@python -m ferflow.promote "$(VERSION)"

.PHONY: ui
ui: env ## Open the MLflow UI on http://127.0.0.1:5000
	@case "$${MLFLOW_TRACKING_URI:-}" in \
	  http*) echo "the runs are on the server of MLFLOW_TRACKING_URI: open its address in a browser" ;; \
	  *) MLFLOW_SERVER_ENABLE_JOB_EXECUTION=false mlflow server --host 127.0.0.1 --port 5000 --workers 1 \
	       --backend-store-uri "$${MLFLOW_TRACKING_URI:-sqlite:///$(CURDIR)/mlflow.db}" ;; \
	esac

.PHONY: export
# As they stand, as below.
export: override export MODEL := $(or $(value MODEL),champion)
export: override export OUT := $(value OUT)
export: override export FORMATS := $(value FORMATS)
export: env ## Write a model as ONNX and LiteRT, float and int8: make export [MODEL=champion] [OUT=folder] [FORMATS="onnx litert"]
	@set -f; python -m ferflow.export --model "$$MODEL" $${OUT:+--out "$$OUT"} $${FORMATS:+--formats $$FORMATS}

.PHONY: serve
serve: override export MODEL := $(or $(value MODEL),champion)
serve: env ## Answer HTTP requests with the champion, on this machine only: make serve [PORT=5001] [MODEL=champion] [WORKERS=1]
	@python -m ferflow.serve --model "$$MODEL" --port $(or $(PORT),5001) --workers $(or $(WORKERS),1)

.PHONY: container-model
container-model: override export MODEL := $(or $(value MODEL),champion)
container-model: env ## Fetch the model that deploy/Containerfile puts into an image: make container-model [MODEL=champion]
	@python -m ferflow.serve --model "$$MODEL" --fetch build/model

.PHONY: demo
# As it stands: a path may hold quotes and dollars.
demo: override export MODEL := $(or $(value MODEL),champion)
demo: env ## Open the page to try the champion on http://127.0.0.1:7860: make demo [MODEL=champion|3|path] [PORT=7860]
	@python -m ferflow.demo --model "$$MODEL" --port $(or $(PORT),7860)

.PHONY: sample
sample: env ## Draw the embedded sample again
	python -m ferflow.data.synthetic --out data/sample.zip

# --- Checks ---------------------------------------------------------------------------------------

.PHONY: test
test: env lint types ## All checks and tests
	pytest -n 2 --dist loadfile --no-loadscope-reorder

.PHONY: test-jax
test-jax: ## The tests of models and training on another backend of Keras: JAX, on the CPU
	@$(MAKE) --no-print-directory env LOCK=jax
	KERAS_BACKEND=jax JAX_PLATFORMS=cpu pytest -n 2 --dist loadfile tests/models tests/training

.PHONY: gate
# BASE goes through the environment and as it stands, here and below: neither make nor the shell takes a part of a
# branch's name for a command.
gate: override export BASE := $(value BASE)
gate: env ## Hold the committed results against a base's: make gate [BASE=origin/main] [SUMMARY=file.md] [JSON=file.json] [FLAGS=...]
	@python -m ferflow.gate $${BASE:+--base "$$BASE"} $(if $(SUMMARY),--summary "$(SUMMARY)") \
	  $(if $(JSON),--json "$(JSON)") $(FLAGS)

.PHONY: scratch
scratch: env ## Delete what the pipeline has made, committed reports and dvc.lock included: `make repro` then runs all stages
	python -m ferflow.reproduced.scratch

.PHONY: reproduced
reproduced: override export BASE := $(or $(value BASE),HEAD)
reproduced: env ## After `make scratch repro`: are the results those of a commit? [BASE=HEAD] [MACHINE=auto|same|other] [SUMMARY=file.md]
	@python -m ferflow.reproduced --base "$$BASE" --machine $(or $(MACHINE),auto) \
	  $(if $(SUMMARY),--summary "$(SUMMARY)")

.PHONY: changes
changes: override export BASE := $(or $(value BASE),HEAD)
changes: env ## What differs from a commit in metrics, params and leaderboard, as Markdown: make changes BASE=origin/main [SUMMARY=file.md]
	@python -m ferflow.changes --base "$$BASE" $(if $(SUMMARY),--summary "$(SUMMARY)")

.PHONY: team-test
team-test: ## The pipeline against a team's server: PostgreSQL, an S3 store, MLflow and a DVC remote: make team-test [SAMPLE=1]
	@$(MAKE) --no-print-directory env LOCK=team
	$(if $(SAMPLE),FERFLOW_TEAM_SAMPLE=1) pytest -m slow tests/team

.PHONY: test-convergence
test-convergence: env ## Whatever happens to files, store and processes: one run for each training (minutes)
	pytest -m slow tests/test_convergence.py

.PHONY: workflows
workflows: env ## Check the workflow files: their schema, and what is unsafe in them
	check-jsonschema --builtin-schema vendor.github-workflows .github/workflows/*.yml
	zizmor --quiet --offline --no-progress .github/workflows

.PHONY: lint
lint: env workflows ## Format and lint check
	ruff format --check .
	ruff check .

.PHONY: types
types: env ## Strict type check
	mypy

.PHONY: format
format: env ## Format the code and mend what lint can mend
	ruff format .
	ruff check --fix .

.PHONY: hooks
hooks: env ## Install the pre-commit hooks
	pre-commit install

.PHONY: clean
clean: ## Remove what the pipeline made in the work tree (DVC's cache and MLflow's store stay)
	rm -rf data/*/ models .mypy_cache .ruff_cache .pytest_cache .hypothesis

.PHONY: help
help: ## List the tasks
	@grep -hE '^[a-z0-9_-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-10s %s\n", $$1, $$2}'
