"""The target's own validator, where it is installed."""

import importlib
import importlib.util
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from csc_tasks.errors import DataError

PACKAGE = "every_eval_ever"


def validated(root: Path, files: Sequence[Path]) -> str:
    """What to say of the files below `root` after the validator has looked at them.

    Raises DataError with the first that it refuses.
    """
    if importlib.util.find_spec(PACKAGE) is None:
        return (
            f"{len(files)} files in {root}, not validated: every-eval-ever is not installed (Python"
            f" 3.12: pip install every-eval-ever; every_eval_ever validate '{root}/data/*/*/*/*')"
        )
    core: Any = importlib.import_module(f"{PACKAGE}.validator.validation_core")
    names = {file: file.relative_to(root).as_posix() for file in files}
    warnings = 0
    for file, name in names.items():
        report = core.validate_file(
            file,
            repo_path=name,
            available_files=frozenset(names.values()),
            read_repo_file=lambda path: (root / path).read_text(encoding="utf-8"),
            run_semantic_checks=True,
        )
        if not report.valid:
            first = report.errors[0]
            raise DataError(f"{file}: every-eval-ever refuses it: {first['loc']}: {first['msg']}")
        warnings += len(report.warnings)
    return f"{len(files)} files in {root}, valid by every-eval-ever ({warnings} warnings)"
