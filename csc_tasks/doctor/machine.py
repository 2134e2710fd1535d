"""What is installed here: Python, the libraries, the extras, the hook that shows lm_eval our tasks,
the accelerator.
"""

import os
import platform
import shutil
import sys
from collections.abc import Iterator
from importlib import metadata
from typing import TYPE_CHECKING

from csc_tasks import TASKS_DIR, __version__
from csc_tasks.autoload import HOOK, SWITCH, discovers_plugins
from csc_tasks.doctor import BROKEN, NOTE, OK, Finding

if TYPE_CHECKING:
    from packaging.requirements import Requirement

NAME = "csc-tasks"


def versions() -> Iterator[Finding]:
    """Python, this project, the libraries it cannot do without, and one finding per extra."""
    yield Finding(OK, "python", f"{platform.python_version()} at {sys.executable}")
    try:
        installed = metadata.distribution(NAME)
    except metadata.PackageNotFoundError:
        yield Finding(
            BROKEN,
            NAME,
            f"{__version__} at {TASKS_DIR}, not installed",
            f"pip install -e {TASKS_DIR.parent}",
        )
        return
    if installed.version == __version__:
        yield Finding(OK, NAME, f"{__version__} at {TASKS_DIR}")
    else:
        yield Finding(
            BROKEN,
            NAME,
            f"{__version__} at {TASKS_DIR}, installed as {installed.version}",
            "install it again",
        )
    try:
        wanted = requirements(installed)
    except ModuleNotFoundError as error:
        yield Finding(
            BROKEN,
            "libraries",
            f"not looked at, because {error.name} is not installed",
            f"pip install {NAME}",
        )
        return
    yield libraries("libraries", wanted.pop(""), BROKEN, f"pip install --upgrade {NAME}")
    for extra, needed in wanted.items():
        yield libraries(f"extra {extra}", needed, NOTE, f"pip install --upgrade '{NAME}[{extra}]'")


def requirements(installed: metadata.Distribution) -> "dict[str, list[Requirement]]":
    """Extra ("" for what is always needed) -> packaging Requirements; extras that only join others
    are left out.
    """
    from packaging.requirements import Requirement

    parsed = [Requirement(text) for text in installed.requires or ()]
    plain = [one for one in parsed if one.marker is None or one.marker.evaluate({"extra": ""})]
    needed = {"": plain}
    for extra in installed.metadata.get_all("Provides-Extra") or ():
        own = [
            one
            for one in parsed
            if one not in plain and one.marker is not None and one.marker.evaluate({"extra": extra})
        ]
        if not any(one.name == NAME for one in own):
            needed[extra] = own
    return needed


def libraries(subject: str, needed: "list[Requirement]", if_absent: str, advice: str) -> Finding:
    """One finding about a list of requirements: `if_absent` where some are missing, BROKEN where
    one is there and too old or too new.
    """
    have, missing, unfit = [], [], []
    for one in needed:
        try:
            version = metadata.version(one.name)
        except metadata.PackageNotFoundError:
            missing.append(one.name)
            continue
        have.append(f"{one.name} {version}")
        if not one.specifier.contains(version, prereleases=True):
            unfit.append(f"{one.name} {version} where {one.specifier} is needed")
    if unfit:
        if missing:
            unfit.append(f"without {', '.join(missing)}")
        return Finding(BROKEN, subject, "; ".join(unfit), advice)
    if missing:
        return Finding(
            if_absent,
            subject,
            f"without {', '.join(missing)}" if have else f"not installed ({', '.join(missing)})",
            advice,
        )
    return Finding(OK, subject, ", ".join(have))


