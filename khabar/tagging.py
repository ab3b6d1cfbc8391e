"""What a token tagger needs to be trained on khabar and to predict in its format."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import msgspec

from khabar.align import read_iob2
from khabar.corpus import GoldSet, load_gold, sentence_tokens, wire_recipes
from khabar.errors import KhabarError
from khabar.metrics.seqeval_view import layer_tags
from khabar.types import Annotation, Document, Event, Mention, Span
from khabar.wire import build

Words = Sequence[str]
Tagger = Callable[[Words], Sequence[str]]


class Example(msgspec.Struct, frozen=True):
    """A sentence: its document, its words and their tags."""

    doc_id: str
    words: tuple[str, ...]
    tags: tuple[str, ...]


def examples(gold: GoldSet, layer: str) -> list[Example]:
    """List the sentences of a gold set with the tags of a layer.

    Args:
        gold: with texts.
        layer: actors, fillers or triggers.
    """
    found = []
    for document, annotation in zip(gold.documents, gold.annotations, strict=True):
        sentences = gold.tokens[document.doc_id]
        for tokens, tags in zip(sentences, layer_tags(annotation, layer, sentences)[0], strict=True):
            words = tuple(document.text[token.start : token.end] for token in tokens)
            found.append(Example(document.doc_id, words, tuple(tags)))
    return found


def predict(gold: GoldSet, taggers: Mapping[str, Tagger], *, author: str) -> list[Annotation]:
    """Tag every document of a set and write the tags as spans.

    Args:
        gold: with texts; its gold is not looked at.
        taggers: by layer.
        author: the system's name.
    """
    return [_annotate(document, gold.tokens[document.doc_id], taggers, author) for document in gold.documents]


def annotator(taggers: Mapping[str, Tagger], *, author: str) -> Callable[[Document], Annotation]:
    """Make taggers a khabar model, which annotates any document: it is cut into tokens as the released ones are.

    Args:
        taggers: by layer.
        author: the system's name.
    """
    return lambda document: _annotate(document, sentence_tokens(document.text), taggers, author)


def _annotate(
    document: Document, rows: Sequence[Sequence[Span]], taggers: Mapping[str, Tagger], author: str
) -> Annotation:
    spans = {layer: _tag(document.text, rows, tagger) for layer, tagger in taggers.items()}
    entities = sorted((*spans.get("actors", ()), *spans.get("fillers", ())))
    mentions = (Mention(id=f"m{n}", start=s, end=e, type=t) for n, (s, e, t) in enumerate(entities, 1))
    events = (Event(id=f"e{n}", start=s, end=e, type=t) for n, (s, e, t) in enumerate(spans.get("triggers", ()), 1))
    return Annotation(
        doc_id=document.doc_id,
        author=author,
        sha256=document.sha256,
        mentions=tuple(mentions),
        events=tuple(events),
    )


def _tag(text: str, rows: Sequence[Sequence[Span]], tagger: Tagger) -> list[tuple[int, int, str]]:
    spans = []
    for tokens in rows:
        tags = tagger([text[token.start : token.end] for token in tokens])
        found, _ = read_iob2(tags, tokens)
        spans += [(span.start, span.end, name) for span, name in found]
    return spans


def with_texts(split: str, sources: Path | None = None) -> GoldSet:
    """Read a split with its texts; wire texts are rebuilt from the reader's articles.

    Args:
        split: train, validation, test or wire.
        sources: the folder of the wire articles; needed for wire only.

    Raises:
        KhabarError: every article that is missing or differs.
    """
    gold = load_gold(split)
    if split != "wire":
        return gold
    documents, issues = build(wire_recipes(), sources or Path("sources"))
    if issues:
        raise KhabarError(issues)
    return msgspec.structs.replace(gold, documents=tuple(documents))
