"""The page as people meet it: in a browser, answered by a process of its own. One server, one browser."""

from __future__ import annotations

import shutil
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from playwright.sync_api import sync_playwright

from . import invented
from .conftest import RunningPage, set_champion

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")

pytestmark = pytest.mark.skipif(
    CHROMIUM is None,
    reason="there is no Chromium: the page was NOT tried in a browser (Debian: apt-get install chromium)",
)

WIDE, PHONE = {"width": 1280, "height": 900}, {"width": 390, "height": 844}
_DEADLINE = 60_000  # milliseconds for one answer, on a busy machine


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    # A camera that shows a moving pattern, and whose use nobody is asked about.
    camera = ["--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream"]
    with sync_playwright() as started:
        chromium = started.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", *camera])
        yield chromium
        chromium.close()


@pytest.fixture
def tab(browser: Any, running: RunningPage) -> Iterator[Any]:
    """A page that has just been opened; whatever it does, the console is silent and no other server asked."""
    context = browser.new_context(viewport=WIDE)
    tab = context.new_page()
    tab.set_default_timeout(_DEADLINE)
    said: list[str] = []
    asked: list[str] = []
    tab.on("console", lambda message: said.append(message.text) if message.type != "log" else None)
    tab.on("pageerror", lambda error: said.append(str(error)))
    tab.on("request", lambda request: asked.append(request.url))
    tab.goto(running.address)
    tab.wait_for_selector("#file", state="attached")
    yield tab
    context.close()
    assert said == []
    elsewhere = [url for url in asked if not url.startswith((running.address, "data:", "blob:"))]
    assert elsewhere == []
    assert running.files() == [], "something of a picture was kept"


def upload(tab: Any, content: bytes, name: str = "picture.png") -> str:
    """Choose a file; return what the page says of it to those who do not see."""
    tab.evaluate("document.getElementById('said').textContent = ''")
    tab.set_input_files("#file", {"name": name, "mimeType": "image/png", "buffer": content})
    return answered(tab)


def answered(tab: Any) -> str:
    tab.wait_for_function("document.getElementById('said').textContent !== ''")
    return str(tab.text_content("#said"))


def count(tab: Any, selector: str) -> int:
    return len(tab.query_selector_all(selector))


PHOTO = invented.encoded(invented.portrait(), "JPEG")


def test_a_photograph_gets_a_box_bars_and_the_places_that_spoke_for_it(tab: Any) -> None:
    assert upload(tab, PHOTO, "photo.jpg").startswith("One face: ")
    assert count(tab, ".frame .box") == 1 and count(tab, ".bars tr") == 7
    assert count(tab, ".why figure img") == 1
    shown = [tab.inner_text(f".bars tr:nth-child({row}) .number") for row in range(1, 8)]
    assert all(each.endswith("%") for each in shown)
    box = tab.locator(".frame .box").bounding_box()
    picture = tab.locator(".frame img").bounding_box()
    # Where the face is in this photograph.
    assert 0.3 < (box["x"] + box["width"] / 2 - picture["x"]) / picture["width"] < 0.6
    assert 0.2 < (box["y"] + box["height"] / 2 - picture["y"]) / picture["height"] < 0.5
    facts = tab.inner_text("#models")
    assert "ferflow-test version 1 (vote)" in facts and "champion" in facts


def test_every_face_of_several_is_numbered_the_largest_first(tab: Any) -> None:
    assert upload(tab, invented.encoded(invented.three_faces(), "JPEG")).startswith("3 faces: ")
    boxes = [each.bounding_box() for each in tab.query_selector_all(".frame .box")]
    assert [each.inner_text() for each in tab.query_selector_all(".frame .box b")] == ["1", "2", "3"]
    widths = [box["width"] for box in boxes]
    assert widths == sorted(widths, reverse=True)
    assert boxes[2]["x"] < boxes[0]["x"] < boxes[1]["x"]
    assert count(tab, ".faces > li") == 3 and count(tab, ".bars") == 3


def test_a_photograph_without_a_face_is_not_guessed_at(tab: Any) -> None:
    assert upload(tab, invented.encoded(invented.coloured_noise())) == "No face found"
    assert "No face was found" in tab.inner_text("#no-face")
    assert count(tab, ".bars") == 0


@pytest.mark.parametrize(
    ("name", "make", "words"),
    [
        ("notes.txt", lambda: b"This is a text.\n", "not an image. Convert it to JPEG or PNG"),
        ("text.png", lambda: b"This is a text.\n", "not an image. Convert it to JPEG or PNG"),
        ("empty.png", lambda: b"", "empty file. Copy it again"),
        ("animated.gif", invented.animation, "3 frames in one file. Export the frame"),
        ("half.jpg", lambda: PHOTO[:9000], "damaged image"),
    ],
)
def test_what_is_no_picture_is_told(tab: Any, name: str, make: Callable[[], bytes], words: str) -> None:
    said = upload(tab, make(), name)
    assert said.startswith("This picture cannot be used: ") and words in said
    assert tab.inner_text("#answer-problem strong") in said
    assert count(tab, ".bars") == 0


