"""A model card as part of a page: Markdown as HTML, with nothing in it that a page must not hold."""

from __future__ import annotations

from typing import Final

from markdown_it import MarkdownIt
from markupsafe import Markup

_BELOW: Final = 2  # a card's title is a section's subtitle on the page
_BOX: Final = '<div class="scroll" tabindex="0" role="region" aria-label="Table of the model card">'


def card_html(card: str) -> Markup:
    """Return a model card as HTML, without the YAML at its head; HTML in it is shown and not obeyed.

    Args:
        card: The card, in Markdown after `---`, YAML and `---`.
    """
    body = card.split("---\n", 2)[2] if card.startswith("---\n") else card
    # What is not allowed to be HTML becomes text; addresses of scripts become no links.
    parser = MarkdownIt("commonmark", {"html": False}).enable("table")
    tokens = parser.parse(body)
    for token in tokens:
        if token.type in {"heading_open", "heading_close"}:
            token.tag = f"h{min(6, int(token.tag[1]) + _BELOW)}"
    html = str(parser.renderer.render(tokens, parser.options, {}))
    # A wide table scrolls in its own box, by keyboard too. No text can hold these tags.
    html = html.replace("<table>", f"{_BOX}\n<table>").replace("</table>", "</table>\n</div>")
    return Markup(html)  # noqa: S704 (escaped by the parser)
