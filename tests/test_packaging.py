"""Wheel, sdist and editable install: they carry every file, and they let lm_eval find the tasks
with nothing else to do.

Each install goes into a throw-away environment that sees the running environment's libraries
through links, all but csc-tasks itself: the start-up hook that the running environment may have
cannot help here.
"""

import base64
import csv
import hashlib
import importlib.metadata
import io
import json
import os
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import zipfile
from pathlib import Path

import pytest

pytestmark = pytest.mark.xdist_group("packaging")

LEAVES = ("csc_conv_ref", "csc_conv_gen", "csc_qa")
PACKAGES = ("csc_tasks", "builders", "trainers", "leaderboard")
HOOK = "csc_tasks_autoload"
HOOK_FILES = {f"{HOOK}.{ending}" for ending in ("py", "pth", "start")}
PIP = ("-m", "pip", "--disable-pip-version-check", "--no-input")
OFFLINE = ("--no-deps", "--no-build-isolation", "--no-index")

# Indexes the folders that a TaskManager scans after lm_eval's own, once for every set of arguments;
# lm_eval's own files take seconds.
INDEX = """
import json, sys
from pathlib import Path
from lm_eval.tasks import TaskManager, manager
build = manager.TaskIndex.build

def without_builtin(paths, **settings):
    builtin = Path(manager.__file__).parent
    if builtin in paths:
        assert paths[0] == builtin, "built-in tasks come first"
        paths = paths[1:]
    return build(paths, **settings)

manager.TaskIndex.build = staticmethod(without_builtin)
found = []
for settings in json.loads(sys.argv[1]):
    made = TaskManager(**settings)
    assert made.include_path == settings.get("include_path")
    found.append({name: str(entry.yaml_path) for name, entry in made.task_index.items()})
print(json.dumps(found))
"""


def run(python, *words, **environment):
    """Run one program of an environment away from any checkout; its standard output and standard
    error.
    """
    clean = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("PYTHON", "CSC_", "VIRTUAL_ENV"))
    }
    done = subprocess.run(
        [python, *words], cwd=python.parent, env=clean | environment, capture_output=True, text=True
    )
    assert done.returncode == 0, f"{words}\n{done.stdout}\n{done.stderr}"
    return done.stdout, done.stderr


def as_lm_eval(environment, script, *words, **variables):
    """Run a script under lm_eval's name, by which the start-up hook knows the program; its standard
    output and error.
    """
    file = environment / "scripts" / "lm_eval"
    file.parent.mkdir(exist_ok=True)
    file.write_text(script)
    return run(environment / "bin" / "python", str(file), *words, **variables)


def index(environment, *settings, **variables):
    """What INDEX finds for each of `settings` in lm_eval; any warning fails."""
    output, errors = as_lm_eval(environment, INDEX, json.dumps(settings), **variables)
    assert errors == ""
    return json.loads(output)


