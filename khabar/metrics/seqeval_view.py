"""The token layers as tags: IOB2 over khabar's tokens, sentence by sentence."""

from __future__ import annotations

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
    for tokens in sentences:
        row, losses = to_iob2(spans, tokens)
        tags.append(row)
        lost += losses
    limits = [Span(tokens[0].start, tokens[-1].end) for tokens in sentences]
    # A span over two sentences is met in both, and lost once.
    split = sum(
        any(limit.overlaps(span) for limit in limits) and not any(limit.holds(span) for limit in limits)
        for span, _ in spans
    )
    return tags, msgspec.structs.replace(lost, split=split + len(items) - len(spans))