def test_nine_hundred_megapixels_are_refused_without_being_decoded(tab: Any, running: RunningPage) -> None:
    upload(tab, PHOTO)
    process = psutil.Process(running.process.pid)
    before = process.memory_info().rss
    assert "too many pixels. Scale it down below 89 megapixels" in upload(tab, invented.huge_png())
    assert process.memory_info().rss - before < 100e6, "decoded, it would be 900 MB in gray"
    # And the page goes on.
    assert upload(tab, PHOTO).startswith("One face: ")


def test_sixteen_bits_of_gray_are_a_picture_like_any_other(tab: Any) -> None:
    assert upload(tab, invented.sixteen_bits()).startswith("One face: ")
    mean = tab.evaluate(
        "() => { const canvas = new OffscreenCanvas(50, 50); const context = canvas.getContext('2d');"
        " context.drawImage(document.querySelector('.frame img'), 0, 0, 50, 50);"
        " const levels = context.getImageData(0, 0, 50, 50).data;"
        " return levels.reduce((sum, each) => sum + each, 0) / levels.length; }"
    )
    assert 80 < mean < 200, "cut off at 255, it would be white"


def test_a_file_beyond_the_limit_is_not_sent(tab: Any, tmp_path: Path) -> None:
    (tmp_path / "large.png").write_bytes(bytes(20 * 2**20 + 1))
    tab.set_input_files("#file", tmp_path / "large.png")
    tab.wait_for_function("document.getElementById('ask-problem').textContent !== ''")
    assert tab.inner_text("#ask-problem") == "This file is too large: at most 20 MB."


def test_samples_say_themselves_whether_they_are_a_face_already(tab: Any) -> None:
    tab.click("[data-sample=happy]")
    assert answered(tab).startswith("One face: ")
    assert tab.is_checked("#is-face") and count(tab, ".frame .box") == 0
    # A photograph that comes next is searched for faces again.
    upload(tab, PHOTO)
    assert not tab.is_checked("#is-face") and count(tab, ".frame .box") == 1
    # What people choose themselves stays.
    tab.check("#is-face")
    tab.wait_for_function("document.querySelectorAll('.frame .box').length === 0")
    upload(tab, PHOTO)
    assert tab.is_checked("#is-face") and count(tab, ".frame .box") == 0


def test_two_versions_are_compared_side_by_side(tab: Any) -> None:
    upload(tab, PHOTO)
    assert tab.input_value("#second") == ""
    assert count(tab, "#second option") == 4
    tab.select_option("#second", "2")
    tab.wait_for_selector(".opinions.compared")
    assert count(tab, ".opinion") == 2 and count(tab, ".bars") == 2 and count(tab, ".modelfacts") == 2
    assert "version 2 (dense)" in tab.inner_text(".opinions")
    assert "has no map" in tab.inner_text(".opinion:nth-child(2)")
    assert tab.inner_text(".facehead .chip") in {"both say the same", "they differ"}
    left, right = (each.bounding_box() for each in tab.query_selector_all(".opinion"))
    assert left["y"] == right["y"] and left["x"] + left["width"] <= right["x"]
    tab.select_option("#second", "")
    tab.wait_for_function("document.querySelectorAll('.opinion').length === 1")


def test_a_picture_is_pasted_and_dropped(tab: Any) -> None:
    into = """(kind, levels) => {
        const moved = new DataTransfer();
        moved.items.add(new File([new Uint8Array(levels)], 'photo.jpg', { type: 'image/jpeg' }));
        const event = kind === 'paste'
            ? new ClipboardEvent('paste', { clipboardData: moved, bubbles: true })
            : new DragEvent('drop', { dataTransfer: moved, bubbles: true, cancelable: true });
        document.getElementById('drop').dispatchEvent(event);
    }"""
    for kind in ("paste", "drop"):
        tab.evaluate("document.getElementById('said').textContent = ''")
        tab.evaluate(f"([kind, levels]) => ({into})(kind, levels)", [kind, list(PHOTO)])
        assert answered(tab).startswith("One face: "), kind


def test_the_camera_takes_a_picture_and_is_switched_off(tab: Any) -> None:
    tab.click("#camera")
    tab.wait_for_selector("#viewfinder", state="visible")
    stream = tab.evaluate_handle("document.getElementById('video').srcObject")
    tab.click("#take")
    assert answered(tab) == "No face found"
    assert not tab.is_visible("#viewfinder")
    assert stream.evaluate("(stream) => stream.getTracks().every((track) => track.readyState === 'ended')")


