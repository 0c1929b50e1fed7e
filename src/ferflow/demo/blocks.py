"""The page in Gradio's terms: one component of our own HTML, and the two functions that it may call."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Mapping
from importlib.resources import files
from typing import TYPE_CHECKING, Any, Final

from ferflow.demo.answering import MOST_BYTES, Answering
from ferflow.demo.offer import Models, Standing
from ferflow.demo.pictures import thumbnail
from ferflow.demo.samples import Sample
from ferflow.demo.words import model_facts, rendered
from ferflow.serving.classifiers import OpenedModel
from ferflow.serving.opening import CHAMPION

if TYPE_CHECKING:
    import gradio as gr

#: Read by Gradio and by what it imports when they are imported.
_ENVIRONMENT: Final = {
    "GRADIO_ANALYTICS_ENABLED": "False",
    "GRADIO_RUN_HISTORY": "False",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "HF_HUB_OFFLINE": "1",
}


def import_gradio() -> Any:
    """Return the module, which asks no server for anything.

    Raises:
        ImportError: It is not installed.
    """
    os.environ.update(_ENVIRONMENT)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import gradio
    return gradio


def page(
    answering: Answering, given: OpenedModel, key: str, samples: Mapping[str, Sample], seconds: float = 5.0
) -> gr.Blocks:
    """Return the page.

    Args:
        answering: Answers what it asks.
        given: The model that it opens with.
        key: What `answering` knows this model by.
        samples: The sample pictures by name.
        seconds: Between two looks for a newer champion.
    """
    gradio = import_gradio()
    standing = answering.standing()
    blocks: gr.Blocks = gradio.Blocks(title=_title(given), analytics_enabled=False)
    with blocks:
        gradio.HTML(
            page_html(given, key, samples, standing, seconds),
            js_on_load=_resource("page.js"),
            server_functions=[_answer(answering), _standing(answering)],
            apply_default_css=False,
        )
    return blocks


def page_html(
    given: OpenedModel, key: str, samples: Mapping[str, Sample], standing: Standing, seconds: float
) -> str:
    """Return the page's HTML as it is before the first question; arguments as of `page`."""
    choices = choices_of(standing) or [(key, given.title)]
    settings = {
        "mostBytes": MOST_BYTES,
        # Of a model in no registry there is nothing to ask.
        "pollSeconds": None if key == Models.GIVEN else seconds,
        # Whose place a newer one takes; a model that was chosen otherwise stays.
        "champion": key if _is_champion(given) else None,
    }
    return rendered(
        "page.html.j2",
        # Gradio would put its own selectors in front of those of its `css`, and lose the dark colours by it.
        style=_style(),
        title=_title(given),
        megabytes=MOST_BYTES // 2**20,
        samples=samples,
        thumbnails={name: thumbnail(sample.content) for name, sample in samples.items()},
        settings=settings,
        choices=choices,
        chosen=key,
        can_compare=bool(standing.versions),
        model=model_facts(given, standing.champion),
    )


def choices_of(standing: Standing) -> list[tuple[str, str]]:
    """Return keys and names of the versions that can be chosen, the newest first."""
    return [
        (number, f"{CHAMPION}: {title}" if number == standing.champion else title)
        for number, title in standing.versions.items()
    ]


def _title(given: OpenedModel) -> str:
    return "Try the champion" if _is_champion(given) else "Try a model"


def _is_champion(given: OpenedModel) -> bool:
    return CHAMPION in given.details.get("aliases", "").split(", ")


def _answer(answering: Answering) -> Callable[[Any], dict[str, Any]]:
    def answer(asked: Any) -> dict[str, Any]:
        return answering.answer(asked)

    return answer


def _standing(answering: Answering) -> Callable[[Any], dict[str, Any]]:
    def standing(_: Any) -> dict[str, Any]:
        now = answering.standing()
        return {"champion": now.champion, "answers": now.answers, "versions": choices_of(now)}

    return standing


def _style() -> str:
    """Return the page's style: that of the report, and what it has besides."""
    report = files("ferflow.page").joinpath("page.css").read_text(encoding="utf-8")
    return report + _resource("page.css")


def _resource(name: str) -> str:
    return files("ferflow.demo").joinpath(name).read_text(encoding="utf-8")
