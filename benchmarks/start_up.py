"""What the start-up hook costs a program that is not lm_eval: CPU time of interpreter starts, with
it and without.

    python -m benchmarks.start_up --starts 1000

Two fresh virtual environments, one with the three files of the hook, compiled as pip compiles them.
They start in turn, so that a busy machine is busy for both. Printed are user and system time of a
start (means), the difference of the means with its standard error, and the difference of the first
quartiles, which other processes disturb less.
"""

import argparse
import compileall
import os
import statistics
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path

from csc_tasks.autoload import backend

PROGRAMS = {"nothing": "pass", "argparse, json, subprocess": "import argparse, json, subprocess"}


def make_environment(folder: Path, files: dict[str, bytes]) -> str:
    """A virtual environment with these files in site-packages; the path of its interpreter."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True)
    site_packages = Path(sysconfig.get_path("purelib", "venv", {"base": str(folder)}))
    for name, content in files.items():
        (site_packages / name).write_bytes(content)
    compileall.compile_dir(site_packages, quiet=1)
    return str(folder / "bin" / "python")


def start(python: str, program: str) -> float:
    """CPU milliseconds, user and system, of one process."""
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "CSC_"))
    }
    pid = os.posix_spawn(python, [python, "-c", program], environment)
    _, status, usage = os.wait4(pid, 0)
    if status:
        raise RuntimeError(f"{python} -c {program!r} failed")
    return 1000 * (usage.ru_utime + usage.ru_stime)


def main() -> None:
    """Print one row a program."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--starts", type=int, default=1000, help="starts of each kind (default %(default)s)"
    )
    starts = parser.parse_args().starts
    print(
        "|the program imports|without|with|difference of the means|of the first"
        " quartiles|\n|---|---:|---:|---:|---:|"
    )
    with tempfile.TemporaryDirectory() as folder:
        bare = make_environment(Path(folder, "bare"), {})
        hooked = make_environment(Path(folder, "hooked"), backend.start_up_files())
        for name, program in PROGRAMS.items():
            for python in (bare, hooked):
                start(python, program)  # files come into the cache
            pairs = [(start(bare, program), start(hooked, program)) for _ in range(starts)]
            without, having = zip(*pairs, strict=True)
            differences = [after - before for before, after in pairs]
            error = statistics.stdev(differences) / len(differences) ** 0.5
            # What other processes add to a start only ever lengthens it.
            quick = statistics.quantiles(having, n=4)[0] - statistics.quantiles(without, n=4)[0]
            print(
                f"|{name}|{statistics.mean(without):.2f} ms|{statistics.mean(having):.2f} ms"
                f"|{statistics.mean(differences):.2f} ± {error:.2f} ms|{quick:.2f} ms|"
            )


if __name__ == "__main__":
    main()
