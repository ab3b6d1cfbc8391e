"""Small records for tests."""

from khabar.types import Annotation, Argument, Document, Event, Mention, text_hash

TEXT = "Rebels shelled Derbekh and Lishwan. The army denied it."


def document(text: str = TEXT, doc_id: str = "d1", **fields: str) -> Document:
    base = dict.fromkeys(("origin", "theatre", "storyline", "genre", "stance", "outlet", "date", "licence"), "")
    return Document(doc_id=doc_id, text=text, sha256=text_hash(text), **{**base, "lang": "en", **fields})


def mention(name: str, start: int, end: int, label: str, **fields: object) -> Mention:
    return Mention(id=name, start=start, end=end, type=label, **fields)  # type: ignore[arg-type]


def event(name: str, start: int, end: int, label: str, *arguments: tuple[str, str], **fields: object) -> Event:
    filled = tuple(Argument(role, filler) for role, filler in arguments)
    return Event(id=name, start=start, end=end, type=label, arguments=filled, **fields)  # type: ignore[arg-type]


def annotation(*items: Mention | Event, doc_id: str = "d1", author: str = "", **fields: object) -> Annotation:
    mentions = tuple(item for item in items if isinstance(item, Mention))
    events = tuple(item for item in items if isinstance(item, Event))
    return Annotation(doc_id=doc_id, author=author, mentions=mentions, events=events, **fields)  # type: ignore[arg-type]


GOLD = annotation(
    mention("m1", 0, 6, "ARMED_GROUP"),
    mention("m2", 15, 22, "PLACE"),
    mention("m3", 27, 34, "PLACE"),
    mention("m4", 40, 44, "STATE_FORCES", kind="nominal"),
    event("e1", 7, 14, "Strike.Shelling", ("Agent", "m1"), ("Place", "m2"), ("Place", "m3")),
    event("e2", 45, 51, "Politics.AccuseDeny", ("Agent", "m4")),
)