def make_environment(folder):
    """An environment with everything the running one has except csc-tasks."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True)
    site = site_packages(folder)
    for source in [
        Path(entry) for entry in sys.path if Path(entry).name in ("site-packages", "dist-packages")
    ]:
        for item in source.iterdir():
            ours = item.name.startswith(
                ("csc_tasks", "csc-tasks", "__editable__.csc_tasks", "__editable___csc_tasks")
            )
            if not ours and item.name != "__pycache__" and not (site / item.name).exists():
                (site / item.name).symlink_to(item)
    (entry,) = importlib.metadata.entry_points(group="console_scripts", name="lm_eval")
    script = folder / "bin" / "lm_eval"
    script.write_text(
        f"#!{folder}/bin/python\nimport sys\nfrom {entry.module} import"
        f" {entry.attr}\nsys.exit({entry.attr}())\n"
    )
    script.chmod(0o755)
    return folder


def site_packages(environment):
    return Path(sysconfig.get_path("purelib", "venv", {"base": str(environment)}))


def pip(environment, *words):
    run(environment / "bin" / "python", *PIP, *words)


@pytest.fixture(scope="module")
def source(repository, tmp_path_factory):
    """A copy of the checkout without what building and running leave behind."""
    left_behind = {".git", "build", "dist", "demo", "real", "real-full", "site"}
    copy = tmp_path_factory.mktemp("source") / "csc-tasks"

    def ignored(folder, names):
        return [
            n
            for n in names
            if n.endswith(("__pycache__", "_cache", ".egg-info"))
            or (Path(folder) == repository and (n in left_behind or n.startswith(".venv")))
        ]

    shutil.copytree(repository, copy, ignore=ignored)
    return copy


@pytest.fixture(scope="module")
def wheel(source, tmp_path_factory):
    folder = tmp_path_factory.mktemp("wheel")
    run(Path(sys.executable), *PIP, "wheel", *OFFLINE, "--wheel-dir", str(folder), str(source))
    (path,) = folder.iterdir()
    return path


@pytest.fixture(scope="module", params=["wheel", "editable"])
def environment(request, source, tmp_path_factory):
    """An environment with csc-tasks installed in one of the two ways."""
    folder = make_environment(tmp_path_factory.mktemp(request.param) / "environment")
    what = (
        [str(request.getfixturevalue("wheel"))]
        if request.param == "wheel"
        else ["--editable", str(source)]
    )
    pip(folder, "install", *OFFLINE, *what)
    return folder


def tasks_dir(environment):
    output, _ = run(environment / "bin" / "csc", "tasks")
    return Path(output.strip())


def test_the_wheel_carries_every_file_of_the_packages(source, wheel):
    files = [
        path.relative_to(source).as_posix()
        for package in PACKAGES
        for path in (source / package).rglob("*")
        if path.is_file()
    ]
    expected = {file for file in files if not file.endswith(".pyc") and ".egg-info/" not in file}
    carried = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    assert carried == expected | HOOK_FILES


def test_the_start_up_files_are_one_import_one_name_and_a_copy_of_start_py(source, wheel):
    with zipfile.ZipFile(wheel) as archive:
        assert archive.read(f"{HOOK}.pth") == b"import csc_tasks_autoload\n"
        assert archive.read(f"{HOOK}.start") == b"csc_tasks_autoload:start\n"
        assert (
            archive.read(f"{HOOK}.py")
            == (source / "csc_tasks" / "autoload" / "start.py").read_bytes()
        )


def test_the_record_lists_every_file_with_its_hash(wheel):
    with zipfile.ZipFile(wheel) as archive:
        record = next(name for name in archive.namelist() if name.endswith(".dist-info/RECORD"))
        rows = {
            name: (digest, size)
            for name, digest, size in csv.reader(io.StringIO(archive.read(record).decode()))
        }
        assert sorted(rows) == sorted(archive.namelist())
        assert rows.pop(record) == ("", "")
        for name, (digest, size) in rows.items():
            data = archive.read(name)
            assert digest == "sha256=" + base64.urlsafe_b64encode(
                hashlib.sha256(data).digest()
            ).decode().rstrip("="), name
            assert int(size) == len(data), name


def test_the_sdist_builds_the_same_wheel(source, wheel, tmp_path):
    build = (
        "import sys; sys.path.insert(0, 'csc_tasks/autoload'); import backend;"
        " backend.build_sdist(sys.argv[1])"
    )
    subprocess.run(
        [sys.executable, "-c", build, tmp_path], cwd=source, check=True, capture_output=True
    )
    (sdist,) = tmp_path.iterdir()
    with tarfile.open(sdist) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert {"Makefile", "constraints.txt", "setup.cfg", "tests/floors.py"} <= names
    run(Path(sys.executable), *PIP, "wheel", *OFFLINE, "--wheel-dir", str(tmp_path), str(sdist))
    with zipfile.ZipFile(tmp_path / wheel.name) as rebuilt, zipfile.ZipFile(wheel) as direct:
        assert {name: rebuilt.read(name) for name in rebuilt.namelist()} == {
            name: direct.read(name) for name in direct.namelist()
        }


def test_building_leaves_nothing_in_the_root(source, repository, environment):
    """An unquoted `--tasks csc_*` there would match an egg-info, and a build folder would be packed
    into the next wheel.
    """
    assert {path.name for path in source.iterdir()} <= {
        path.name for path in repository.iterdir()
    } - {"build"}
    assert [path.name for path in source.glob("csc_*")] == ["csc_tasks"]


def test_lm_eval_lists_and_validates_the_tasks(environment):
    if environment.parent.name.startswith(
        "wheel"
    ):  # reads all of lm_eval's files twice: 15 s, and one install is proof enough
        output, _ = run(environment / "bin" / "lm_eval", "ls", "tasks")
        listed = {row.split("|")[1].strip() for row in output.splitlines() if row.startswith("|")}
        assert {*LEAVES, "hellaswag"} <= listed
    else:
        output, _ = run(
            environment / "bin" / "python", "-m", "lm_eval", "validate", "--tasks", ",".join(LEAVES)
        )
        assert "All tasks found and valid" in output


def test_every_way_to_name_the_folder_gives_the_same_tasks(environment):
    folder = tasks_dir(environment)
    plain, named, listed, parent = index(
        environment,
        {},
        {"include_path": str(folder)},
        {"include_path": [str(folder)]},
        {"include_path": str(folder.parent / "csc_tasks" / "..")},
    )
    assert {name: path for name, path in plain.items() if name in LEAVES} == {
        name: str(folder / f"{name}.yaml") for name in LEAVES
    }
    assert named == listed == plain
    assert (
        plain.items() <= {name: str(Path(path).resolve()) for name, path in parent.items()}.items()
    )


def test_the_switch_hides_the_tasks_and_naming_the_folder_brings_them_back(environment):
    hidden, named = index(
        environment, {}, {"include_path": str(tasks_dir(environment))}, CSC_TASKS_AUTOLOAD="0"
    )
    assert hidden == {}
    assert set(LEAVES) <= set(named)


def test_other_programs_find_the_tasks_when_they_ask_for_them(environment):
    """Without a word, a program that is not lm_eval is left alone."""
    asked = "from csc_tasks import autoload; autoload.install()\n"
    python = environment / "bin" / "python"
    switch = {"CSC_TASKS_AUTOLOAD": "1"}
    for script, variables, tasks in (
        (INDEX, {}, set()),
        (INDEX, switch, set(LEAVES)),
        (asked + INDEX, {}, set(LEAVES)),
    ):
        output, errors = run(python, "-c", script, "[{}]", **variables)
        (found,) = json.loads(output)
        assert (errors, set(found) & set(LEAVES)) == ("", tasks)


def test_a_users_folder_overrides_a_task(environment, tmp_path):
    own = tmp_path / "own.yaml"
    own.write_text("task: csc_conv_ref\ndataset_path: json\n")
    script = INDEX.replace(
        "import json, sys", "import json, logging, sys; logging.disable(logging.WARNING)"
    )
    output, errors = as_lm_eval(environment, script, json.dumps([{"include_path": str(tmp_path)}]))
    (found,) = json.loads(output)
    assert (errors, found["csc_conv_ref"]) == ("", str(own))
    assert found["csc_qa"] == str(tasks_dir(environment) / "csc_qa.yaml")


def test_a_manager_without_defaults_holds_only_what_it_was_given(environment, tmp_path):
    assert index(
        environment,
        {"include_defaults": False},
        {"include_defaults": False, "include_path": str(tmp_path)},
    ) == [{}, {}]


@pytest.mark.parametrize("way", ["wheel", "editable"])
def test_uninstalling_leaves_lm_eval_as_it_was(way, source, wheel, tmp_path):
    folder = make_environment(tmp_path / "environment")
    before = sorted(path.name for path in site_packages(folder).iterdir())
    pip(
        folder,
        "install",
        *OFFLINE,
        *([str(wheel)] if way == "wheel" else ["--editable", str(source)]),
    )
    assert HOOK_FILES.issubset(path.name for path in site_packages(folder).iterdir())
    pip(folder, "uninstall", "--yes", "csc-tasks")
    assert (
        sorted(path.name for path in site_packages(folder).iterdir() if path.name != "__pycache__")
        == before
    )
    assert list((site_packages(folder) / "__pycache__").glob("csc_*")) == []
    assert index(folder, {}) == [{}]


@pytest.fixture(scope="module")
def leftover(wheel, tmp_path_factory):
    """An environment whose install is broken: the start-up hook is there and csc_tasks is not."""
    folder = make_environment(tmp_path_factory.mktemp("leftover") / "environment")
    zipfile.ZipFile(wheel).extractall(site_packages(folder), HOOK_FILES)
    return folder


def test_a_leftover_start_up_hook_is_silent(leftover):
    assert run(leftover / "bin" / "python", "-c", "pass") == ("", "")
    assert index(leftover, {}) == [{}]


SHOW = (
    "import sys; print(*sorted(sys.modules)); print([finder.__name__ for finder in sys.meta_path if"
    " 'csc' in str(finder)])"
)
FINDER = f"['{HOOK}']"


def test_the_start_up_hook_imports_one_file_and_changes_only_lm_eval(leftover):
    """Against the same interpreter without the .pth; lm_eval gets one finder, though `site` reads a
    virtual environment's files twice.
    """
    python, pth = leftover / "bin" / "python", site_packages(leftover) / f"{HOOK}.pth"
    other, lm_eval = (
        done[0].splitlines() for done in (run(python, "-c", SHOW), as_lm_eval(leftover, SHOW))
    )
    switched_off = as_lm_eval(leftover, SHOW, CSC_TASKS_AUTOLOAD="0")[0].splitlines()
    pth.rename(leftover / pth.name)
    bare = run(python, "-c", SHOW)[0].splitlines()
    (leftover / pth.name).rename(pth)
    assert set(other[0].split()) - set(bare[0].split()) == {HOOK}
    assert (bare[1], other[1], switched_off[1], lm_eval[1]) == ("[]", "[]", "[]", FINDER)


# How Python 3.15 and newer read .start files, as PEP 829 says: UTF-8 with or without a byte-order
# mark, blank lines and lines that begin with # left out, every other line `pkg.mod:callable`,
# called without arguments; a virtual environment's files are read twice.
PEP_829 = r"""
import pathlib, pkgutil, re, sysconfig
for _ in range(2):
    for file in sorted(pathlib.Path(sysconfig.get_path("purelib")).glob("*.start")):
        for line in file.read_bytes().decode("utf-8-sig").splitlines():
            if line.strip() and not line.startswith("#"):
                assert re.fullmatch(r"[A-Za-z_][\w.]*:[A-Za-z_][\w.]*", line), line
                assert pkgutil.resolve_name(line)() is None
