"""Stage measure: how long an answer takes and how long its training took, of every model and ensemble."""

from __future__ import annotations

import argparse
from functools import partial
from pathlib import Path
from typing import Any

import psutil

from ferflow.evaluation.model_info import read_model_info
from ferflow.evaluation.report_folders import report_folders
from ferflow.evaluation.training_time import together, training_time
from ferflow.files import read_or_none, sha256_of_file, write_json
from ferflow.params import load_params
from ferflow.shared_machine import available_cores
from ferflow.stage import heavy_imports, run


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--models", type=Path, required=True, help="folder of the trained models")
    parser.add_argument("--reports", type=Path, required=True, help="folder of the reports")
    parser.add_argument("--times", type=Path, required=True, help="folder of the times of trainings")
    parser.add_argument(
        "--out", type=Path, required=True, help="file to write; what it says is kept if it can be"
    )
    arguments = parser.parse_args()

    params = load_params()
    infos = {
        name: read_model_info(folder / "model.json")
        for name, folder in report_folders(arguments.reports, params).items()
    }
    earlier = _by_model(read_or_none(arguments.out))

    with heavy_imports():
        from ferflow.models.evaluated import load_evaluated
        from ferflow.models.inspection.cost import described, measured_or_kept
        from ferflow.training.devices import prepare
    device = prepare("float32", params.seed)
    where = described(device.name, threads=None if device.kind == "gpu" else device.workers)
    costs: dict[str, Any] = {}
    for name, info in infos.items():
        known = earlier.get(name, {})
        load = partial(
            load_evaluated,
            arguments.models,
            name,
            info.members,
            horizontal_flip=info.evaluate.horizontal_flip,
            shift=info.evaluate.shift,
        )
        made_of = {
            "files": {
                each: sha256_of_file(arguments.models / each / "model.keras")
                for each in info.members or [name]
            },
            "members": info.members,
            "views": info.views,
        }
        # A stage that asked the network for its answers has timed it already.
        kept = (known, read_or_none(arguments.times / name / "answers.json"))
        cost = measured_or_kept(kept, load, made_of=made_of, device=where)
        if info.members is None:
            file = arguments.times / name / f"{info.fingerprint}.json"
            time = training_time(known.get("training"), file, info.fingerprint)
        else:
            # Models come first: what members took is known already.
            time = together([costs[each]["training"] for each in info.members], info.fingerprint)
        costs[name] = cost | {"training": time}
        times = cost["milliseconds_per_image"]
        words = ", ".join(f"{time} ms an image in batches of {batch}" for batch, time in times.items())
        print(f"measure: {name}: {words}", flush=True)
    is_new = any(
        cost["milliseconds_per_image"] != earlier.get(name, {}).get("milliseconds_per_image")
        for name, cost in costs.items()
    )
    if is_new and psutil.getloadavg()[0] > available_cores() + 1:
        print(
            "measure: the machine was busy, new times may be too long: README.md says how to measure again",
            flush=True,
        )
    write_json(arguments.out, costs)


def _by_model(content: object) -> dict[str, dict[str, Any]]:
    """Return what an earlier run has measured; nothing if that cannot be read."""
    models = content.items() if isinstance(content, dict) else ()
    return {name: each for name, each in models if isinstance(each, dict)}


if __name__ == "__main__":
    run(main)