def discovery() -> Iterator[Finding]:
    """Whether `lm_eval --tasks 'csc_*'` finds the tasks in this environment, and whether the
    lm_eval of the shell belongs to it.
    """
    subject, way_out = "task discovery", 'pass --include_path "$(csc tasks)" to lm_eval'
    try:
        from lm_eval.tasks import manager
    except Exception as error:  # whatever a half-installed lm_eval raises
        yield Finding(
            BROKEN,
            subject,
            f"lm_eval cannot be imported ({type(error).__name__})",
            f"pip install --upgrade {NAME}",
        )
        return
    files = len(list(TASKS_DIR.glob("csc_*.yaml"))) + len(list((TASKS_DIR / "more").glob("*.yaml")))
    if not files:
        yield Finding(
            BROKEN, subject, f"there are no task files in {TASKS_DIR}", f"install {NAME} again"
        )
    elif discovers_plugins(manager):
        yield Finding(OK, subject, f"this lm_eval finds the {files} task files by itself")
    elif os.environ.get(SWITCH) == "0":
        yield Finding(NOTE, subject, f"switched off by {SWITCH}=0", f"unset it, or {way_out}")
    elif HOOK in sys.modules:
        yield Finding(OK, subject, f"the start-up hook shows lm_eval {files} task files")
    else:
        yield Finding(
            BROKEN,
            subject,
            "the start-up hook did not run in this environment",
            f"install {NAME} again, or {way_out}",
        )
    command, here = shutil.which("lm_eval"), os.path.dirname(sys.executable)
    if command is None:
        yield Finding(
            NOTE,
            "lm_eval command",
            "not on PATH",
            f"{sys.executable} -m lm_eval is the same, or activate {here}/..",
        )
    elif not os.path.samefile(os.path.dirname(command), here):
        yield Finding(
            NOTE,
            "lm_eval command",
            f"{command} belongs to another environment",
            f"use {sys.executable} -m lm_eval",
        )


def accelerator() -> Finding:
    """What learned metrics and models of lm_eval's hf backend would run on."""
    subject = "accelerator"
    try:
        import torch
    except ModuleNotFoundError:
        return Finding(
            NOTE,
            subject,
            "torch is not installed: only API models and overlap metrics",
            f"pip install '{NAME}[hf]'",
        )
    except Exception as error:  # libraries of another machine or driver
        return Finding(
            BROKEN,
            subject,
            f"torch cannot be imported ({type(error).__name__})",
            "install the torch build for this machine",
        )
    name = f"torch {torch.__version__}"
    if torch.cuda.is_available():
        return _gpu(subject, name)
    if torch.backends.mps.is_available():
        return Finding(OK, subject, f"Apple GPU (--device mps); {name}")
    return _without_gpu(subject, name)


def _gpu(subject: str, name: str) -> Finding:
    """The GPUs that torch sees, tried with a small sum; `name` is torch and its version."""
    import torch

    try:
        float(torch.ones(2, device="cuda").sum())
        free, total = (size / 1e9 for size in torch.cuda.mem_get_info())
    except RuntimeError as error:
        reason = str(error).splitlines()[0][:120]
        return Finding(
            BROKEN,
            subject,
            f"{name} sees a GPU that does not work ({reason})",
            "install the torch build for this GPU",
        )
    count = torch.cuda.device_count()
    shown = f"{torch.cuda.get_device_name(0)}, {free:.0f} of {total:.0f} GB free" + (
        f", {count} of them" if count > 1 else ""
    )
    return Finding(OK, subject, f"{shown}; {name}")


def _without_gpu(subject: str, name: str) -> Finding:
    """Why torch sees no GPU: there is none, it is a CPU build, or the GPU is hidden."""
    import torch

    if not shutil.which("nvidia-smi"):
        return Finding(
            NOTE,
            subject,
            f"CPU only; {name}",
            "larger models run behind an API: --model local-chat-completions",
        )
    if torch.version.cuda is None:
        return Finding(
            NOTE,
            subject,
            f"there is an NVIDIA driver, but {name} is a CPU build",
            "install a CUDA build: pytorch.org",
        )
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    hidden = (
        f"CUDA_VISIBLE_DEVICES={visible!r}"
        if visible is not None
        else "the driver may be older than this CUDA"
    )
    return Finding(
        NOTE,
        subject,
        f"there is an NVIDIA driver, but {name} sees no GPU ({hidden})",
        "compare with nvidia-smi",
    )
