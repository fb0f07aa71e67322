"""From a study to the content of its report: model, answers, sections and what stands at the end."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from backsight.report.gallery import gallery
from backsight.report.published import published
from backsight.results import RESULTS, selftest, today
from backsight.results.pages.content import QUESTIONS, Grid, Page, Section
from backsight.results.pages.study import Study, mapping, number, records, text
from backsight.results.pages.wording import model_sentence, tenths


def build_page(study: Study) -> Page:
    """The report's content; figures are written on the way."""
    data = study.data
    model = mapping(data.get("model"))
    return Page(
        title=text(model.get("name")) or "A model",
        model=model_sentence(model),
        finished=data.get("finished") is not False,
        sections=_merged(_sections(study)),
        skipped=_skipped(study),
        contracts=_contracts(study),
        controls=_controls(),
        controls_note=_controls_note(),
        costs=_costs(study),
        costs_note=_costs_note(study),
        command=_commands(study),
        facts=_facts(study),
        files=tuple((name, study.files(name)) for name in study.table_names()),
    )


def _sections(study: Study) -> list[Section]:
    """The sections: first what was measured, then single answers that it explains, and the published figures last."""
    of = {make: name for name, result in RESULTS.items() for make in result.sections}
    made = ((make(study), of.get(make)) for make in dict.fromkeys([*of, gallery, published]))
    return [_controlled(section, measurement) for section, measurement in made if section is not None]


def _controlled(section: Section, measurement: str | None) -> Section:
    """The section of a measurement, with how it did on its controls."""
    if measurement is None:
        return section
    line = f"{measurement}: {selftest.sentence(measurement, selftest.shipped())}"
    return replace(section, controls=(line,))


def _merged(sections: Sequence[Section]) -> tuple[Section, ...]:
    """Sections of one anchor as one, at the place of the first; by question, and in each what is short of it first."""
    merged: dict[str, Section] = {}
    for one in sections:
        first = merged.get(one.anchor)
        merged[one.anchor] = one if first is None else first.joined(one)
    order = list(QUESTIONS)
    return tuple(
        replace(one, statements=tuple(sorted(one.statements, key=lambda statement: -statement.short)))
        for one in sorted(merged.values(), key=lambda one: order.index(one.question))
    )


def _skipped(study: Study) -> Grid | None:
    rows = [
        (
            study.titles.get(text(s.get("set")), text(s.get("set"))),
            today(text(s.get("measurement"))),
            text(s.get("reason")),
        )
        for s in records(study.data.get("skipped"))
    ]
    return Grid("", ("Set", "Measurement", "Reason"), tuple(rows), words=3) if rows else None


def _contracts(study: Study) -> Grid | None:
    rows = [
        (text(c.get("name")), _outcome(c), ". ".join(filter(None, (text(c.get("detail")), text(c.get("do"))))))
        for c in records(study.data.get("contracts"))
    ]
    return Grid("", ("Contract", "Result", "Detail"), tuple(rows), words=3) if rows else None


def _outcome(contract: Mapping[str, object]) -> str:
    if contract.get("passed") is not True:
        return "fails"
    return "not decided" if contract.get("warning") is True else "holds"


def _controls() -> Grid | None:
    """The table of all controls, as this version of the package passed or failed them."""
    outcome = selftest.shipped()
    return None if outcome is None else outcome.grid()


def _controls_note() -> str:
    outcome = selftest.shipped()
    return "" if outcome is None else selftest.summary(outcome)


def _costs(study: Study) -> Grid | None:
    jobs = study.jobs
    if not jobs:
        return None
    keys = ("seconds", "forward_equivalents")
    rows: list[tuple[str, ...]] = [
        (text(job.get("name")), text(job.get("samples")) or "–", *(tenths(job.get(key)) for key in keys))
        for job in jobs
    ]
    totals = [sum(number(job.get(key)) or 0.0 for job in jobs) for key in keys]
    rows.append(("Total", "", *(tenths(total) for total in totals)))
    return Grid("", ("Job", "Samples", "Seconds", "Forward equivalents"), tuple(rows))


def _costs_note(study: Study) -> str:
    machine = mapping(study.data.get("machine"))
    peak = number(machine.get("memory_peak_mib"))
    memory = f" Peak memory was {peak:,.0f} MiB." if peak is not None else ""
    return (
        f"One forward equivalent is one plain call of one sample: vision encoder, and logits at every position.{memory}"
    )


def _commands(study: Study) -> str:
    """The command of each run that made the folder, one a line; of an older study the one that it names."""
    commands = [text(run.get("command")) for run in records(study.data.get("runs"))]
    return "\n".join(dict.fromkeys(filter(None, commands))) or text(study.data.get("command"))


def _facts(study: Study) -> tuple[tuple[str, str], ...]:
    data = study.data
    model, machine = mapping(data.get("model")), mapping(data.get("machine"))
    measured = mapping(mapping(model.get("card")).get("accuracy"))
    pairs = [
        ("Started", text(data.get("started"))),
        ("Seed", text(data.get("seed"))),
        ("Options", _joined({k: v for k, v in mapping(data.get("options")).items() if k != "memory"})),
        ("Memory cap, for weights and a batch", text(mapping(data.get("memory")).get("cap"))),
        ("Batches that the cap made smaller", _smaller(study)),
        ("Model's fingerprint", text(model.get("fingerprint"))),
        ("Attention", text(model.get("attention"))),
        ("Accuracy on the model's card", _joined(measured)),
        ("Backsight", text(data.get("backsight"))),
        ("Versions", _joined(mapping(data.get("versions")))),
        ("Machine", _joined({key: value for key, value in machine.items() if key != "memory_peak_mib"})),
    ]
    return tuple((name, value) for name, value in pairs if value)


def _smaller(study: Study) -> str:
    sizes = ((text(job.get("name")), number(job.get("batch")), number(job.get("own_batch"))) for job in study.jobs)
    return ", ".join(f"{name} {batch:.0f} of {own:.0f}" for name, batch, own in sizes if batch and own and batch < own)


def _joined(values: Mapping[str, Any]) -> str:
    shown = {key: f"{v:.3f}" if isinstance(v, float) else text(v) for key, v in values.items()}
    return ", ".join(f"{key} {value}" for key, value in shown.items() if value)
