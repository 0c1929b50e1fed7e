"""What evaluation found of a model, in its run: scores, report, figures, description."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path

from mlflow.entities import Metric, Run, RunTag

from ferflow.files import sha256_of_file, sha256_of_json
from ferflow.tracking.store import Store


def log_results(
    store: Store, run: Run, metrics: Mapping[str, float], files: Mapping[str, Path], tags: Mapping[str, str]
) -> None:
    """Log what evaluation found, once: a repetition with the same content changes nothing.

    Args:
        store: An open store.
        run: A finished run.
        metrics: Names with a slash, e.g. `"val/macro_f1"`.
        files: By their paths among the run's artifacts, e.g. `"report/confusion.png"`; each keeps its name.
        tags: Further tags.
    """
    content = {
        "metrics": dict(metrics),
        "files": {path: sha256_of_file(file) for path, file in sorted(files.items())},
        "tags": dict(tags),
    }
    digest = sha256_of_json(content)
    run_id = run.info.run_id
    folders = {path.rpartition("/")[0] for path in files}
    if run.data.tags.get("results_sha256") == digest and all(
        store.client.list_artifacts(run_id, folder or None) for folder in folders
    ):
        return
    for path, file in files.items():
        store.client.log_artifact(run_id, str(file), path.rpartition("/")[0] or None)
    now = int(time.time() * 1000)
    store.client.log_batch(
        run_id,
        metrics=[Metric(name, value, now, 0) for name, value in metrics.items()],
        # Last: a run without this tag is completed at the next try.
        tags=[RunTag(name, value) for name, value in {**tags, "results_sha256": digest}.items()],
    )
