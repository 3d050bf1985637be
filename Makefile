# One entry to everything. `make help` lists it.
BUILD ?= build/release
JOBS ?= $(shell nproc)
PYTHON := .venv/bin/python

.PHONY: help setup build program demo test check soak bench lint format docs install clean

help: ## Lists the targets
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 10

setup: ## Installs what is missing (apt, .venv); may be run again at any time
	@scripts/setup

build: setup ## Builds lockstep and its tests into build/release
	@cmake --preset release > build-configure.log 2>&1 || { cat build-configure.log; exit 1; }
	@rm -f build-configure.log
	@cmake --build $(BUILD) -j $(JOBS)

program: setup
	@cmake --preset release > build-configure.log 2>&1 || { cat build-configure.log; exit 1; }
	@rm -f build-configure.log
	@cmake --build $(BUILD) -j $(JOBS) --target lockstep

demo: program ## Runs the main job on real data: a survey's readings as a stream, with an exact model
	@$(PYTHON) examples/blood_pressure/run.py --lockstep $(BUILD)/lockstep

test: build ## Runs all tests: unit, property, tidy and end to end
	@scripts/test $(BUILD)

check: build ## Format, build and the fast tests
	@scripts/lint --format-only
	@scripts/test --fast $(BUILD)

soak: build ## STATES=1000000 power losses, then histories judged by DuckDB for MINUTES=10, from SEED=1000000 on
	@LOCKSTEP_CRASH_STATES=$(or $(STATES),1000000) LOCKSTEP_CRASH_ACTIONS=40 LOCKSTEP_SEED=$(or $(SEED),1000000) \
		$(BUILD)/test_hub --gtest_brief=1 --gtest_filter='HubCrashStates.*'
	@LOCKSTEP_TEST_HUB=$(BUILD)/test_hub $(PYTHON) tests/e2e/hub_proof.py --steps 30 --questions 2 \
		--minutes $(or $(MINUTES),10) --seed $(or $(SEED),1000000)

bench: program ## Measures, side by side with peers; prints tables and JSON
	@.venv/bin/pip install -q --disable-pip-version-check -r bench/requirements.txt
	@cmake -DLOCKSTEP_BENCH=ON $(BUILD) > /dev/null
	@cmake --build $(BUILD) -j $(JOBS) --target benches
	@$(PYTHON) bench/run.py --lockstep $(BUILD)/lockstep

lint: build ## clang-format and clang-tidy on what changed
	@scripts/lint

format: setup ## Formats the C++ sources
	@git ls-files "*.cpp" "*.h" "*.inc" | xargs .venv/bin/clang-format -i

docs: program ## Writes the generated pages of docs/reference
	@scripts/docs $(BUILD)/lockstep

install: program ## Installs a relocatable tree into PREFIX
	@cmake --install $(BUILD) --prefix $(or $(PREFIX),dist)

clean: ## Removes the build folders
	@rm -rf build
