from pathlib import Path

import pytest

from khabar.agreement import measure_linking
from khabar.agreement.across import PAIRS
from khabar.linking import Cluster, Conflict, Linking, Trigger, check_linking, read_links
from khabar.registry import read_registry
from khabar.workspace import Workspace

ROOT = Path(__file__).resolve().parent.parent
WORKSPACE = Workspace(ROOT / "annotations")
STORYLINES = {"s-1-a": "s-1", "s-1-b": "s-1", "s-1-c": "s-1"}


def at(letter: str, start: int) -> Trigger:
    return (f"s-1-{letter}", start, start + 3)


def conflict(first: Trigger, second: Trigger) -> Conflict:
    return Conflict(id=f"{first}{second}", storyline="s-1", first=first, second=second, why="x")


# The worked example of PROTOCOL.md section 10.
ONE = Linking(
    clusters=(
        Cluster(id="e1", triggers=(at("a", 0), at("a", 9), at("b", 0), at("b", 9), at("c", 0))),
        Cluster(id="e2", triggers=(at("a", 20), at("b", 20), at("c", 20))),
    ),
    conflicts=(conflict(at("a", 0), at("b", 0)), conflict(at("a", 20), at("c", 20))),
)
TWO = Linking(
    clusters=(
        Cluster(id="k1", triggers=(at("a", 0), at("a", 9), at("b", 0), at("b", 9))),
        Cluster(id="k2", triggers=(at("a", 20), at("b", 20), at("c", 20))),
    ),
    conflicts=(conflict(at("b", 9), at("a", 0)), conflict(at("b", 20), at("c", 20))),
)


def test_the_worked_example() -> None:
    found = measure_linking(ONE, TWO, STORYLINES)
    assert list(found) == list(PAIRS)
    counts = {name: (each.matched, each.one, each.two) for name, each in found.items()}
    # e1: a × b 4, a × c 2, b × c 2; e2: 3. Two triggers of one report are no pair.
    assert counts == {
        "same event": (7, 11, 7),
        "conflict": (0, 2, 2),
        "conflict of reports": (1, 2, 2),
    }
    assert found["same event"].value is None
    assert found["same event"].reason.startswith("too few")


def test_linking_agrees_with_itself_and_sides_can_be_exchanged() -> None:
    kept = WORKSPACE.linking
    second = read_links(ROOT / "annotations" / "audit" / "linking")
    storylines = {document.doc_id: document.storyline for document in WORKSPACE.documents("composed")}
    assert {each.value for each in measure_linking(kept, kept, storylines).values()} == {1.0}
    there, back = measure_linking(kept, second, storylines), measure_linking(second, kept, storylines)
    for name in PAIRS:
        assert (there[name].value, there[name].one) == (back[name].value, back[name].two)
        assert 0 < (there[name].value or 0) < 1


def test_a_document_without_a_storyline_is_refused() -> None:
    with pytest.raises(KeyError):
        measure_linking(ONE, TWO, {"s-1-a": "s-1"})


def test_the_second_run_breaks_no_rule_of_links() -> None:
    second = read_links(ROOT / "annotations" / "audit" / "linking")
    documents, gold = WORKSPACE.documents("composed"), WORKSPACE.stored_gold("composed")
    registry = read_registry(ROOT / "annotations" / "registry")
    issues = list(check_linking(second, gold, documents, registry))
    # It was asked for nothing else: whom names stand for, and what COREF links within a report.
    assert {issue.code for issue in issues} <= {"entity-unresolved", "cluster-coref"}
