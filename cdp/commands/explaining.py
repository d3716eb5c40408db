"""What `cdp identity explain` shows: a path of rows, or what parts two identifiers.

Belongs here: the words and the columns. Does not belong here: finding the path
(`cdp.identity.explaining`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rich.markup import escape

from cdp.commands.matching import in_words, likely_as_data
from cdp.commands.terminal import answer, cell, err, grid, out

if TYPE_CHECKING:
    from cdp.identity.explaining import Explanation, Member
    from cdp.identity.identifiers import Identifier

_WORDS = {
    "same_identifier": "Both are spellings of the same identifier.",
    "tied": "This ties them together:",
    "left_out": "This ties them together, but what is marked was left out:",
    "nothing": "No row ties them together, not even through others that are somebody's own, or "
    "through one blocked value between two of them.",
    "elsewhere": "No row ties them together, and no label that is recorded or stands in the seed.",
}


def tell_explanation(explanation: Explanation, *, as_json: bool) -> None:
    """Show an explanation."""
    if as_json:
        answer(_as_data(explanation))
        return
    left, right = explanation.left, explanation.right
    if explanation.is_one_person:
        out.print(f"One person: profile {left.profile_id}.")
    elif left.profile_id is None or right.profile_id is None:
        out.print("Nobody together: what is nobody's own belongs to no profile.")
    else:
        out.print(f"Two people: profiles {left.profile_id} and {right.profile_id}.")
    out.print(_WORDS[explanation.why])
    if explanation.path:
        parted = explanation.why == "left_out"
        columns = ("identifier", "seen with", "first at", "source", "event")
        table = grid(*columns, *(("left out by",) if parted else ()))
        for step in explanation.path:
            edge = step.edge
            shown = [
                _named(step.from_),
                _named(step.to),
                edge.first_occurred_at,
                edge.source,
                edge.event_id,
            ]
            rule = [edge.rule or ""] if parted else []
            table.add_row(*(cell(each) for each in (*shown, *rule)))
        out.print()
        out.print(table)
        for step in explanation.path:
            if (likely := step.likeliness) is not None:
                named = f"{_named(step.from_)} and {_named(step.to)}"
                told = f"likely one person by {likely.probability:.3f}: {in_words(likely)}"
                out.print(f"\n{escape(named)} are {escape(told)}")
    for member in (left, right):
        if member.is_blocked:
            told = escape(_named(member.identifier))
            out.print(f"{told} is nobody's own, by the list of blocked values, and joins nobody.")
    if not explanation.is_published:
        err.print("This was built by a run that is not the last published one; readers see others.")


def _named(identifier: Identifier) -> str:
    return f"{identifier.type}:{identifier.value}"


def _as_data(explanation: Explanation) -> dict[str, Any]:
    return {
        "is_one_person": explanation.is_one_person,
        "why": explanation.why,
        "left": _member(explanation.left),
        "right": _member(explanation.right),
        "path": [
            {
                "from": _plain(step.from_),
                "to": _plain(step.to),
                "first_occurred_at": step.edge.first_occurred_at,
                "source": step.edge.source,
                "event_id": step.edge.event_id,
                "left_out_by": step.edge.rule,
                "likeliness": None if step.likeliness is None else likely_as_data(step.likeliness),
            }
            for step in explanation.path
        ],
        "is_published": explanation.is_published,
    }


def _member(member: Member) -> dict[str, Any]:
    return {
        **_plain(member.identifier),
        "profile_id": member.profile_id,
        "is_blocked": member.is_blocked,
    }


def _plain(identifier: Identifier) -> dict[str, str]:
    return {"type": identifier.type, "value": identifier.value}