"""


def test_the_start_file_does_what_the_pth_file_does(leftover):
    pth = site_packages(leftover) / f"{HOOK}.pth"
    assert pth.with_suffix(".start").is_file(), "a .start file replaces the .pth file of its name"
    pth.rename(leftover / pth.name)
    try:
        lm_eval = as_lm_eval(leftover, PEP_829 + SHOW)[0].splitlines()
        other = run(leftover / "bin" / "python", "-c", PEP_829 + SHOW)[0].splitlines()
    finally:
        (leftover / pth.name).rename(pth)
    assert (lm_eval[1], other[1]) == (FINDER, "[]")


MANAGER = """
class TaskManager:
    def __init__(self, verbosity=None, include_path=None, include_defaults=True):
        self.include_path = self.scanned = include_path
"""


def fake_lm_eval(folder, manager):
    (folder / "lm_eval" / "tasks").mkdir(parents=True)
    (folder / "lm_eval" / "__init__.py").touch()
    (folder / "lm_eval" / "tasks" / "__init__.py").touch()
    (folder / "lm_eval" / "tasks" / "manager.py").write_text(manager)


@pytest.mark.parametrize(
    ("manager", "scanned", "warned"),
    [
        (MANAGER, "[PosixPath('{ours}'), 'mine']", ""),
        (MANAGER + 'GROUP = "lm_eval.tasks"\n', "mine", ""),
        (
            MANAGER.replace("include_path", "folders"),
            "mine",
            "pass --include_path {ours} (TypeError: TaskManager takes no include_path)",
        ),
        (MANAGER.replace("TaskManager", "Manager"), "mine", "(AttributeError: "),
    ],
    ids=["today's lm_eval", "discovers plugins itself", "other arguments", "other class"],
)
def test_an_lm_eval_of_another_shape_goes_on_working(
    manager, scanned, warned, leftover, repository, tmp_path
):
    fake_lm_eval(tmp_path, manager)
    show = (
        "from lm_eval.tasks import manager; [made] = [value for value in vars(manager).values() if"
        " isinstance(value, type)]"
    )
    show += "; print(made(None, 'mine').scanned)"
    output, errors = as_lm_eval(leftover, show, PYTHONPATH=f"{tmp_path}{os.pathsep}{repository}")
    assert output.strip() == scanned.format(ours=repository / "csc_tasks")
    assert warned.format(ours=repository / "csc_tasks") in errors and bool(errors) == bool(warned)