def test_it_is_used_by_the_keyboard(tab: Any) -> None:
    order = ["file", "camera", "astronaut", "happy", "surprise", "angry", "sad", "is-face", "first", "second"]
    for expected in order:
        tab.keyboard.press("Tab")
        reached = "document.activeElement.id || document.activeElement.dataset.sample"
        assert tab.evaluate(reached) == expected
    tab.focus("[data-sample=sad]")
    tab.keyboard.press("Enter")
    assert answered(tab).startswith("One face: ")


@pytest.mark.parametrize("size", [PHONE, {"width": 320, "height": 640}, {"width": 820, "height": 1180}, WIDE])
def test_the_page_is_no_wider_than_the_window(tab: Any, size: Any) -> None:
    tab.set_viewport_size(size)
    upload(tab, invented.encoded(invented.three_faces(), "JPEG"))
    tab.select_option("#second", "2")
    tab.wait_for_selector(".opinions.compared")
    assert tab.evaluate("document.documentElement.scrollWidth") == size["width"]
    beyond = tab.evaluate(
        "[...document.querySelectorAll('.demo *:not(.hidden):not(option)')].filter((each) =>"
        " each.getBoundingClientRect().right > innerWidth + 1).map((each) => each.outerHTML.slice(0, 80))"
    )
    assert beyond == []
    too_small = tab.evaluate(
        "[...document.querySelectorAll('.demo button, .demo select, .demo .switch, .demo .drop')].filter("
        "(each) => each.offsetParent && each.getBoundingClientRect().height < 44).map((each) => each.id)"
    )
    assert too_small == []


def test_dark_has_its_own_colours(tab: Any) -> None:
    def grounds() -> list[str]:
        return list(
            tab.evaluate(
                "['.gradio-container', '.card'].map((each) =>"
                " getComputedStyle(document.querySelector(each)).backgroundColor)"
            )
        )

    light = grounds()
    tab.emulate_media(color_scheme="dark")
    dark = grounds()
    assert light == ["rgb(245, 247, 249)", "rgb(255, 255, 255)"]
    assert dark == ["rgb(17, 21, 26)", "rgb(25, 31, 38)"]


def test_everything_that_can_be_used_has_a_name(tab: Any) -> None:
    upload(tab, PHOTO)
    nameless = tab.evaluate(
        "[...document.querySelectorAll('.demo button, .demo input, .demo select')].filter((each) =>"
        " !(each.textContent.trim() || each.labels?.length || each.getAttribute('aria-label')))"
        ".map((each) => each.outerHTML)"
    )
    assert nameless == []
    assert tab.evaluate(
        "[...document.querySelectorAll('.demo img')].every((each) => each.hasAttribute('alt'))"
    )


def test_a_newer_champion_is_told_of_and_loaded(tab: Any, running: RunningPage) -> None:
    upload(tab, PHOTO)
    assert tab.inner_text("#standing") == ""
    try:
        set_champion(running.store, "3")
        tab.wait_for_selector("#load-champion")
        assert "Version 3 is the champion now." in tab.inner_text("#standing")
        assert tab.input_value("#first") == "1", "nothing is exchanged behind one's back"
        tab.click("#load-champion")
        tab.wait_for_function("document.getElementById('models').textContent.includes('version 3')")
        assert tab.inner_text("#standing") == "" and tab.input_value("#first") == "3"
        # A name that somebody chose is text.
        assert "(<b>new</b>)" in tab.inner_text("#models") and count(tab, "#models b") == 0
        assert "champion: version 3 (<b>new</b>)" in tab.inner_text("#first option:checked")
    finally:
        set_champion(running.store, "1")
    tab.wait_for_selector("#load-champion")


def test_a_dead_store_is_said_and_the_page_goes_on(tab: Any, running: RunningPage) -> None:
    database = Path(running.store.uri.removeprefix("sqlite:///"))
    away = database.rename(database.with_suffix(".away"))
    try:
        tab.wait_for_function("document.getElementById('standing').textContent.includes('does not answer')")
        assert upload(tab, PHOTO).startswith("One face: ")
        assert str(database) not in tab.content()
    finally:
        away.rename(database)
    tab.wait_for_function("document.getElementById('standing').textContent === ''")


def test_asked_to_end_it_leaves_nothing(running: RunningPage) -> None:
    """The last test of the module: the page is gone after it."""
    running.process.send_signal(signal.SIGTERM)
    assert running.process.wait(30) == 0, "".join(running.told)
    assert [*running.temporary.iterdir()] == []
    assert not any("Traceback" in line for line in running.told)
