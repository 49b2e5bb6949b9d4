"""`main`: finds the command, runs it, and turns whatever happens into an exit code and at most one line on stderr."""

import errno
import shlex
import shutil
import sys
import traceback
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from cyclopts import App, CycloptsError, Parameter
from cyclopts.config import Env

import weakspot
from weakspot.cli.options import from_file
from weakspot.cli.streams import flush, hold_open, warn
from weakspot.errors import InputError, SetupError

DONE, USAGE, ENVIRONMENT, INTERNAL, INTERRUPTED = 0, 2, 3, 70, 130

EPILOGUE = (
    "Results go to stdout, progress to stderr. Every option can be an environment variable too: WEAKSPOT_SEED=3 is "
    "--seed 3.\n\n"
    "Exit codes: 0 done; 1 a gate failed; 2 wrong usage or input; 3 the machine must change (a full disk, a missing "
    "extra); 70 a bug in weakspot; 130 interrupted."
)


@dataclass(frozen=True)
class Verb:
    """How a verb is shown; its module in weakspot.cli is imported when it is called."""

    says: str
    usage: str
    examples: tuple[str, ...]
    module: str = ""
    """The module in weakspot.cli, where the verb is no name that Python allows."""


VERBS = {
    "audit": Verb(
        "Find the weak classes of a classifier and write a report.",
        "[MODEL] [OPTIONS]",
        (
            "weakspot audit",
            "weakspot audit resnet18 --weights my.pt --data cifar10 --limit 1000",
            "weakspot audit my_model.py:make --data my_data.py:make --radius l2:0.5",
        ),
    ),
    "report": Verb(
        "Print the report of a run; write it as HTML, LaTeX, CSV or Markdown.",
        "RUN [OPTIONS]",
        ("weakspot report runs/NAME --latex table.tex --csv numbers.csv",),
    ),
    "compare": Verb(
        "Compare audits of the same images class by class; gates set the exit code.",
        "RUN [RUN ...] [OPTIONS]",
        (
            "weakspot compare runs/before runs/after",
            "weakspot compare runs/before runs/after --gate 'worst_class_robust >= -0.02' --gate 'low(clean) >= -0.01'",
            "weakspot compare a-seed0,a-seed1 b-seed0,b-seed1 --html change.html",
            "weakspot compare runs/only --gate 'class(cat).robust >= 0.3'",
        ),
    ),
    "show": Verb(
        "Write the images behind a cell of the confusion: clean, what was added, attacked.",
        "RUN --class NAME --predicted NAME [OPTIONS]",
        ("weakspot show runs/NAME --class cat --predicted dog",),
    ),
    "doctor": Verb(
        "Check whether a model and data can be audited and the result believed.",
        "[MODEL] [OPTIONS]",
        ("weakspot doctor my_model.py:make --data my_data.py:make",),
    ),
    "explain": Verb(
        "Measure how far predictions can be moved, and draw the surfaces around images.",
        "[MODEL] [OPTIONS]",
        (
            "weakspot explain --limit 500",
            "weakspot explain runs/robust --beside runs/natural --limit 1000",
            "weakspot explain runs/robust --pairs gradient,towards:cat --audit runs/NAME",
        ),
    ),
    "train": Verb(
        "Train a classifier, in a folder that audit takes as a model.",
        "METHOD [OPTIONS]",
        (
            "weakspot train standard --epochs 5",
            'weakspot train "trades(beta=3)" --data cifar10 --model resnet18-w16',
            "weakspot train trades --policy dafa",
        ),
    ),
    "export": Verb(
        "Write a trained model as one file that runs without weakspot.",
        "RUN --pt2 FILE [OPTIONS]",
        ("weakspot export runs/NAME --pt2 model.pt2",),
    ),
    "rarity": Verb(
        "Tell classes that are rare in training from classes that are hard.",
        "RUN RUN [...] [OPTIONS]",
        ("weakspot rarity runs/order-0 runs/order-1 runs/order-2",),
    ),
    "import": Verb(
        "Make a run of predictions that another tool saved, to report and compare.",
        "--data ADDRESS --predictions THREAT=FILE [...] [OPTIONS]",
        (
            "weakspot import --data cifar10 --predictions clean=clean.npz --predictions autoattack@linf:8/255=aa.npz",
            "weakspot import --data cifar10 --predictions clean=clean.npz --predictions fog@3=fog.npz --name resnet50",
        ),
        "import_run",
    ),
    "reproduce": Verb(
        "Carry out a packaged experiment again: trainings, audits, tables.",
        "[RECIPE] [OPTIONS]",
        (
            "weakspot reproduce",
            "weakspot reproduce fairness --dry-run",
            "weakspot reproduce fairness --set cifar10=parquet:shards --only trades-1",
        ),
    ),
    "data list": Verb("Print the named sets, and how to name your own files.", "[OPTIONS]", ()),
    "data describe": Verb(
        "Print what a set holds: samples per class, shape, customary radius, digest.",
        "ADDRESS [OPTIONS]",
        ("weakspot data describe folder:photos --split train",),
    ),
    "data fetch": Verb("Get a named set now, to be without a network later.", "NAME", ("weakspot data fetch cifar10",)),
}


