import json
import re
from html.parser import HTMLParser

import pandas as pd
import pytest

from ferflow.data.gate.report import Report, build_report
from ferflow.data.gate.results import Finding, Offender, Outcome, Result, Severity, percent
from ferflow.labels import EMOTIONS

HOSTILE = "<script>alert('1')</script>&"


def a_result(
    outcome: Outcome = "passed",
    severity: Severity = "error",
    finding: Finding | None = None,
    what: str = "all is well",
) -> Result:
    if finding is None and outcome != "skipped":
        finding = Finding(
            outcome == "passed", checked=1600, unexpected=2, offenders=(Offender("a.png", "mean 9"),)
        )
    return Result(what, "samples", "mean", severity, "min_samples", 100, "Mend it.", finding)


def a_report(
    *results: Result, samples: pd.DataFrame | None = None, rejects: int = 0, set_aside: int = 0
) -> Report:
    if samples is None:
        samples = pd.DataFrame({"label": ["happy", "sad"], "split": ["train", "test"]})
    names = [f"bad/{row}.png" for row in range(rejects + set_aside)]
    table = pd.DataFrame({"source": names, "reason": HOSTILE, "remedy": None})
    table["defect"] = [True] * rejects + [False] * set_aside
    return build_report(results, samples, table)


class Page(HTMLParser):
    """Collects the tags, the addresses and the text of a page."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs
        if tag != "meta":
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag, "tags are not nested"


@pytest.mark.parametrize(
    ("results", "success", "summary"),
    [
        ([a_result()], True, "1 expectations passed"),
        ([a_result(), a_result("failed", "warning")], True, "1 expectations passed, 1 warning"),
        (
            [a_result("failed"), *[a_result("failed", "warning")] * 2],
            False,
            "0 expectations passed, 1 failed, 2 warnings",
        ),
        ([a_result("skipped")], True, "0 expectations passed, 1 not checked"),
    ],
)
def test_only_a_failed_error_stops(results: list[Result], success: bool, summary: str) -> None:
    report = a_report(*results)
    assert report.success is success
    assert report.summary == summary
    assert ("Data gate: passed" in report.as_html()) is success
    assert report.as_json()["success"] is success


@pytest.mark.parametrize(
    ("finding", "observation"),
    [
        (Finding(False, checked=1600, unexpected=2), "2 of 1,600 fail (0.125 %)"),
        (Finding(True, checked=1600, unexpected=0), "0 of 1,600 fail"),
        (Finding(True, checked=0, unexpected=0), "0 of 0 fail"),
        (Finding(False, observed=1234), "1,234"),
        (Finding(False, observed=18.58771), "18.59"),
        (Finding(False, observed="float64"), "float64"),
    ],
)
def test_observation_in_words(finding: Finding, observation: str) -> None:
    assert a_result(finding=finding).observation == observation


def test_skipped_result_says_so_in_every_form() -> None:
    result = a_result("skipped")
    assert result.observation == "not checked"
    assert result.fraction is None
    report = a_report(result)
    assert report.as_json()["results"][0]["outcome"] == "skipped"
    assert report.as_table()["outcome"].tolist() == ["skipped"]
    assert 'class="badge skipped"' in report.as_html()


@pytest.mark.parametrize(
    ("fraction", "text"), [(0.00125, "0.125 %"), (0.07, "7 %"), (1.0, "100 %"), (0.0, "0 %")]
)
def test_percent(fraction: float, text: str) -> None:
    assert percent(fraction) == text


def test_json_holds_the_results_in_order() -> None:
    report = a_report(a_result(what="b"), a_result("failed", what="a"), rejects=60)
    content = json.loads(json.dumps(report.as_json(), allow_nan=False))
    assert [item["what"] for item in content["results"]] == ["b", "a"]
    assert content["results"][1]["fraction"] == 0.00125
    assert content["results"][1]["finding"]["offenders"] == [{"source": "a.png", "found": "mean 9"}]
    assert content["rejects"] == 60
    assert len(content["first_rejects"]) == 50


def test_table_keeps_whole_numbers_whole() -> None:
    csv = a_report(a_result(), a_result("failed")).as_table().to_csv(index=False)
    assert (
        csv.splitlines()[2]
        == 'all is well,samples,mean,error,failed,min_samples,100,"2 of 1,600 fail (0.125 %)"'
    )


def test_counts_are_in_the_order_of_emotions_and_splits() -> None:
    samples = pd.DataFrame(
        {
            "label": ["neutral", "angry", "bored", None, "angry", "angry"],
            "split": ["val", "test", "train", "train", None, "holdout"],
        }
    )
    counts = a_report(samples=samples).counts
    assert list(counts) == [*EMOTIONS, "(empty)", "bored"]
    assert {tuple(row) for row in counts.values()} == {("train", "val", "test", "holdout", "left out")}
    assert list(counts["angry"].values()) == [0, 0, 1, 1, 1]
    assert sum(sum(row.values()) for row in counts.values()) == len(samples)


@pytest.mark.parametrize("columns", [["label"], ["split"], []])
def test_counts_need_both_columns(columns: list[str]) -> None:
    report = a_report(samples=pd.DataFrame({column: ["happy"] for column in columns}))
    assert report.counts == {}
    assert '<h2 id="samples">' not in report.as_html()


def test_reasons_are_counted_the_most_frequent_first() -> None:
    samples = pd.DataFrame(
        {
            "label": ["sad"] * 5,
            "split": ["train", None, None, None, None],
            "reason": [None, "blank", "copy", "another", "copy"],
        }
    )
    report = a_report(samples=samples, rejects=1, set_aside=2)
    assert list(report.left_out.items()) == [("copy", 2), ("another", 1), ("blank", 1)]
    assert (report.rejects, report.set_aside) == (1, {HOSTILE: 2})
    html = report.as_html()
    assert '<th scope="row">copy</th><td class="number">2</td>' in html
    assert html.count("bad/") == 1, "what was left out on purpose is no reject"


def test_empty_table_has_a_page() -> None:
    report = a_report(samples=pd.DataFrame({"label": [], "split": []}, dtype=str))
    assert "0 samples" in report.as_html()


def test_table_of_rejects_without_columns_has_a_page() -> None:
    report = build_report([], pd.DataFrame(), pd.DataFrame(index=range(2)))
    assert report.rejects == 2
    assert "2 files could not be used" in report.as_html()


def test_page_is_self_contained_and_well_formed() -> None:
    html = a_report(
        a_result("failed"), a_result("failed", "warning"), a_result("skipped"), rejects=3
    ).as_html()
    page = Page(html)
    assert page.open == []
    assert not {"script", "link", "img", "iframe"} & set(page.tags)
    assert not {"src", "href", "style"} & {name for name, _ in page.attributes}
    assert not re.search(r"https?:|//|@import|url\(", html)
    assert ("name", "viewport") in page.attributes
    assert "prefers-color-scheme: dark" in html


def test_page_escapes_what_comes_from_the_data() -> None:
    offender = Offender(HOSTILE, HOSTILE)
    finding = Finding(False, checked=1, unexpected=1, offenders=(offender,))
    samples = pd.DataFrame({"label": [HOSTILE], "split": [HOSTILE], "reason": [HOSTILE]})
    report = a_report(a_result(finding=finding, what=HOSTILE), samples=samples, rejects=1, set_aside=1)
    html = report.as_html()
    assert "<script" not in html
    assert html.count("&lt;script&gt;") >= 8


def test_page_shows_what_to_do_before_the_whole_list() -> None:
    html = a_report(a_result(what="fine"), a_result("failed", what="broken"), rejects=60).as_html()
    to_do, everything = html.split('<h2 id="samples">')
    assert "broken" in to_do
    assert "<code>a.png</code> (mean 9)" in to_do
    assert "Mend it." in to_do
    assert "validate.min_samples: 100" in to_do
    assert "fine" not in to_do.split("<body>")[1]
    assert "fine" in everything
    assert "60 files could not be used; the first 50:" in everything
    assert "bad/49.png" in everything
    assert "bad/50.png" not in everything


def test_page_is_the_same_twice() -> None:
    report = a_report(a_result("failed"), rejects=2)
    assert report.as_html() == report.as_html()
