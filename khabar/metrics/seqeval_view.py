"""The token layers as tags: IOB2 over khabar's tokens, sentence by sentence."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence

import msgspec

from khabar.align import Losses, Typed, to_iob2
from khabar.ontology import ontology
from khabar.types import Annotation, Event, Mention, Span

Sentences = Sequence[Sequence[Span]]
TOKEN_LAYERS = ("actors", "fillers", "triggers")


def layer_items(annotation: Annotation, layer: str) -> list[Mention | Event]:
    """List the mentions or events of a token layer.

    Args:
        annotation: anybody's work.
        layer: actors, fillers or triggers; mentions for all mentions, of whatever type.
    """
    if layer == "triggers":
        return list(annotation.events)
    if layer == "mentions":
        return list(annotation.mentions)
    types = ontology().layer_types(layer)
    return [mention for mention in annotation.mentions if mention.type in types]


def layer_tags(annotation: Annotation, layer: str, sentences: Sentences) -> tuple[list[list[str]], Losses]:
    """Write a token layer as IOB2, one list a sentence, and count what that lost.

    Args:
        annotation: anybody's work.
        layer: actors, fillers, triggers or mentions.
        sentences: tokens of each sentence.

    Returns:
        The tags, and the losses; a span over two sentences and a discontinuous one count as split.
    """
    items = layer_items(annotation, layer)
    spans: list[Typed] = [(item.span, item.type) for item in items if not item.pieces]
    tags, lost = [], Losses()
    starts = [tokens[0].start for tokens in sentences]
    ends = [tokens[-1].end for tokens in sentences]
    parts: list[list[Typed]] = [[] for _ in sentences]
    split = len(items) - len(spans)
    for span, name in spans:
        # The sentences that the span touches; one over two of them is met in both, and lost once.
        first, last = bisect_right(ends, span.start), bisect_left(starts, span.end)
        for number in range(first, last):
            parts[number].append((span, name))
        split += first < last and not (starts[first] <= span.start and span.end <= ends[first])
    for tokens, inside in zip(sentences, parts, strict=True):
        row, losses = to_iob2(inside, tokens)
        tags.append(row)
        lost += losses
    return tags, msgspec.structs.replace(lost, split=split)
