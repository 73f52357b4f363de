# Every target is one command; ./ostiary does the work, so that a machine without make lacks nothing.

.DEFAULT_GOAL := help
.PHONY: help run test soak check format snapshots bench bare-root lock graphiql

help:  ## what can be made
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run:  ## install what is missing and start the gateway; ARGS="--port 9000" gives it options
	@./ostiary run $(ARGS)

test:  ## run every test; ARGS="tests/db -k guest" chooses some
	@./ostiary test $(ARGS)

# In each of them the oracle begins somewhere else; what it finds, it prints with how to come back to it.
soak:  ## try 10,000 random policies and 5,000 pairs of worlds; takes an hour or so
	@OSTIARY_SOAK=1 ./ostiary test -n auto --maxprocesses 4 --dist worksteal tests/oracle $(ARGS)

check:  ## ruff, basedpyright and import-linter
	@./ostiary check

format:  ## let ruff order and lay out the code
	@./ostiary format

snapshots:  ## rewrite the expected files of tests/operations; their diff is to be read
	@OSTIARY_WRITE_SNAPSHOTS=1 ./ostiary test tests/operations

bench:  ## measure beside a bare server and the peers, as ratios; RIG=FOLDER is the benchmark rig, ARGS for its `run`
	@.venv/bin/python -m tests.benchmarks.compare "$(RIG)" $(ARGS)

bare-root:  ## prove on a bare Debian that a clone installs, serves and passes its tests, for root and for others
	@tools/bare_root

# The pins that are there stay if they may; ARGS=--upgrade lets go of them.
LOCK = uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate \
	--no-emit-index-url --no-emit-find-links $(ARGS)

lock:  ## pin the dependencies of pyproject.toml anew, by hash and without addresses; ARGS=--upgrade, needs uv
	@command -v uv >/dev/null || { echo "make lock needs uv on the PATH: pip install uv" >&2; exit 1; }
	$(LOCK) pyproject.toml --output-file requirements/run.txt
	$(LOCK) pyproject.toml --group dev --constraints requirements/run.txt --output-file requirements/dev.txt

graphiql:  ## build the GraphiQL page anew from tools/graphiql; needs Node and npm
	@tools/graphiql/build
