"""What the numbers say in words: sentences that the page and the model card share."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import pandas as pd

from ferflow.evaluation.robustness.scores import accuracy_by_corruption
from ferflow.evaluation.wording import magnitude, shares
from ferflow.page import text
from ferflow.page.data_inputs import Copies, Data, Expectation
from ferflow.page.inputs import Inputs, Model

#: What facts.json cannot know, of the data sets that ferflow brings or names itself.
KNOWN_DATA: Final = {
    "sample": (
        "The embedded sample is synthetic: its faces are drawn from the facial action units by which each "
        "emotion is defined. It shows that the pipeline works and lets models differ; a score on it says "
        "nothing about real faces."
    ),
    "fer2013": (
        "FER-2013 was collected by searching the web for words of emotion, and labelled with their help. "
        "People agree with about 65% of its labels (Goodfellow et al., “Challenges in Representation "
        "Learning”, 2013): part of what counts as an error here is doubt about the label."
    ),
}
_SPLIT_NAMES: Final = {"train": "train", "val": "validation", "test": "test"}


def known_data(data: Data) -> str | None:
    """Return what is known of a data set beside its files, or None."""
    return KNOWN_DATA.get(data.origin.dataset)


def how_many(models: Sequence[Model]) -> str:
    """Return how many models there are, and how many of them are ensembles of the others."""
    ensembles = sum(model.about.members is not None for model in models)
    words = text.plural(len(models) - ensembles, "model")
    return f"{words} and {text.plural(ensembles, 'ensemble')}" if ensembles else words


def near_chance(model: Model) -> str:
    """Return why a model's accuracy means nothing."""
    majority = text.percent(model.standing.test_majority_share)
    return (
        f"Its accuracy on test, {text.percent(model.test.accuracy)} (95% interval "
        f"{text.percent_interval(model.test.accuracy_low, model.test.accuracy_high)}), is not told apart "
        f"from always answering with the commonest emotion ({majority})."
    )


def told_apart(inputs: Inputs) -> str:
    """Return from which models the champion differs on test, and from which it does not."""
    champion = inputs.champion.name
    pairs = inputs.comparisons
    ours = pairs[(pairs["model_a"] == champion) | (pairs["model_b"] == champion)]
    if ours.empty:
        return "There is no other model to compare it with."
    other = ours["model_a"].where(ours["model_a"] != champion, ours["model_b"])
    alike = [str(name) for name in other[~ours["differs"]]]
    differing = len(ours) - len(alike)
    if not alike:
        return f"On test the champion differs from {_others(differing)}."
    named = text.listed(alike)
    if not differing:
        return f"On test the champion is not told apart from any other model ({named})."
    return f"On test the champion differs from {_others(differing)}; it is not told apart from {named}."


def weakest(model: Model) -> str:
    """Return the emotions that a model finds easiest and hardest on test, by F1."""
    test = model.per_class[(model.per_class["split"] == "test") & (model.per_class["support"] > 0)]
    if test.empty:
        return "Test holds no image of any emotion."
    ordered = test.sort_values("f1", kind="stable")
    worst, best = ordered.iloc[0], ordered.iloc[-1]
    return (
        f"It is best at {best['label']} (F1 {text.decimal(best['f1'])}) and worst at {worst['label']} "
        f"(F1 {text.decimal(worst['f1'])}, {text.plural(int(worst['support']), 'image')})."
    )


def confusions(model: Model, most: int = 3) -> str:
    """Return what a model confuses most on test, or that it confuses nothing."""
    if model.top_confusions is None:
        return "Its confusions were not counted."
    first = model.top_confusions.head(most)
    if first.empty:
        return "It confuses nothing on test."
    words = [
        f"{row['actual']} for {row['predicted']} "
        f"({row['count']:,}, {text.percent(row['share'])} of {row['actual']})"
        for row in first.to_dict("records")
    ]
    return f"It most often takes {text.listed(words)}."


def by_harm(table: pd.DataFrame) -> pd.Series:
    """Return the accuracy by corruption, the mean over its severities, the most harmful first."""
    return accuracy_by_corruption(table).sort_values(kind="stable")


