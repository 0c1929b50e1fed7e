"""Make the champion before this one champion again: `python -m ferflow.rollback`."""

from __future__ import annotations

import argparse

from ferflow.params import load_params
from ferflow.stage import run


def main() -> None:
    """Roll back in the registry of the chosen data set, and say what was done."""
    argparse.ArgumentParser(description=__doc__).parse_args()
    params = load_params()

    from ferflow.tracking.by_hand import roll_back
    from ferflow.tracking.store import connect

    print(f"rollback: {roll_back(connect(f'ferflow-{params.dataset}'), params.source.registered_model)}")


if __name__ == "__main__":
    run(main)
