"""Who imports whom, what importing costs, and how large a file may get: the rules that keep the
four parts apart.

The imports are read with `ast`, those inside functions too. A file that no rule here knows fails:
give it its place in the table first.
"""

import ast
import json
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]

# Parts of csc_tasks: what each imports directly. It may use whatever those use as well.
BUILT_ON = {
    "errors": [],
    "framework": ["errors"],
    "languages": ["framework"],
    "out": ["errors"],
    "telling": ["out"],
    "gguf": ["compat"],
    "reading": ["errors"],
    "arguments": ["telling"],
    "shapes": ["languages"],
    "labels": ["shapes"],
    "conversation": ["labels"],
    "label_counts": ["conversation"],
    "question": ["conversation"],
    "price": ["errors"],
    "timing": ["price"],
    "setting_kinds": ["price"],
    "settings": ["prompts", "metrics", "corpora", "price", "live", "setting_kinds"],
    "corpora": ["question", "reading", "compat"],
    "thinking": [],
    "prompts": ["question", "compat", "thinking"],
    "observe": ["errors", "stops"],
    "refusals": [],
    "llm": ["refusals", "thinking", "arguments", "draws", "languages", "price"],
    "compat": ["errors"],
    "stops": [],
    "prefix_cache": ["compat"],
    "tokens": [],
    "live": ["corpora", "evidence", "llm"],
    "play": [
        "settings",
        "live",
        "observe",
        "compat",
        "refusals",
        "prefix_cache",
        "tokens",
        "timing",
    ],
    "metrics": ["languages", "compat", "gguf", "telling"],
    "evidence": ["question", "reading", "metrics"],
    "named_strategies": ["prompts"],
    "records": ["metrics", "named_strategies"],
    "measuring": ["metrics", "named_strategies"],
    "benchmark": [],
    "papers": [],
    "documents": [],
    "corpus_statistics": ["out", "reading"],
    "corpus_figures": ["corpus_statistics", "languages", "file_names"],
    "draws": [],
    "shown": [],
    "runs": ["corpora", "records", "measuring", "out", "shown", "file_names", "pii", "timing"],
    "score": ["runs", "arguments", "score_labels"],
    "score_labels": ["runs", "verify"],
    "file_names": [],
    "csv_cells": [],
    "named_turns": ["question"],
    "verify": ["runs", "documents", "named_turns", "evidence", "live", "arguments"],
    "hub": ["errors", "refusals", "compat"],
    "pii": ["errors", "out", "reading"],
    "doctor": [
        "arguments",
        "settings",
        "corpora",
        "hub",
        "autoload",
        "compat",
        "adapter",
        "prefix_cache",
        "stops",
        "gguf",
    ],
    "metric_path": ["telling"],
    "trackers": ["errors"],
    "adapter": [],
    "tasks": ["play", "settings", "runs", "adapter", "documents", "named_turns", "evidence"],
    "cli": ["arguments", "out"],
    "completion": ["cli"],
    "checks": ["tasks", "gguf"],
    "autoload": ["checks", "telling"],
    "evaluate": ["autoload"],
}

# Parts of leaderboard, in the same way: from results files to numbers, from numbers to what shows
# them.
LEADERBOARD_BUILT_ON = {
    "value": [],
    "beside_tables": ["value"],
    "board": ["beside_tables"],
    "baseline_models": [],
    "baseline_scores": ["baseline_models"],
    "baselines": ["baseline_scores", "columns"],
    "layout": ["board"],
    "model_report": ["board"],
    "reliability_report": ["board"],
    "rated": ["board"],
    "trust": ["board"],
    "columns": ["board"],
    "folder": ["model_report", "reliability_report"],
    "escaped": ["trust"],
    "text_table": ["escaped"],
    "contrast_tables": ["layout", "columns", "text_table"],
    "efficiency_tables": ["layout", "columns", "text_table"],
    "breakdown_rows": ["folder"],
    "joined_table": ["layout", "escaped"],
    "number_rows": ["layout"],
    "tables": [
        "breakdown_rows",
        "number_rows",
        "contrast_tables",
        "efficiency_tables",
        "joined_table",
    ],
    "measured_pairs": ["columns", "folder"],
    "power": ["measured_pairs", "numbers"],
    "variance": ["numbers"],
    "reading": ["board", "customer_audit"],
    "numbers": ["reading", "columns", "rated", "trust", "model_report"],
    "standing": ["numbers"],
    "leading": ["standing", "layout"],
    "gate_pairs": ["numbers"],
    "gate_report": ["gate_pairs", "layout", "escaped"],
    "gate": ["gate_report"],
    "trial": ["gate_pairs", "leading"],
    "plain_table": ["layout", "trust"],
    "judging": ["numbers", "folder"],
    "customer_audit": ["board"],
    "audit": ["judging", "customer_audit"],
    "audit_pages": ["audit"],
    "page": ["leading", "folder", "efficiency_tables"],
    "earlier_board": [],
    "collect_options": ["board"],
    "collect": [
        "page",
        "plain_table",
        "leading",
        "earlier_board",
        "audit_pages",
        "collect_options",
    ],
    "publishing": ["page", "tables", "audit_pages"],
    "export": ["numbers"],
    "reproduce": ["collect", "contrast_tables", "judging"],
}
TABLES = {"csc_tasks": BUILT_ON, "leaderboard": LEADERBOARD_BUILT_ON}

