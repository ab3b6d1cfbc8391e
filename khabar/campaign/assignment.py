"""Who annotates which document: exactly k each, balanced, the same on every machine."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations

from khabar.campaign.config import Campaign, lot, readers
from khabar.errors import Issue, KhabarError

Assignment = dict[str, tuple[str, ...]]
Pair = tuple[str, str]


def assign(campaign: Campaign, given: Mapping[str, Sequence[str]]) -> Assignment:
    """Give each document to exactly as many annotators as the campaign says.

    What is given already stays. The rest goes to whoever reads the language and has least to do; among
    equals to whoever shares fewest documents with those chosen, so that many pairs can be compared;
    then by lot. Where that leaves a document with nobody, it is tried again with those first that fewest
    can read.

    Args:
        campaign: the campaign.
        given: annotators by document, as Label Studio holds them.

    Returns:
        Annotators by document, for every document of a round, in the order of the rounds.

    Raises:
        KhabarError: assignment-impossible, naming each document for which nobody is left.
    """
    chosen, issues = _share_out(campaign, given, list(campaign.rounds))
    if issues:
        scarce = sorted(campaign.rounds, key=lambda doc_id: len(readers(campaign, campaign.documents[doc_id].lang)))
        chosen, issues = _share_out(campaign, given, scarce)
    if issues:
        raise KhabarError(issues)
    return chosen


def _share_out(
    campaign: Campaign, given: Mapping[str, Sequence[str]], order: Sequence[str]
) -> tuple[Assignment, list[Issue]]:
    chosen: Assignment = {doc_id: tuple(given.get(doc_id, ())) for doc_id in campaign.rounds}
    load = Counter(name for names in chosen.values() for name in names)
    shared: Counter[Pair] = Counter(pair for names in chosen.values() for pair in combinations(sorted(names), 2))
    issues: list[Issue] = []
    for doc_id in order:
        for _ in range(campaign.config.per_document - len(chosen[doc_id])):
            able = _able(campaign, doc_id, chosen[doc_id], load)
            if not able:
                issues.append(_impossible(campaign, doc_id, len(chosen[doc_id])))
                break
            name = min(able, key=lambda who: _rank(campaign, doc_id, who, chosen[doc_id], load, shared))
            load[name] += 1
            shared.update(_pair(name, other) for other in chosen[doc_id])
            chosen[doc_id] = (*chosen[doc_id], name)
    return chosen, issues


def _able(campaign: Campaign, doc_id: str, taken: Sequence[str], load: Mapping[str, int]) -> list[str]:
    limits = campaign.config.at_most
    return [
        name
        for name in readers(campaign, campaign.documents[doc_id].lang)
        if name not in taken and load.get(name, 0) < limits.get(name, len(campaign.rounds))
    ]


def _rank(
    campaign: Campaign,
    doc_id: str,
    name: str,
    taken: Sequence[str],
    load: Mapping[str, int],
    shared: Mapping[Pair, int],
) -> tuple[int, int, str]:
    together = sum(shared.get(_pair(name, other), 0) for other in taken)
    return load.get(name, 0), together, lot(campaign.config.seed, doc_id, name)


def _pair(one: str, two: str) -> Pair:
    return (one, two) if one < two else (two, one)


def _impossible(campaign: Campaign, doc_id: str, found: int) -> Issue:
    return Issue(
        code="assignment-impossible",
        doc_id=doc_id,
        where=f"document {doc_id}",
        found=f"{found} annotators who may take it",
        expected=str(campaign.config.per_document),
        fix="Add annotators of its language, or raise their at_most.",
    )


def of_annotator(campaign: Campaign, assignment: Mapping[str, Sequence[str]], name: str) -> Iterator[str]:
    """Yield the documents of one annotator, in the order of the rounds and then by lot.

    No two annotators meet the documents in one order: what comes late is not always the same.

    Args:
        campaign: the campaign.
        assignment: annotators by document.
        name: the annotator.
    """
    order = {part.name: number for number, part in enumerate(campaign.config.rounds)}
    mine = [doc_id for doc_id, names in assignment.items() if name in names]
    yield from sorted(
        mine, key=lambda doc_id: (order[campaign.rounds[doc_id]], lot(campaign.config.seed, name, doc_id))
    )
