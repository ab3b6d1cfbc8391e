"""Tables of a campaign: its state, what was found, where the gold comes from."""

from __future__ import annotations

from collections.abc import Sequence

from rich.table import Table

from khabar.campaign.audit import Finding
from khabar.campaign.closing import Origin
from khabar.campaign.status import Gaps, Progress, Status


def status_table(status: Status, *, trouble: str = "") -> Table:
    """Show how far a campaign is.

    Args:
        status: as `look` gives it.
        trouble: why what is shown may be old.
    """
    waiting = f"{status.unexported} not exported, the oldest of {status.oldest_unexported}"
    told = [
        waiting if status.unexported else "everything is exported",
        f"{status.findings} findings" if status.findings else "no findings",
        f"{status.decisions} decisions",
    ]
    told = [trouble, *told] if trouble else told
    table = Table(title=f"{status.campaign}, {status.at}", caption="; ".join(told), title_justify="left")
    for name in ("round", "annotator", "what", "arm"):
        table.add_column(name)
    for name in ("documents", "done", "begun", "remaining", "an hour", "minutes each", "hours left"):
        table.add_column(name, justify="right")
    for place in status.places:
        table.add_row(*_progress_cells(place))
    return table


def _progress_cells(place: Progress) -> tuple[str, ...]:
    counts = (place.documents, place.done, place.begun, place.remaining)
    rates = (place.pace, place.minutes, place.hours_left)
    return (
        place.round,
        place.who,
        place.kind,
        place.arm,
        *(str(count) for count in counts),
        *("–" if rate is None else f"{rate:.1f}" for rate in rates),
    )


def findings_table(findings: Sequence[Finding]) -> Table:
    """Show what an audit found.

    Args:
        findings: in the order of the audit.
    """
    table = Table(title=f"{len(findings)} findings", title_justify="left", show_lines=True)
    table.add_column("id", no_wrap=True)
    table.add_column("code")
    table.add_column("where")
    table.add_column("found")
    table.add_column("what to do")
    for item in findings:
        table.add_row(item.id, item.code, item.issue.where, item.issue.found, item.issue.fix)
    return table


def gaps_lines(gaps: Gaps) -> list[str]:
    """Say what a measurement leaves out and why, and which documents are not finished by all; nothing, where all is in.

    Args:
        gaps: as `gaps_of` gives them.
    """
    lines = []
    if gaps.left_out:
        count = sum(len(item.annotators) for item in gaps.left_out)
        lines.append(f"left out for what is wrong: {count} annotations of {len(gaps.left_out)} documents")
        lines += [
            f"  {item.doc_id}, {' and '.join(item.annotators)}: {', '.join(item.codes)}" for item in gaps.left_out
        ]
    if gaps.unfinished:
        lines.append(f"not finished by all: {len(gaps.unfinished)} documents: {', '.join(gaps.unfinished)}")
    return lines


def trace_table(origins: Sequence[Origin], text: str) -> Table:
    """Show where the gold of a document comes from; attributes that all left at agreement are not listed.

    Args:
        origins: of one document.
        text: its text, or nothing.
    """
    table = Table(title=f"{origins[0].doc_id}: {len(origins)} items and values", title_justify="left")
    for name in ("item", "words", "value", "proposed by", "decided by", "reason"):
        table.add_column(name)
    for origin in origins:
        item = origin.item
        if item.kind == "attribute" and not origin.decided_by:
            continue
        words = text[item.start : item.end] or f"{item.start}–{item.end}"
        target = f" → {text[item.other[0] : item.other[1]] or item.other}" if item.other else ""
        table.add_row(
            f"{item.kind} {item.type}",
            words + target,
            origin.value,
            ", ".join(origin.proposed_by),
            origin.decided_by or "agreed",
            origin.reason,
        )
    return table