def robustness(model: Model) -> str:
    """Return how a model's accuracy falls on damaged images, and what harms it most."""
    if model.robustness is None or not (model.robustness["severity"] > 0).any():
        return "It was not measured on damaged images."
    table = model.robustness
    clean = table.loc[table["severity"] == 0]
    means = by_harm(table)
    worst, least = str(means.index[0]), str(means.index[-1])
    on = f" on {text.plural(int(table['samples'].max()), 'test image')}"
    undamaged = (
        f", {text.percent(clean['accuracy'].mean())} on the same images undamaged" if len(clean) else ""
    )
    return (
        f"Its mean accuracy{on} over {text.plural(len(means), 'kind')} of damage is "
        f"{text.percent(means.mean())}{undamaged}. Most harmful is {text.spoken(worst)} "
        f"({text.percent(means.iloc[0])}), least {text.spoken(least)} ({text.percent(means.iloc[-1])})."
    )


def cost(model: Model) -> str:
    """Return what an image costs, where it was measured."""
    about = model.about
    size = (
        f"{text.count(about.parameters)} parameters ({text.count(about.trainable_parameters)} trainable), "
        f"{magnitude(about.flops, 'FLOPs')} for an image, "
        f"a file of {magnitude(about.file_bytes, 'B')}"
    )
    times = model.cost.milliseconds_per_image if model.cost else {}
    if not model.cost or not times:
        return f"{size}. Its speed was not measured."
    speeds = [f"{text.milliseconds(time)} at batch {batch}" for batch, time in times.items()]
    return f"{size}; {text.listed(speeds)} on {model.cost.device}."


def vote(model: Model) -> str:
    """Return whose probabilities an ensemble averages."""
    words = f"Its probabilities are the mean of those of {text.listed(shares(model.about.members or {}))}."
    if not model.about.cross_fitted:
        return words
    return (
        f"{words} They were chosen, and weighed, for the highest macro-F1 on validation; each fifth of the "
        "validation images is scored by what was chosen on the other four."
    )


def copies(data: Data) -> list[str]:
    """Return what is known about images that stand in the data more than once."""
    declared = data.copies_declared
    if not declared.groups:
        return ["Every image stands in the data set once: no two have the same pixels."]
    sentences = [
        f"{text.plural(declared.groups, 'image')} {'stands' if declared.groups == 1 else 'stand'} in the "
        f"data more than once ({text.count(declared.samples)} samples), {declared.contradictory:,} of them "
        "under more than one label."
    ]
    return sentences + _across(declared) + _cleaned(data)


def left_out(data: Data) -> list[tuple[str, int]]:
    """Return the reasons why samples are in no split, with their number."""
    return [(reason, sum(by_split.values())) for reason, by_split in data.left_out.items()]


def balance(data: Data) -> str:
    """Return how unequal the classes of train are."""
    found = data.train_balance
    if found.ratio is None:
        return f"There is no image of {found.smallest} in train."
    return (
        f"In train, {found.largest} has {found.ratio:.1f} times the images of {found.smallest}, "
        "the rarest emotion."
    )


def observed(expectation: Expectation) -> str:
    """Return what an expectation found, e.g. `1,853 of 35,887`."""
    finding = expectation.finding
    if finding is None:
        return "not checked"
    if finding.unexpected is not None and finding.checked:
        share = text.percent(finding.unexpected / finding.checked)
        return f"{finding.unexpected:,} of {finding.checked:,} ({share})"
    value = finding.observed
    return f"{value:,.4g}" if isinstance(value, float) else str(value)


def split_name(split: str) -> str:
    """Return what people call a split."""
    return _SPLIT_NAMES.get(split, split)


def _others(number: int) -> str:
    return "one other model" if number == 1 else f"{number} other models"


def _across(declared: Copies) -> list[str]:
    found = [
        f"{groups.groups:,} between {' and '.join(split_name(split) for split in pair.split('_'))}"
        for pair, groups in declared.across.items()
        if groups.groups
    ]
    return [f"As the source declares its splits, copies leak: {text.listed(found)}."] if found else []


def _cleaned(data: Data) -> list[str]:
    leaking = sum(groups.groups for groups in data.copies_used.across.values())
    if leaking:
        return [f"As the splits are used, {text.plural(leaking, 'image')} still leak between them."]
    return ["As the splits are used, no image is in two of them."]
