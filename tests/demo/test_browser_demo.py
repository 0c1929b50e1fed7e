"""The page as people meet it: in a browser, answered by a process of its own. One server, one browser."""

from __future__ import annotations

import re
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from playwright.sync_api import sync_playwright
from skimage import data

from . import invented
from .conftest import NAME, SECONDS, RunningPage, set_champion

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


@pytest.fixture(scope="module")
def all_open(browser: Any, running: RunningPage) -> None:
    """Every version has been opened once: Keras takes a file without a name for that."""
    tab = browser.new_page()
    tab.goto(running.address)
    for version in ("2", "3"):
        tab.select_option("#first", version)
        tab.wait_for_selector(f"#models :text('version {version}')")
    tab.close()


@pytest.fixture
def tab(browser: Any, running: RunningPage, all_open: None) -> Iterator[Any]:  # noqa: ARG001
    """A page that has just been opened; whatever it does, the console is silent and no other server asked.

    Nor does the process that answers make a file meanwhile, start a program, or ask another server.
    """
    before = len(running.done())
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
    assert running.done()[before:] == [] and running.files() == []


def style(tab: Any, selector: str, *names: str) -> list[str]:
    """How the first of some elements is shown: each of some properties."""
    found = tab.eval_on_selector(selector, "(element) => ({ ...getComputedStyle(element) })")
    return [found[name] for name in names]


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
    cat = Image.fromarray(data.chelsea())
    assert upload(tab, invented.encoded(cat, "JPEG", quality=95)) == "No face found"
    assert "No face was found" in tab.inner_text("#no-face")
    assert "already" not in tab.inner_text("#answer"), "a cat is not made a face by saying so"
    assert count(tab, ".bars") == 0


def test_what_is_no_picture_is_told(tab: Any) -> None:
    for name, content, words in (
        ("notes.txt", b"This is a text.\n", "not an image. Save it as JPEG or PNG."),
        ("text.png", b"This is a text.\n", "not an image. Save it as JPEG or PNG."),
        ("empty.png", b"", "empty file."),
        ("animated.gif", invented.animation(), "3 frames in one file. Export the frame"),
        ("half.jpg", PHOTO[:9000], "damaged image."),
    ):
        said = upload(tab, content, name)
        assert said.startswith("This picture cannot be used: ") and words in said, name
        assert tab.inner_text("#answer-problem strong") in said
        assert count(tab, ".bars") == 0


def peak(process: Path) -> int:
    """The most memory that a process has had, in MB."""
    found = re.search(r"VmHWM:\s+(\d+)", (process / "status").read_text())
    assert found is not None
    return int(found[1]) // 1000