# Only lm_eval loads these, so they alone may import it (and only it) at the top of the file.
INSIDE_LM_EVAL = {"observe", "play", "tasks", "checks"}

# Only Hugging Face evaluate loads this one, and it wants a class of its own.
EXEMPT = {"csc_tasks.metrics.csc_metric": {"datasets", "evaluate"}}

# What the other packages may import of the project besides themselves; csc_tasks stands for its
# parts except INSIDE_LM_EVAL and cli.
MAY_IMPORT = {
    "builders": {"csc_tasks"},
    "trainers": {"csc_tasks"},
    "leaderboard": {"csc_tasks"},
}

# The offline stand-in (`--llm scripted`) and its phrases are needed by itself, by the demo corpus
# that it plays, and inside the functions of those who register it.
STAND_IN = "builders.scripted"
MADE_OF_IT = {"builders.demo"}
REGISTER_IT = {
    "builders.briefs.build",
    "builders.csconv.build",
    "builders.labels.run",
    "builders.labels.samples",
    "builders.profiles.build",
    "builders.qa.build",
    "builders.qa.stages",
    "builders.rolecs.build",
    "builders.rolecs.pool",  # --profiles demo: profiles that it invents
}

FREE = {"tests", "benchmarks", "docsite"}
PACKAGES = {"csc_tasks", *MAY_IMPORT}

HEAVY = {
    *(
        "accelerate",
        "bert_score",
        "bitsandbytes",
        "bm25s",
        "bleurt_pytorch",
        "datasets",
        "evaluate",
        "huggingface_hub",
        "lm_eval",
        "matplotlib",
    ),
    *(
        "nltk",
        "openai",
        "pandas",
        "peft",
        "pyarrow",
        "rouge_score",
        "sacrebleu",
        "scipy",
        "sentence_transformers",
        "sklearn",
    ),
    *("tokenizers", "torch", "transformers", "trl"),
}

LINES = 400


def modules():
    """Dotted name -> path of every Python file of the four packages."""
    found = {}
    for package in sorted(PACKAGES):
        for path in sorted((ROOT / package).rglob("*.py")):
            words = path.relative_to(ROOT).with_suffix("").parts
            found[".".join(words[:-1] if words[-1] == "__init__" else words)] = path
    return found


MODULES = modules()


def is_main_guard(node):
    """Whether this is `if __name__ == "__main__":`, where a verb's module hands itself to
    cli.standalone.
    """
    return isinstance(node, ast.If) and ast.unparse(node.test) == "__name__ == '__main__'"


def imports(name):
    """(imported dotted name, whether it runs on import, whether it stands under the main guard) for
    every import in a module.

    `from a import b` counts as a.b when that is a module of ours and as a otherwise.
    """
    path = MODULES[name]
    package = name if path.name == "__init__.py" else name.rpartition(".")[0]

    def walk(node, at_top, guarded):
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.Import):
                for alias in child.names:
                    yield alias.name, at_top, guarded
            elif isinstance(child, ast.ImportFrom):
                base = child.module or ""
                if child.level:
                    base = ".".join(
                        [
                            *package.split(".")[: len(package.split(".")) - child.level + 1],
                            *filter(None, [base]),
                        ]
                    )
                for alias in child.names:
                    inner = f"{base}.{alias.name}"
                    yield inner if inner in MODULES else base, at_top, guarded
            else:
                inside = isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda))
                typing_only = isinstance(child, ast.If) and ast.unparse(child.test) in (
                    "TYPE_CHECKING",
                    "typing.TYPE_CHECKING",
                )
                yield from walk(
                    child,
                    at_top and not inside and not typing_only,
                    guarded or is_main_guard(child),
                )

    return list(walk(ast.parse(path.read_text(encoding="utf-8"), str(path)), True, False))


def part(name):
    """The part of its package that a dotted name belongs to; "" for the package itself."""
    return [*name.split("."), ""][1]


def reachable(package, name):
    """All parts of a package that one of its parts may import."""
    direct = TABLES[package].get(name, [])
    return set(direct).union(*(reachable(package, below) for below in direct))


