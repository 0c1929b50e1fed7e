"""The command `ferflow`: what is done with a trained model."""

from __future__ import annotations

import argparse
import sys

from ferflow import __version__
from ferflow.stage import run


def main() -> None:
    """Run the command that is given; it exits as `ferflow.stage.run` says."""
    run(_main)


def _main() -> None:
    from ferflow.serving.command import add_command

    parser = argparse.ArgumentParser(prog="ferflow", description="Facial expressions, by a trained model.")
    parser.add_argument("--version", action="version", version=f"ferflow {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    add_command(commands)
    arguments = parser.parse_args()
    sys.exit(arguments.run(arguments))


if __name__ == "__main__":
    main()