@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="this system counts no peak anew")
def test_nine_hundred_megapixels_are_refused_without_being_decoded(tab: Any, running: RunningPage) -> None:
    process = Path(f"/proc/{running.process.pid}")
    (process / "clear_refs").write_text("5")  # the peak is counted anew
    before = peak(process)
    assert "too many pixels. Scale it down below 89 megapixels" in upload(tab, invented.huge_png())
    assert peak(process) - before < 100, "decoded, it would be 900 MB in gray"
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
    sent: list[str] = []
    tab.on("request", lambda request: sent.append(request.post_data or ""))
    (tmp_path / "large.png").write_bytes(bytes(20 * 2**20 + 1))
    tab.set_input_files("#file", tmp_path / "large.png")
    tab.wait_for_function("document.getElementById('ask-problem').textContent !== ''")
    assert tab.inner_text("#ask-problem") == "This file is too large: at most 20 MB."
    tab.wait_for_timeout(1000 * SECONDS)
    assert not [each for each in sent if '"answer"' in each]


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
    assert "There is no map" in tab.inner_text(".opinion:nth-child(2)")
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
        document.documentElement.dispatchEvent(event);
        return event.defaultPrevented;
    }"""
    for kind in ("paste", "drop"):
        # Wherever it is dropped: elsewhere, the browser would open it in the page's place.
        tab.evaluate("document.getElementById('said').textContent = ''")
        tab.evaluate(f"([kind, levels]) => ({into})(kind, levels)", [kind, list(PHOTO)])
        assert answered(tab).startswith("One face: "), kind


def test_the_last_of_two_pictures_is_the_one_that_is_looked_at(tab: Any) -> None:
    tab.evaluate(
        """async (levels) => {
            const pasted = (name, content) => {
                const moved = new DataTransfer();
                moved.items.add(new File([content], name, { type: 'image/jpeg' }));
                document.dispatchEvent(new ClipboardEvent('paste', { clipboardData: moved }));
            };
            pasted('large', new Uint8Array(15 * 2 ** 20));  // takes longer to read
            pasted('photo', new Uint8Array(levels));
        }""",
        list(PHOTO),
    )
    assert answered(tab).startswith("One face: ")
    tab.wait_for_timeout(500)
    assert str(tab.text_content("#said")).startswith("One face: ")


def test_the_camera_takes_a_picture_and_is_switched_off_whatever_people_do(tab: Any) -> None:
    tab.evaluate(
        """() => {
            window.streams = [];
            const open = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
            navigator.mediaDevices.getUserMedia = async (what) => {
                streams.push(await open(what));
                return streams.at(-1);
            };
        }"""
    )

    def is_off() -> bool:
        states = tab.evaluate("streams.flatMap((each) => each.getTracks().map((track) => track.readyState))")
        return set(states) == {"ended"} and not tab.is_visible("#viewfinder")

    assert tab.locator("#take").is_disabled(), "there is nothing to take yet"
    tab.click("#camera")
    tab.wait_for_selector("#take:enabled")
    tab.keyboard.press("Enter")
    assert answered(tab) == "No face found", "the button has the focus as soon as there is a picture"
    assert is_off() and tab.evaluate("document.activeElement.id") == "camera"
    # Opened twice, and closed before it shows anything.
    tab.evaluate("for (const id of ['camera', 'camera']) document.getElementById(id).click()")
    tab.wait_for_selector("#viewfinder", state="visible")
    tab.evaluate("document.getElementById('close').click()")
    tab.wait_for_function("streams.length === 3")
    assert is_off()
    # Left for something else, while it runs and while it is asked for.
    for picture in (lambda: tab.click("[data-sample=happy]"), lambda: upload(tab, PHOTO)):
        tab.click("#camera")
        tab.wait_for_selector("#take:enabled")
        picture()
        assert is_off()
    tab.evaluate("for (const id of ['#camera', '[data-sample=sad]']) document.querySelector(id).click()")
    tab.wait_for_function("streams.length === 6")
    tab.wait_for_timeout(100)
    assert is_off()


def test_it_is_used_by_the_keyboard(tab: Any) -> None:
    order = ["file", "camera", "astronaut", "happy", "surprise", "angry", "sad", "is-face", "first", "second"]
    for expected in order:
        tab.keyboard.press("Tab")
        reached = "document.activeElement.id || document.activeElement.dataset.sample"
        assert tab.evaluate(reached) == expected
    tab.focus("[data-sample=sad]")
    tab.keyboard.press("Enter")
    assert answered(tab).startswith("One face: ")


def test_the_page_is_no_wider_than_any_window(tab: Any) -> None:
    tab.select_option("#second", "2")
    upload(tab, invented.encoded(invented.three_faces(), "JPEG"))
    tab.wait_for_selector(".opinions.compared")
    for size in ({"width": 320, "height": 640}, PHONE, {"width": 820, "height": 1180}, WIDE):
        tab.set_viewport_size(size)
        _fits(tab, size)


def test_on_a_phone_the_answer_comes_before_the_options(tab: Any) -> None:
    tab.set_viewport_size(PHONE)
    upload(tab, PHOTO)
    heights = [tab.locator(each).bounding_box()["y"] for each in (".ask", ".side", ".options")]
    assert heights == sorted(heights)
    # And what is chosen there is seen.
    tab.locator("#first").scroll_into_view_if_needed()
    tab.evaluate("document.getElementById('said').textContent = ''")
    tab.select_option("#first", "2")
    answered(tab)
    tab.wait_for_function("Math.abs(document.querySelector('.side').getBoundingClientRect().top) < 30")


def _fits(tab: Any, size: Any) -> None:
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
        return [*style(tab, ".gradio-container", "backgroundColor"), *style(tab, ".card", "backgroundColor")]

    light = grounds()
    tab.emulate_media(color_scheme="dark")
    dark = grounds()
    assert light == ["rgb(245, 247, 249)", "rgb(255, 255, 255)"]
    assert dark == ["rgb(17, 21, 26)", "rgb(25, 31, 38)"]


def test_what_can_be_used_is_called_by_what_it_is(tab: Any) -> None:
    upload(tab, PHOTO)
    for kind, name in (
        ("button", "Use the camera"),
        ("button", "Photograph"),
        ("button", "Drawn: happy"),
        ("checkbox", "The picture is a face already"),
        ("combobox", "Model"),
        ("combobox", "Compare with"),
        ("table", "Probabilities by ferflow-test version 1 (vote)"),
        ("heading", "Face 1"),
        ("img", "Face 1, cut out"),
    ):
        assert tab.get_by_role(kind, name=name).count() == 1, name
    assert tab.get_by_label("Choose a picture").get_attribute("type") == "file"
    assert tab.locator("img:not([alt])").count() == 0


def test_a_version_that_cannot_be_opened_is_named(tab: Any, running: RunningPage, tmp_path: Path) -> None:
    made = running.store.client.create_model_version(NAME, str(tmp_path / "gone"), tags={"model": "gone"})
    number = str(made.version)
    try:
        tab.wait_for_selector(f"#second option[value='{number}']", state="attached")
        newest = "#first option:first-child"
        assert tab.inner_text(newest) == f"version {number} (gone)", "as the registry has them"
        tab.select_option("#first", number)
        assert answered(tab) == f"Version {number} (gone) cannot be opened now. The terminal says why."
        assert tab.inner_text("#models") == ""
    finally:
        running.store.client.delete_model_version(NAME, number)
    tab.wait_for_function(f"document.querySelector('#second option[value=\"{number}\"]') === null")


def test_a_refused_question_says_why(browser: Any, running: RunningPage) -> None:
    """As behind a server in front whose name the page was not told; the browser's console says it, too."""
    context = browser.new_context()
    tab = context.new_page()
    elsewhere = {"origin": "https://demo.example.org"}

    def pass_on(to: Any) -> None:
        to.fulfill(response=to.fetch(headers=to.request.headers | elsewhere))

    tab.route("**/component_server/", pass_on)
    tab.goto(running.address)
    tab.wait_for_selector("#file", state="attached")
    assert "Start it with --name" in upload(tab, PHOTO)
    assert "still running" not in tab.inner_text("#answer")
    context.close()


