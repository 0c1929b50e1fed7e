"""`ferflow predict`: the emotions in image files, for people and for scripts.

Exit codes: 0 if every image could be looked at (having no face in it is an answer), 3 if some could not and
were skipped, 1 if nothing could be answered, 2 if the command line is wrong.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import os
import sys
from collections.abc import Iterator, Sequence
from typing import Final

from ferflow.errors import FerflowError
from ferflow.progress import progress
from ferflow.serving.answers import Answer
from ferflow.serving.found_images import found_images
from ferflow.serving.opening import CHAMPION, MODEL_HELP
from ferflow.serving.predictor import BATCH_SIZE, Predictor
from ferflow.serving.tables import CsvLines, as_json, as_table

#: Some images were skipped.
SKIPPED: Final = 3

_EPILOG: Final = (
    "exit codes: 0 every image could be looked at, 1 nothing could be answered, 2 the command line is wrong, "
    f"{SKIPPED} some images could not be read and were skipped"
)


def add_command(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add `predict` to the commands of a parser."""
    parser = commands.add_parser(
        "predict",
        help="say the emotions in images",
        description="Say the emotions in images.",
        epilog=_EPILOG,
    )
    parser.add_argument(
        "images", nargs="+", metavar="IMAGE|FOLDER|GLOB", help="files, folders (at any depth), patterns"
    )
    parser.add_argument(
        "--model",
        default=CHAMPION,
        help=MODEL_HELP,
    )
    parser.add_argument(
        "--faces", action="store_true", help="find the faces in each image; without, each image is one face"
    )
    parser.add_argument(
        "--format",
        choices=("table", "csv", "json"),
        default="table",
        help="csv has a row for each face as soon as it is known (default: %(default)s)",
    )
    parser.add_argument(
        "--batch-size",
        type=_at_least_one,
        default=BATCH_SIZE,
        metavar="N",
        help="faces in one forward pass (default: %(default)s)",
    )
    parser.set_defaults(run=predict)


def predict(arguments: argparse.Namespace) -> int:
    """Write the answers on stdout and what was skipped on stderr; return the exit code.

    Raises:
        FerflowError: There is no such model, no image is named, none of them can be read, or nothing can be
            written.
    """
    found = found_images(arguments.images)
    predictor = Predictor(arguments.model)
    with _stdout():
        answers = _answer(found.paths, predictor, arguments)
    unread = [(answer.image, answer.rejection) for answer in answers if answer.rejection]
    skipped = [
        *found.problems,
        *(f"{image}: {rejection.reason}: {rejection.remedy}" for image, rejection in unread),
    ]
    for problem in skipped:
        print(f"skipped: {problem}", file=sys.stderr)
    if len(unread) == len(answers):
        raise FerflowError(f"none of {len(answers):,} images could be read.")
    return SKIPPED if skipped else 0


def _answer(paths: list[str], predictor: Predictor, arguments: argparse.Namespace) -> list[Answer]:
    """Write the answers; return them."""
    coming = predictor.answers(
        ((path, path) for path in paths), faces=arguments.faces, batch_size=arguments.batch_size
    )
    with progress(coming, description="predict", unit="image", total=len(paths)) as bar:
        if arguments.format == "csv":
            return _as_csv(iter(bar), predictor.model.labels)
        answers = list(bar)
    if arguments.format == "json":
        print(as_json(answers))
    else:
        print(as_table(answers, predictor.model.labels, faces=arguments.faces))
        print(f"\nby {predictor.model.title}")
    return answers


def _as_csv(answers: Iterator[Answer], labels: Sequence[str]) -> list[Answer]:
    """Write each answer as soon as it is there; return all."""
    lines = CsvLines(labels)
    sys.stdout.write(lines.header())
    written = []
    for answer in answers:
        sys.stdout.write(lines.rows(answer))
        written.append(answer)
    return written


@contextlib.contextmanager
def _stdout() -> Iterator[None]:
    """Have all written at the end of the block, whatever files are called; tell if that is impossible."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        # A file's name may be of bytes that are no text.
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        yield
        sys.stdout.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        # At exit Python would try once more.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise FerflowError(f"the answers cannot be written ({error.strerror}): is there space?") from None


def _at_least_one(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError("at least 1")
    return value
