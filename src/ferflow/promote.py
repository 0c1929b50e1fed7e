"""Make a version of the registered model champion by hand: `python -m ferflow.promote 3`."""

from __future__ import annotations

import argparse

from ferflow.params import load_params
from ferflow.stage import run


def main() -> None:
    """Promote a version in the registry of the chosen data set, and say what was done."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("version", help="its number, as the registry shows it")
    arguments = parser.parse_args()
    params = load_params()

    from ferflow.tracking.by_hand import promote_by_hand
    from ferflow.tracking.store import connect

    store = connect(f"ferflow-{params.dataset}")
    print(f"promote: {promote_by_hand(store, params.source.registered_model, arguments.version)}")


if __name__ == "__main__":
    run(main)
