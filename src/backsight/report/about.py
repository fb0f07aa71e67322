"""What stands at the end of a report: what was left out, contracts, controls, costs, how to make the study again."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping, Sequence
from typing import Any

from backsight.results import selftest, today
from backsight.results.pages.content import Grid
from backsight.results.pages.study import Study, mapping, number, records, text
from backsight.results.pages.wording import listed, tenths

READING = (
    'Brackets hold 95 % intervals, images as units: Agresti and Coull\'s "plus four" with the effective number of '
    "questions for shares, Fieller's for ratios of them, a percentile bootstrap for other units. They say how a number "
    "would vary over other pictures of the same kind, not over other words, other kinds of picture or another training "
    "of the model.",
    "Chance is one over the number of options that are compared. A gray picture is the same question about a uniform "
    "gray picture of the same size: what it gives, the question gives away by itself.",
    "A number that too few samples give is omitted, and says how many there were.",
)


def skipped(study: Study) -> Grid | None:
    """What could not be measured, each with its reason."""
    rows = [
        (
            study.titles.get(text(s.get("set")), text(s.get("set"))),
            today(text(s.get("measurement"))),
            text(s.get("reason")),
        )
        for s in records(study.data.get("skipped"))
    ]
    return Grid("Left out", ("Set", "Measurement", "Reason"), tuple(rows), words=3) if rows else None


def contracts(study: Study) -> Grid | None:
    """The contracts of the seam, as the study's own opening of the model passed or failed them."""
    rows = [
        (text(c.get("name")), _outcome(c), ". ".join(filter(None, (text(c.get("detail")), text(c.get("do"))))))
        for c in records(study.data.get("contracts"))
    ]
    return Grid("Contracts", ("Contract", "Result", "Detail"), tuple(rows), words=3) if rows else None


def _outcome(contract: Mapping[str, object]) -> str:
    if contract.get("passed") is not True:
        return "fails"
    return "not decided" if contract.get("warning") is True else "holds"


def controls() -> Grid | None:
    """The table of all controls, as this version of the package passed or failed them."""
    outcome = selftest.shipped()
    return None if outcome is None else outcome.grid()


def controls_note() -> str:
    """How many controls this version passed."""
    outcome = selftest.shipped()
    return "" if outcome is None else selftest.summary(outcome)


def costs(study: Study) -> Grid | None:
    """Seconds and forward equivalents of each job."""
    jobs = study.jobs
    if not jobs:
        return None
    keys = ("seconds", "forward_equivalents")
    rows: list[tuple[str, ...]] = [
        (text(job.get("name")), text(job.get("samples")) or "–", *(tenths(job.get(key)) for key in keys))
        for job in jobs
    ]
    return Grid("Costs", ("Job", "Samples", "Seconds", "Forward equivalents"), tuple(rows))


def costs_note(study: Study) -> str:
    """What the whole study took, and what a forward equivalent is."""
    seconds, forwards = (
        sum(number(job.get(key)) or 0.0 for job in study.jobs) for key in ("seconds", "forward_equivalents")
    )
    peak = number(mapping(study.data.get("machine")).get("memory_peak_mib"))
    memory = f", peak memory {peak:,.0f} MiB" if peak is not None else ""
    return (
        f"In all {tenths(seconds)} seconds and {tenths(forwards)} forward equivalents{memory}. One forward equivalent "
        "is one plain call of one sample: vision encoder, and logits at every position."
    )


def commands(study: Study) -> str:
    """The command of each run that made the folder, one a line; of an older study the one that it names."""
    lines = [text(run.get("command")) for run in records(study.data.get("runs"))]
    return "\n".join(dict.fromkeys(filter(None, lines))) or text(study.data.get("command"))


def again(study: Study, kinds: Sequence[str]) -> str:
    """The command that makes some kinds of measurement again, into a folder of its own; empty where none is recorded.

    It is that of the study's last run, with `--only` of these kinds.
    """
    last = commands(study).rpartition("\n")[2]
    try:
        words = shlex.split(last)
    except ValueError:
        return ""
    if not kinds or words[:2] != ["backsight", "study"]:
        return ""
    kept, skip = [], False
    for word in words:
        if not skip and not re.match(r"--(only|out)(=|$)", word):
            kept.append(word)
        skip = not skip and word in ("--only", "--out")
    only = [word for kind in kinds for word in ("--only", kind)]
    return shlex.join([*kept, *only, "--out", f"runs/{kinds[0]}"])


def damaged(study: Study) -> str:
    """What the page lacks because tables are not as they were written; empty where all are."""
    if not study.damaged:
        return ""
    some = listed(f"{name} ({what})" for name, what in list(study.damaged.items())[:3])
    more = f" and {len(study.damaged) - 3} more" if len(study.damaged) > 3 else ""
    return f"Missing or damaged tables, which this page does without: {some}{more}. Run the study's command again."


def facts(study: Study) -> tuple[tuple[str, str], ...]:
    """Model, machine and versions, as many as the record has."""
    data = study.data
    model, machine = mapping(data.get("model")), mapping(data.get("machine"))
    pairs = [
        ("Started", text(data.get("started"))),
        ("Seed", text(data.get("seed"))),
        ("Options", _joined({k: v for k, v in mapping(data.get("options")).items() if k != "memory"})),
        ("Memory cap, for weights and a batch", text(mapping(data.get("memory")).get("cap"))),
        ("Batches that the cap made smaller", _smaller(study)),
        ("Dtype", " ".join(filter(None, (text(model.get("dtype")), _because(text(model.get("dtype_reason"))))))),
        ("Model's fingerprint", text(model.get("fingerprint"))),
        ("Attention", text(model.get("attention"))),
        ("Accuracy on the model's card", _joined(mapping(mapping(model.get("card")).get("accuracy")))),
        ("Backsight", text(data.get("backsight"))),
        ("Versions", _joined(mapping(data.get("versions")))),
        ("Machine", _joined({key: value for key, value in machine.items() if key != "memory_peak_mib"})),
    ]
    return tuple((name, value) for name, value in pairs if value)


def _because(reason: str) -> str:
    return f"({reason})" if reason else ""


def _smaller(study: Study) -> str:
    sizes = ((text(job.get("name")), number(job.get("batch")), number(job.get("own_batch"))) for job in study.jobs)
    return ", ".join(f"{name} {batch:.0f} of {own:.0f}" for name, batch, own in sizes if batch and own and batch < own)


def _joined(values: Mapping[str, Any]) -> str:
    shown = {key: f"{v:.3f}" if isinstance(v, float) else text(v) for key, v in values.items()}
    return ", ".join(f"{key} {value}" for key, value in shown.items() if value)