def test_a_newer_champion_is_told_of_and_loaded(tab: Any, running: RunningPage) -> None:
    upload(tab, PHOTO)
    assert tab.inner_text("#standing") == ""
    try:
        set_champion(running.store, "3")
        tab.wait_for_selector("#load-champion")
        card, accent = style(tab, ".card", "backgroundColor"), style(tab, ".like-button", "backgroundColor")
        assert style(tab, "#load-champion", "color", "backgroundColor") == [*card, *accent]
        assert style(tab, "#load-champion", "paddingLeft") != ["0px"]
        tab.wait_for_function("!document.querySelector('#models .chip')")
        assert "Version 3 is the champion now." in tab.inner_text("#standing")
        assert tab.input_value("#first") == "1", "nothing is exchanged behind one's back"
        tab.select_option("#second", "3")
        tab.click("#load-champion")
        # What was compared with the new one still is.
        assert tab.input_value("#second") == "1"
        tab.select_option("#second", "")
        tab.wait_for_function("document.getElementById('models').textContent.includes('version 3')")
        assert tab.inner_text("#standing") == "" and tab.input_value("#first") == "3"
        # A name that somebody chose is text.
        assert "(<b>new</b>)" in tab.inner_text("#models") and count(tab, "#models b") == 0
        assert "champion: version 3 (<b>new</b>)" in tab.inner_text("#first option:checked")
        # Who comes now has the new one before them, though the page was made for the old one.
        tab.reload()
        tab.wait_for_selector("#models :text('version 3')")
        assert tab.inner_text("#models .chip") == "champion" and tab.inner_text("#standing") == ""
        assert tab.inner_text("#first option:checked") == "champion: version 3 (<b>new</b>)"
        tab.select_option("#second", "1")
    finally:
        set_champion(running.store, "1")
    # Nobody has seen an answer: the page goes on by itself, and compares the two the other way round.
    tab.wait_for_function("document.getElementById('first').value === '1'")
    assert tab.input_value("#second") == "3"


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