def allowed(importer, imported, guarded):
    """Whether one module of the project may import another."""
    here, there = importer.split(".")[0], imported.split(".")[0]
    if imported == "csc_tasks" or (guarded and imported == "csc_tasks.cli"):
        return True
    if here in TABLES and there == here:
        return part(importer) != "" and part(imported) in {
            part(importer),
            *reachable(here, part(importer)),
        }
    if here == "csc_tasks":
        return False
    if there == here:
        return True
    if there == "csc_tasks":
        return part(imported) not in INSIDE_LM_EVAL | {"cli"}
    return any(f"{imported}.".startswith(f"{name}.") for name in MAY_IMPORT[here])


def test_every_package_and_part_has_a_place():
    folders = {
        path.name
        for path in ROOT.iterdir()
        if path.is_dir() and not path.name.startswith(".") and any(path.glob("*.py"))
    }
    assert folders - FREE == {package for package in PACKAGES if any((ROOT / package).glob("*.py"))}
    assert [path.name for path in ROOT.glob("*.py")] == []
    for package, table in TABLES.items():
        assert {part(name) for name in MODULES if name.startswith(f"{package}.")} <= set(table)


@pytest.mark.parametrize("name", MODULES)
def test_a_module_imports_only_what_lies_below_it(name):
    ours = [
        (imported, guarded)
        for imported, _, guarded in imports(name)
        if imported.split(".")[0] in PACKAGES | FREE
    ]
    wrong = [imported for imported, guarded in ours if not allowed(name, imported, guarded)]
    assert wrong == []


@pytest.mark.parametrize("name", MODULES)
def test_a_heavy_library_is_imported_inside_the_function_that_needs_it(name):
    exempt = (
        {"lm_eval"}
        if name.startswith("csc_tasks.") and part(name) in INSIDE_LM_EVAL
        else EXEMPT.get(name, set())
    )
    assert {
        imported.split(".")[0] for imported, at_top, _ in imports(name) if at_top
    } & HEAVY <= exempt


@pytest.mark.parametrize("name", [name for name in MODULES if not name.startswith(STAND_IN)])
def test_nothing_outside_the_stand_in_needs_it(name):
    needs = [
        at_top for imported, at_top, _ in imports(name) if f"{imported}.".startswith(f"{STAND_IN}.")
    ]
    if name not in MADE_OF_IT:
        assert not any(needs) and (not needs or name in REGISTER_IT)


def test_the_rules_refuse_what_they_should():
    """The design's sentences, one line each, against the code that reads them."""
    assert not allowed("csc_tasks.errors", "csc_tasks.framework", False)
    assert not allowed("csc_tasks.metrics.overlap", "csc_tasks.prompts", False)
    assert not allowed("csc_tasks.corpora", "builders.star", False)
    assert not allowed("csc_tasks", "csc_tasks.framework", False)
    assert not allowed("leaderboard.collect", "csc_tasks.tasks", False)
    assert not allowed("trainers.rows", "csc_tasks.play", False)
    assert not allowed("builders.star", "trainers.rows", False)
    assert not allowed("leaderboard.judging.judge", "builders.star", False)
    assert not allowed("leaderboard.numbers.assemble", "leaderboard.leading", False)
    assert not allowed("leaderboard.folder", "leaderboard.judging.reliability", False)
    assert not allowed("leaderboard.board", "leaderboard.collect", False)
    assert not allowed("builders.star", "csc_tasks.cli", False)
    assert not allowed("builders.star", "tests.conftest", False)
    assert allowed("builders.star", "csc_tasks.cli", True)
    assert allowed("leaderboard.judging.judge", "csc_tasks.llm.client", False)
    assert allowed("leaderboard.judging.judge", "leaderboard.numbers.inference", False)
    assert allowed("leaderboard.collect", "leaderboard.board", False)
    assert allowed("csc_tasks.tasks", "csc_tasks.framework", False)


def test_importing_csc_tasks_and_the_command_line_loads_nothing_heavy():
    script = (
        "import json, sys, csc_tasks.cli; print(json.dumps([name for name in"
        " json.loads(sys.argv[1]) if name in sys.modules]))"
    )
    command = [sys.executable, "-c", script, json.dumps(sorted(HEAVY | {"numpy", "yaml"}))]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("[]\n", "")


@pytest.mark.parametrize("name", MODULES)
def test_a_module_stays_readable(name):
    assert len(MODULES[name].read_text(encoding="utf-8").splitlines()) <= LINES
    assert MODULES[name].name not in ("utils.py", "common.py", "helpers.py", "misc.py")


def test_test_modules_have_names_of_their_own():
    """pytest imports them by that name alone, and runs only one of two."""
    names = Counter(path.name for path in (ROOT / "tests").rglob("test_*.py"))
    assert [name for name, count in names.items() if count > 1] == []
