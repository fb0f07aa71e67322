"""The answer to "Can it be repaired?" in a few words, for the report's first screen.

It is the tournament's. Where none was run it is amplification's, beside random directions, with the same rule: more
accuracy than without, and than with the control.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from backsight.maths.grouping import SMALLEST
from backsight.results.amplification.gains import Gain, gains_of
from backsight.results.amplification.tables import ALL
from backsight.results.amplification.titles import titled
from backsight.results.pages.study import Study
from backsight.results.tournament import schema as of
from backsight.results.tournament.text import candidates, lowering, repairs, undecided

Row = dict[str, Any]
NONE_SHOWN = "No repair is shown to be worth having."
TOO_FEW = "Too few failures to tell whether a repair is worth having."
BOUND_ONLY = "Nothing but an upper bound could be tried."


@dataclass(frozen=True, kw_only=True)
class RepairCard:
    """Whether a repair is worth having, and the numbers of the best one, as shares from -1 to 1.

    `gain` is its accuracy less that without a repair, `control_gain` the same of the control that is hardest to tell
    from it, `lead` the difference of both; `low` and `high` are ends of 95 % intervals. None where there is no number.
    `lowering` of the `tried` repairs lower accuracy on some set. `anchor` is the section of the report.
    """

    verdict: str
    anchor: str
    suite: str
    questions: int
    failures: int
    repair: str = ""
    gain: float | None = None
    gain_low: float | None = None
    gain_high: float | None = None
    control: str = ""
    control_gain: float | None = None
    lead: float | None = None
    lead_low: float | None = None
    lead_high: float | None = None
    tried: int = 0
    lowering: int = 0


def repair_card(study: Study) -> RepairCard | None:
    """The card of a study; None where no repair was tried."""
    return _of_tournament(study) or _of_amplification(study)


def _of_tournament(study: Study) -> RepairCard | None:
    tried = repairs(of.read(study.rows("tournament_summary")))
    if not tried:
        return None
    able = candidates(tried)
    winners = [row for row in able if row["verdict"] == of.WINS]
    best = max(winners or able or tried, key=lambda row: row["gain"])
    about: Row = {"verdict": verdict_of(tried), "anchor": "tournament"}
    about["suite"] = titled(study, "tournament", best["suite"])
    about |= {name: best[name] for name in ("questions", "failures")}
    about |= {"tried": len({row["repair"] for row in able}), "lowering": lowering(able)}
    if able:
        about["repair"] = of.capitalized(of.called(best["repair"]))
        about |= {name: best[name] for name in ("gain", "gain_low", "gain_high", "lead", "lead_low", "lead_high")}
        if best["nearest"]:
            about |= {"control": best["nearest"], "control_gain": best["gain"] - best["lead"]}
    return RepairCard(**about)


def verdict_of(tried: Sequence[Row]) -> str:
    """In at most twelve words whether a repair is worth having, from the summary's rows of repairs."""
    sets = {row["suite"] for row in tried}
    able = candidates(tried)
    winners = sorted((row for row in able if row["verdict"] == of.WINS), key=lambda row: -row["gain"])
    if winners:
        name = of.capitalized(of.called(winners[0]["repair"]))
        on = {row["suite"] for row in winners if row["repair"] == winners[0]["repair"]}
        where = "" if on == sets else f" on {len(on)} of {len(sets)} sets"
        others = len({row["repair"] for row in winners}) - 1
        more = "" if not others else "; so is one other" if others == 1 else f"; so are {others} others"
        return f"{name} is worth having{where}{more}."
    if not able:
        return BOUND_ONLY
    return TOO_FEW if undecided(able) else NONE_SHOWN


def _of_amplification(study: Study) -> RepairCard | None:
    rows = study.rows("amplify_summary")
    tried = [row for row in rows if row["directions"] == "probe" and row["form"] == "projected"]
    if not tried:
        return None
    row = next((one for one in tried if one["suite"] == ALL), min(tried, key=lambda one: one["accuracy"]))
    gain = gains_of(study).get(row["suite"])
    about: Row = {"verdict": amplification_verdict(row["failures"], gain), "anchor": "amplification"}
    about |= {"suite": titled(study, "amplify", row["suite"]), "repair": "Amplification"}
    about |= {name: row[name] for name in ("questions", "failures")}
    if gain is not None:
        about |= {"gain": gain.gain.mean, "gain_low": gain.gain.low, "gain_high": gain.gain.high}
        about |= {"lead": gain.lead.mean, "lead_low": gain.lead.low, "lead_high": gain.lead.high}
        about |= {"control": "random directions", "control_gain": gain.gain.mean - gain.lead.mean}
    return RepairCard(**about)


def amplification_verdict(failures: int, gain: Gain | None) -> str:
    """In at most twelve words whether amplification is worth having."""
    if failures < SMALLEST:
        return "Too few failures to tell whether amplification is worth having."
    if gain is not None and gain.shown:
        return "Amplification is worth having."
    if gain is not None and gain.harms:
        return "Amplification breaks more answers than it corrects."
    return "Amplification is not shown to be worth having."
