"""What setup.cfg promises, what constraints.txt locks and what the compatibility code names are the
same versions.
"""

import importlib
import pkgutil
import subprocess
import sys

import floors
import pytest
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

from csc_tasks import compat

# Patched, or used beyond what they document: the next version may break them, so it has to be run
# first.
BOUNDED = {"lm_eval", "transformers", "trl", "bert-score", "bleurt-pytorch"}


@pytest.fixture(scope="module")
def ranges(repository):
    return floors.requirements((repository / "setup.cfg").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def locked(repository):
    lines = (repository / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pairs = [line.split("==") for line in lines if not line.startswith("#")]
    return {canonicalize_name(name): version for name, version in pairs}


def test_what_is_patched_or_private_has_an_upper_bound(ranges):
    assert {name for name, (_, bound) in ranges.items() if bound} == BOUNDED


def test_the_lock_holds_every_requirement_within_its_range(ranges, locked):
    for name, (floor, bound) in ranges.items():
        specifier = SpecifierSet(f">={floor}" + (f",<{bound}" if bound else ""))
        assert specifier.contains(locked[canonicalize_name(name)]), name
    assert locked["torch"] == ranges["torch"][0], "one torch in every set"
    assert {"pip", "setuptools"} <= set(locked) and "csc-tasks" not in locked
    # Which build of torch fits is the machine's business.
    assert not any("+" in version for version in locked.values())


@pytest.mark.parametrize(
    "module", sorted(module.name for module in pkgutil.iter_modules(compat.__path__))
)
def test_a_compatibility_module_names_the_versions_it_was_run_with(module, ranges, locked):
    by_module = {canonicalize_name(name).replace("-", "_"): name for name in ranges} | {
        "bleurt": "bleurt-pytorch"
    }
    library = by_module[module]
    text = importlib.import_module(f"csc_tasks.compat.{module}").__doc__
    assert ranges[library][0] in text and locked[canonicalize_name(library)] in text


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        ("one", "one names no lowest version"),
        ("one<2", "one<2 names no lowest version"),
        ("two>=3", "two>=3, and elsewhere two ('2', None)"),
    ],
)
def test_a_requirement_without_a_lowest_version_and_two_ranges_are_refused(lines, words):
    text = (
        "[options]\ninstall_requires =\n    two>=2\n[options.extras_require]\nmore =\n   "
        f" {lines}\nall =\n    csc-tasks[more]\n"
    )
    with pytest.raises(ValueError) as error:
        floors.requirements(text)
    assert words in str(error.value)


def test_the_floors_are_printed_as_constraints(repository):
    done = subprocess.run(
        [sys.executable, "-S", repository / "tests" / "floors.py"],
        capture_output=True,
        text=True,
        check=True,
    )
    lines = done.stdout.splitlines()
    assert (
        "lm_eval==0.4.13" in lines
        and "torch==2.13.0" in lines
        and len(lines) == len(set(lines)) > 30
    )
