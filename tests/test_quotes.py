import msgspec
from builders import TEXT, document

from khabar.quotes import QuotedAnnotation, numbered, place

ARABIC = "قصف الجيش القرية. ثم قصف الجيش التلة، وقصف المطار."


def quoted(**parts: object) -> QuotedAnnotation:
    return msgspec.convert({"doc_id": "d1", **parts}, QuotedAnnotation)


def test_sentences_are_numbered_from_one() -> None:
    assert numbered(TEXT).splitlines() == ["[1] Rebels shelled Derbekh and Lishwan.", "[2] The army denied it."]


def test_quotes_become_offsets_with_their_arguments_and_links() -> None:
    work, issues = place(
        quoted(
            mentions=[
                {"id": "m1", "sentence": 1, "quote": "Rebels", "type": "ARMED_GROUP", "kind": "nominal", "loaded": True}
            ],
            events=[
                {
                    "id": "e1",
                    "sentence": 1,
                    "quote": "shelled",
                    "type": "Strike.Shelling",
                    "arguments": [["Agent", "m1"]],
                },
                {"id": "e2", "sentence": 2, "quote": "denied", "type": "Politics.AccuseDeny", "attribution": "author"},
            ],
            links=[["CONTENT", "e2", "e1"]],
        ),
        document(),
        author="model",
    )
    assert issues == []
    assert [(item.start, item.end, item.text) for item in work.items] == [
        (0, 6, "Rebels"),
        (7, 14, "shelled"),
        (45, 51, "denied"),
    ]
    assert (work.mentions[0].kind, work.mentions[0].loaded, work.author) == ("nominal", True, "model")
    assert work.events[0].arguments[0].mention == "m1"
    assert work.links[0].type == "CONTENT"


def test_the_same_words_are_told_apart_by_sentence_and_context() -> None:
    events = [
        {"id": "e1", "sentence": 1, "quote": "قصف", "type": "Strike.Shelling"},
        {"id": "e2", "sentence": 2, "quote": "قصف", "before": "ثم ", "type": "Strike.Shelling"},
        {"id": "e3", "sentence": 2, "quote": "قصف", "before": "و", "type": "Strike.Shelling"},
    ]
    work, issues = place(quoted(events=events), document(ARABIC), author="model")
    assert issues == []
    assert len({event.start for event in work.events}) == 3
    assert ARABIC[work.events[2].start - 1] == "و", "the clitic stays outside"


def test_what_cannot_be_placed_is_left_out_with_all_that_hangs_on_it() -> None:
    work, issues = place(
        quoted(
            mentions=[
                {"id": "m1", "sentence": 1, "quote": "rebels", "type": "ARMED_GROUP"},
                {"id": "m2", "sentence": 9, "quote": "army", "type": "STATE_FORCES"},
                {"id": "m3", "sentence": 1, "quote": "e", "type": "PLACE"},
            ],
            events=[
                {
                    "id": "e1",
                    "sentence": 1,
                    "quote": "shelled",
                    "type": "Strike.Shelling",
                    "arguments": [["Agent", "m1"]],
                },
                {"id": "e2", "sentence": 2, "quote": "shelled", "type": "Strike.Shelling"},
            ],
            links=[["COREF", "e2", "e1"]],
        ),
        document(),
        author="model",
    )
    assert [(issue.code, issue.where.split(", ")[1]) for issue in issues] == [
        ("quote-missing", "m1 in sentence 1"),
        ("quote-missing", "m2 in sentence 9"),
        ("quote-ambiguous", "m3 in sentence 1"),
        ("quote-missing", "e2 in sentence 2"),
    ]
    assert work.mentions == ()
    assert [event.arguments for event in work.events] == [()]
    assert work.links == ()
