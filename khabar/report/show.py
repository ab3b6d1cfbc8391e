"""A document as one self-contained page."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from itertools import pairwise

from jinja2 import Environment, PackageLoader

from khabar.ontology import ontology
from khabar.report.figures import stance
from khabar.types import Annotation, Document, Event, Mention


def show_page(document: Document, annotation: Annotation) -> str:
    """Write a document as one self-contained page: spans in colour, nested ones inside, events beside it.

    Args:
        document: with its text.
        annotation: anybody's work on it.
    """
    environment = Environment(loader=PackageLoader("khabar", "templates"), autoescape=True)
    mentions = {mention.id: mention for mention in annotation.mentions}
    events = [
        {
            "trigger": document.text[event.start : event.end],
            "type": event.type,
            "stance": stance(event),
            "arguments": [
                (argument.role, document.text[mentions[argument.mention].start : mentions[argument.mention].end])
                for argument in event.arguments
            ],
        }
        for event in annotation.events
    ]
    colors = ontology().colors
    types = dict.fromkeys(item.type for item in annotation.items)
    return environment.get_template("show.html").render(
        document=document,
        direction="rtl" if document.lang == "ar" else "ltr",
        paragraphs=marked_paragraphs(document.text, annotation.items, colors),
        events=events,
        legend=[(name, colors[name]) for name in types],
    )


def marked_paragraphs(text: str, items: Sequence[Mention | Event], colors: Mapping[str, str]) -> list[str]:
    """Write each paragraph as HTML with a mark around every span; crossing spans are cut at the boundary.

    Args:
        text: the document's text.
        items: mentions and events in any order.
        colors: by type.
    """
    cuts = sorted({0, len(text), *(item.start for item in items), *(item.end for item in items)})
    pieces: list[str] = []
    open_items: list[Mention | Event] = []
    for start, end in pairwise(cuts):
        inside = sorted((item for item in items if item.start <= start and item.end >= end), key=_nesting)
        while open_items != inside[: len(open_items)]:
            open_items.pop()
            pieces.append("</mark>")
        for item in inside[len(open_items) :]:
            pieces.append(_mark(item, colors))
            open_items.append(item)
        pieces.append(html.escape(text[start:end]))
    pieces += ["</mark>"] * len(open_items)
    return [part for part in "".join(pieces).split("\n") if part.strip()]


def _nesting(item: Mention | Event) -> tuple[int, int, bool, str]:
    return item.start, -item.end, isinstance(item, Event), item.id


def _mark(item: Mention | Event, colors: Mapping[str, str]) -> str:
    kind = "event" if isinstance(item, Event) else "mention"
    return f'<mark class="{kind}" style="--c:{colors[item.type]}" title="{html.escape(item.type)}">'
