"""The page as people meet it: in a browser, from disk, without a network."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from ferflow.page.inputs import Inputs
from ferflow.page.model_card import model_card
from ferflow.page.render import write_page

from .browser import CHROMIUM, Browser, chromium

pytestmark = pytest.mark.skipif(
    CHROMIUM is None,
    reason="there is no Chromium: the page was NOT looked at in a browser (Debian: apt-get install chromium)",
)

WIDE, PHONE = 1280, 360


@pytest.fixture(scope="module")
def file(inputs: Inputs, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("page") / "index.html"
    write_page(path, inputs, model_card(inputs))
    return path


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with chromium(tmp_path_factory.mktemp("profile")) as started:
        yield started


@pytest.fixture
def tab(browser: Browser, file: Path) -> Browser:
    browser.console.clear()
    browser.requests.clear()
    browser.view(WIDE)
    return browser.open(file)


def open_all(tab: Browser) -> None:
    tab.value("document.querySelector('[data-all=open]').click()")
    tab.wait_for(
        "[...document.querySelectorAll('[data-chart]')].every((each) => each.dataset.state === 'drawn')"
    )


def names(tab: Browser) -> list[str]:
    """The models in the order of the leaderboard's rows."""
    found: list[str] = tab.value(
        "[...document.querySelectorAll('.board tbody .name')].map((each) => each.dataset.value)"
    )
    return found


def heading(tab: Browser, title: str) -> str:
    """The JavaScript that finds the button of a column of the leaderboard."""
    assert tab.value("document.querySelectorAll('.board th button').length") == 10
    buttons = "[...document.querySelectorAll('.board th button')]"
    return f"{buttons}.find((each) => each.textContent.startsWith('{title}'))"


def test_every_chart_is_drawn_without_a_word_on_the_console_or_a_request(tab: Browser, file: Path) -> None:
    open_all(tab)
    drawn = tab.value(
        "[...document.querySelectorAll('[data-chart]')].map("
        "  (each) => each.querySelectorAll('svg path, svg line').length)"
    )
    assert len(drawn) == 3 + 3 * 7
    assert min(drawn) > 5
    assert tab.console == []
    assert [each for each in tab.requests if not each.startswith("data:")] == [file.as_uri()]


def test_a_request_would_be_seen(tab: Browser) -> None:
    """The policy stops it before it is one, and the console says so."""
    tab.value("fetch('https://example.org/').catch(() => null)")
    assert any("example.org" in line for line in tab.console)


def test_columns_are_sorted_by_their_numbers_in_both_directions(tab: Browser) -> None:
    ranked = names(tab)
    assert ranked == ["attention_residual", "cnn4", "vgg16_full"]
    button = heading(tab, "Params")
    tab.value(f"{button}.click()")
    assert names(tab) == ["attention_residual", "cnn4", "vgg16_full"]
    assert tab.value(f"{button}.closest('th').getAttribute('aria-sort')") == "ascending"
    tab.value(f"{button}.click()")
    assert names(tab) == ["vgg16_full", "cnn4", "attention_residual"]
    assert tab.value(f"{button}.closest('th').getAttribute('aria-sort')") == "descending"
    assert tab.value("document.querySelectorAll('.board th[aria-sort]').length") == 1
    # A score is of interest from its highest value on.
    tab.value(f"{heading(tab, 'Test accuracy')}.click()")
    assert names(tab) == ranked
    tab.value(f"{heading(tab, 'Model')}.click()")
    assert names(tab) == sorted(ranked)


def test_what_is_not_known_is_last_in_both_directions(tab: Browser) -> None:
    tab.value("document.querySelector('.board tbody tr').lastElementChild.dataset.value = ''")
    button = heading(tab, "ms/image")
    for _ in range(2):
        tab.value(f"{button}.click()")
        assert names(tab)[-1] == "attention_residual"


def test_a_heading_is_pressed_with_the_keyboard(tab: Browser) -> None:
    tab.value(f"{heading(tab, 'Params')}.focus()")
    tab.press("Enter")
    tab.press(" ")
    assert names(tab)[0] == "vgg16_full"


def test_the_first_stop_of_the_keyboard_skips_to_the_content(tab: Browser) -> None:
    tab.press("Tab")
    assert tab.value("document.activeElement.className") == "skip"
    tab.press("Enter")
    tab.wait_for("document.activeElement.id === 'main'")


def test_a_link_of_the_leaderboard_opens_its_model(tab: Browser) -> None:
    assert tab.value("document.getElementById('model-cnn4').open") is False
    tab.value("document.querySelector('.board a[href=\"#model-cnn4\"]').click()")
    tab.wait_for("document.querySelector('#model-cnn4 [data-chart]').dataset.state === 'drawn'")


def test_another_cost_is_another_scale(tab: Browser) -> None:
    labels = "document.querySelector('#cost-chart svg').textContent"
    before = tab.value(labels)
    tab.value(
        "(() => { const kind = document.getElementById('cost-kind'); kind.value = 'milliseconds an image';"
        " kind.dispatchEvent(new Event('change')); })()"
    )
    tab.wait_for(f"{labels} !== {before!r}")


@pytest.mark.parametrize("width", [PHONE, 390, WIDE])
def test_the_page_is_no_wider_than_the_window(tab: Browser, file: Path, width: int) -> None:
    tab.view(width)
    tab.open(file)
    open_all(tab)
    assert tab.value("document.documentElement.scrollWidth") == width
    wider = tab.value(
        "[...document.querySelectorAll('.chart svg')].filter((each) =>"
        " each.getBoundingClientRect().right > innerWidth).length"
    )
    assert wider == 0


def test_paper_is_wide_enough(tab: Browser, file: Path) -> None:
    tab.view(720, media="print")  # A4 within margins of 10 mm
    tab.open(file)
    assert tab.value("document.documentElement.scrollWidth") == 720


def test_dark_and_paper_have_their_own_colours(tab: Browser) -> None:
    ground = "getComputedStyle(document.body).backgroundColor"
    axis = "getComputedStyle(document.querySelector('.chart svg text')).fill"
    light = (tab.value(ground), tab.value(axis))
    tab.view(WIDE, dark=True)
    dark = (tab.value(ground), tab.value(axis))
    assert dark[0] != light[0]
    assert dark[1] != light[1], "a chart that is drawn already follows"
    tab.view(WIDE, dark=True, media="print")
    assert (tab.value(ground), tab.value(axis)) == ("rgb(255, 255, 255)", light[1])
