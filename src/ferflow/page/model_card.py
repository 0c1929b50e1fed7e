"""The champion's model card, in the form of the Hugging Face Hub.

Mitchell et al., "Model Cards for Model Reporting" (2019); https://huggingface.co/docs/hub/model-cards
"""

from __future__ import annotations

import io
from importlib.metadata import PackageNotFoundError, metadata
from typing import Any, Final

from ruamel.yaml import YAML

from ferflow.data.explanation import markdown
from ferflow.labels import EMOTIONS
from ferflow.page import findings, text
from ferflow.page.environment import environment
from ferflow.page.inputs import Inputs, Model

_REPORTED: Final = {
    "accuracy": ("accuracy", "Accuracy"),
    "f1": ("macro_f1", "Macro-averaged F1"),
}


def model_card(inputs: Inputs) -> str:
    """Return the champion's model card: YAML for machines, then Markdown; equal inputs give equal text."""
    templates = environment(autoescape=False)  # Markdown: what others wrote goes through `prose` or `code`
    templates.filters |= {"prose": markdown.prose, "code": markdown.code}
    champion = inputs.champion
    return templates.get_template("model_card.md.j2").render(
        header=as_yaml(_header(inputs)),
        model=champion,
        models=inputs.models,
        data=inputs.data,
        gate=inputs.gate,
        findings=findings,
        text=text,
        emotions=EMOTIONS,
        recipe=as_yaml(champion.training.recipe),
        scores=_scores(champion),
        per_class=_per_class(champion),
        robustness=_robustness(champion),
        counts=_counts(inputs),
        told_apart=findings.told_apart(inputs),
        command=_command(champion),
        code_licence=_code_licence(),
    )


def as_yaml(value: Any) -> str:
    """Return `value` as YAML in its own order."""
    yaml = YAML(typ="safe", pure=True)
    yaml.default_flow_style = False
    yaml.allow_unicode = True
    yaml.width = 100
    yaml.sort_base_mapping_type_on_output = False  # type: ignore[assignment]
    yaml.indent(mapping=2, sequence=4, offset=2)
    stream = io.StringIO()
    yaml.dump(value, stream)
    return stream.getvalue()


def _header(inputs: Inputs) -> dict[str, Any]:
    model, data = inputs.champion, inputs.data
    split = {"type": data.origin.dataset, "name": data.origin.dataset, "split": "test"}
    results = [
        {"type": kind, "name": name, "value": getattr(model.test, score)}
        for kind, (score, name) in _REPORTED.items()
    ]
    return {
        **_licence(inputs),
        "library_name": "keras",
        "pipeline_tag": "image-classification",
        "tags": ["image-classification", "facial-expression-recognition", "keras", "ferflow"],
        "datasets": [data.origin.dataset],
        "metrics": list(_REPORTED),
        "model-index": [
            {
                "name": model.name,
                "results": [
                    {
                        "task": {"type": "image-classification", "name": "Facial-expression recognition"},
                        "dataset": split,
                        "metrics": results,
                    }
                ],
            }
        ],
    }


def _licence(inputs: Inputs) -> dict[str, str]:
    """Return the code's licence, or that it is not known what the data, and so the weights, are for."""
    if inputs.data.origin.licence is None:
        return {"license": "other", "license_name": "licence-of-training-data-not-stated"}
    return {"license": _code_licence().lower()}


def _code_licence() -> str:
    try:
        return str(metadata("ferflow")["License-Expression"] or "other")
    except PackageNotFoundError:
        return "other"


def _scores(model: Model) -> str:
    rows = [
        ("accuracy", text.percent, text.percent_interval),
        ("macro_f1", text.decimal, text.decimal_interval),
    ]
    body = [
        [
            text.spoken(name).replace("macro f1", "macro-F1"),
            shown(getattr(model.test, name)),
            interval(getattr(model.test, f"{name}_low"), getattr(model.test, f"{name}_high")),
            shown(getattr(model.val, name)),
        ]
        for name, shown, interval in rows
    ]
    plain = {
        "balanced_accuracy": ("balanced accuracy", text.percent),
        "weighted_f1": ("weighted F1", text.decimal),
        "top2_accuracy": ("top-2 accuracy", text.percent),
        "log_loss": ("log loss", text.decimal),
        "calibration_error": ("expected calibration error", text.percent),
    }
    body += [
        [title, shown(getattr(model.test, name)), "", shown(getattr(model.val, name))]
        for name, (title, shown) in plain.items()
    ]
    return markdown.table(["metric", "test", "95% interval", "validation"], body)


def _per_class(model: Model) -> str:
    rows = model.per_class[model.per_class["split"] == "test"].to_dict("records")
    return markdown.table(
        ["emotion", "precision", "recall", "F1", "images"],
        [
            [
                str(row["label"]),
                *(text.decimal(row[name]) for name in ("precision", "recall", "f1")),
                text.count(row["support"]),
            ]
            for row in rows
        ],
    )


def _robustness(model: Model) -> str | None:
    if model.robustness is None or not (model.robustness["severity"] > 0).any():
        return None
    means = findings.by_harm(model.robustness)
    rows = [[text.spoken(str(name)), text.percent(share)] for name, share in means.items()]
    return markdown.table(["damage", "mean accuracy over severities"], rows)


def _counts(inputs: Inputs) -> str:
    splits = ("train", "val", "test")
    rows = [
        [label, *(text.count(by_split.get(split, 0)) for split in splits)]
        for label, by_split in inputs.data.as_used.items()
    ]
    return markdown.table(["emotion", *(findings.split_name(split) for split in splits)], rows)


def _command(model: Model) -> str:
    """Return what makes the model again, in a clone of the project."""
    dataset, budget = model.training.dataset, model.training.budget
    return f"python -m ferflow.switch dataset={dataset} budget={budget}\nmake repro"