def command_line() -> App:
    """The parser, with every verb."""
    app = App(
        "weakspot",
        help="Find the weak classes of an image classifier. Try: weakspot audit",
        help_epilogue=EPILOGUE,
        version=weakspot.__version__,
        config=[Env("WEAKSPOT_", command=False, show=False), from_file],
        default_parameter=Parameter(negative=(), show_default=False),
        suppress_keyboard_interrupt=False,
        help_format="plaintext",
    )
    data = App("data", help="List, describe and fetch images to audit or train on.", help_epilogue="")
    app.command(data)
    for name, verb in VERBS.items():
        group, _, part = name.partition(" ")
        (data if part else app).command(
            f"weakspot.cli.{verb.module or group}:{verb.module or part or group}",
            name=part or group,
            help=verb.says,
            usage=f"Usage: weakspot {name} {verb.usage}",
            help_epilogue="\n".join(
                ["Examples:", *(f"  {example}" for example in verb.examples)] if verb.examples else []
            ),
        )
    return app


class Failure(NamedTuple):
    """How a command ended that did not end well."""

    code: int
    line: str


def main(arguments: Sequence[str] | None = None) -> int:
    """Run `weakspot ARGUMENTS` (by default those of the process) and return its exit code."""
    hold_open()
    given = list(sys.argv[1:] if arguments is None else arguments)
    try:
        code = command_line()(given, exit_on_error=False, print_error=False, result_action="return_value")
        flush()
    except (Exception, KeyboardInterrupt) as error:
        failure = explain(error, given)
        if failure.code == INTERNAL or "--verbose" in given or "-v" in given:
            traceback.print_exc()
        warn(f"weakspot: {failure.line}")
        return failure.code
    return code if isinstance(code, int) else DONE


def explain(error: BaseException, given: Sequence[str]) -> Failure:
    """The exit code for an error, and what to tell the user in one line."""
    line = " ".join(str(error).split())
    if isinstance(error, KeyboardInterrupt):
        return Failure(INTERRUPTED, f"interrupted; what is finished is kept, go on with: {same_command(given)}")
    if isinstance(error, CycloptsError):
        return Failure(USAGE, usage(error, line, given))
    if isinstance(error, InputError | SetupError):
        return Failure(error.exit_code, line)
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS):
        return Failure(ENVIRONMENT, f"{line}; free some space or write elsewhere")
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":  # torch's own is not imported here
        return Failure(ENVIRONMENT, "out of memory; give a smaller --block, or --device cpu")
    return Failure(INTERNAL, f"internal error, please report it with the lines above: {type(error).__name__}: {line}")


def usage(error: CycloptsError, line: str, given: Sequence[str]) -> str:
    """Cyclopts' finding, without the list of all commands, and where to read on."""
    found, _, _ = line.partition(" Available commands:")
    verb = next((name for name in VERBS if given[: len(name.split())] == name.split()), "")
    return f"{found} See: {' '.join(['weakspot', *verb.split()])} --help"


def same_command(given: Sequence[str]) -> str:
    """The running command as it can be pasted into a shell."""
    script = Path(sys.argv[0])
    if script.name == "__main__.py":
        program = [sys.executable, "-m", "weakspot"]
    else:
        program = ["weakspot" if shutil.which("weakspot") == str(script) else str(script)]
    return shlex.join([*program, *given])
