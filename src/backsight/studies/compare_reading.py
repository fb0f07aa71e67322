"""Finished studies as a comparison needs them: the record, the values of every metric, and how their runs differ."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from backsight.errors import DataError, StudyError, UsageError
from backsight.results import result_of, today
from backsight.results.pages.samples import system_sentences
from backsight.results.pages.study import records
from backsight.studies.compare_metrics import Values, values
from backsight.studies.compare_parameters import differing
from backsight.tables import Table

FORMAT = 1  # of study.json
DO = "give folders that `backsight study` wrote"


@dataclass(frozen=True)
class Finished:
    """A finished study: what to call it, its folder, its record, its metrics by name, and jobs that have none."""

    name: str
    folder: Path
    record: Mapping[str, Any]
    values: Mapping[str, Values]
    not_compared: tuple[str, ...]

    def summary(self) -> dict[str, Any]:
        """What a comparison says of the study itself."""
        model, options = self.record["model"], self.record["options"]
        keys = ("name", "fingerprint", "family", "dtype", "device", "attention", "grid")
        return {
            "name": self.name,
            "folder": str(self.folder),
            "model": {key: model.get(key) for key in keys},
            "seed": self.record.get("seed"),
            "options": {key: options.get(key) for key in ("limit", "quick", "max_pixels")},
            "backsight": self.record.get("backsight"),
            "versions": self.record["versions"],
            "verdict": self.record.get("verdict"),
        }


def read(folders: Sequence[Path]) -> list[Finished]:
    """The studies in folders, in order. UsageError for too few or one twice; StudyError, DataError for an unfit one."""
    if len(folders) < 2:
        raise UsageError("A comparison needs at least two studies", got=", ".join(map(str, folders)) or "none", do=DO)
    places = [folder.resolve() for folder in folders]
    twice = sorted({str(one) for one, place in zip(folders, places, strict=True) if places.count(place) > 1})
    if twice:
        raise UsageError("A study is given twice", got=", ".join(twice), do="give each folder once")
    names = [place.name for place in places]
    named = names if len(set(names)) == len(names) else [str(folder) for folder in folders]
    return [finished(folder, name) for folder, name in zip(folders, named, strict=True)]


def finished(folder: Path, name: str) -> Finished:
    """The finished study of a folder, under a name. UsageError, StudyError, DataError for an unfit one."""
    record = _record(folder)
    stamps = record["tables"] if isinstance(record.get("tables"), dict) else {}
    by_metric: dict[str, Values] = {}
    others = []
    for job in record["jobs"]:
        tables = [Table.read(folder / "tables" / f"{name}.parquet", stamps.get(name)) for name in job["tables"]]
        by_metric |= {one.name: one for table in tables for one in values(table, job["set"])}
        if not any(getattr(result_of(table), "metrics", ()) for table in tables):
            others.append(job["name"])
    return Finished(name, folder, record, by_metric, tuple(others))


def _record(folder: Path) -> dict[str, Any]:
    """study.json, with all that a comparison reads in its place."""
    path = folder / "study.json"
    if not path.is_file():
        if (folder / "jobs").is_dir():
            do = "run the command of the study again, then compare"
            raise StudyError("The study is not finished", where=folder, got="no study.json", do=do)
        if not folder.is_dir():
            raise UsageError("There is no such folder", where=folder, do=DO)
        raise UsageError("There is no study here", where=path, got="no such file", do=DO)
    again = "make the study again"
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DataError("A study's record cannot be read", where=path, got=error, do=again) from error
    version = record.get("format") if isinstance(record, dict) else None
    if isinstance(version, int) and version > FORMAT:
        do = f"format {FORMAT} is read here: compare with the version of backsight that wrote it"
        raise DataError("A study is of a newer format", where=path, got=f"format {version}", do=do)
    wrong = "no format" if version != FORMAT else _wrong(record)
    if wrong:
        raise DataError("A study's record cannot be read", where=path, got=wrong, do=again)
    if record.get("finished") is not True:
        do = "run the command of the study again, then compare"
        raise StudyError("The study is not finished", where=folder, got="finished is not true in study.json", do=do)
    jobs = [{**job, **{key: today(job[key]) for key in ("name", "measurement")}} for job in record["jobs"]]
    return {**record, "jobs": jobs}


def _wrong(record: Mapping[str, Any]) -> str:
    """What of a record is not as a study writes it; empty where all is."""
    for key in ("model", "options", "versions"):
        if not isinstance(record.get(key), dict):
            return f"no {key}"
    if not isinstance(record.get("verdict"), dict | None):
        return "a verdict that is none"
    jobs = record.get("jobs")
    if not isinstance(jobs, list) or not all(isinstance(job, dict) and _whole(job) for job in jobs):
        return "jobs that are not as a study writes them"
    return ""


def _whole(job: Mapping[str, Any]) -> bool:
    named = all(isinstance(job.get(key), str) for key in ("name", "set", "measurement"))
    tables = job.get("tables")
    return named and isinstance(tables, list) and all(Path(str(table)).name == table for table in tables)


def notes(baseline: Finished, other: Finished) -> list[str]:
    """How two studies differ beside the model's answers, and where they are of the same weights."""
    sentences = []
    one, two = baseline.summary(), other.summary()
    if one["model"]["fingerprint"] and one["model"]["fingerprint"] == two["model"]["fingerprint"]:
        sentences.append(f"{baseline.name} and {other.name} are studies of the same weights.")
    for name, (before, now) in _settings(one, two).items():
        if before != now:
            sentences.append(f"{name}: {_said(before)} in {baseline.name}, {_said(now)} in {other.name}.")
    both = {one.set_name for one in baseline.values.values()} & {one.set_name for one in other.values.values()}
    asked_apart = system_sentences([one for one in records(other.record.get("sets")) if one.get("name") in both])
    sentences += [asked_apart] if asked_apart else []
    jobs = {job["name"]: job["measurement"] for job in baseline.record["jobs"]}
    unlike = {job["name"]: differing(jobs.get(job["name"], job["measurement"]), job["measurement"])
              for job in other.record["jobs"]}  # fmt: skip
    parts = [f"{name} ({'; '.join(by)})" for name, by in unlike.items() if by]
    if parts:
        sentences.append(f"Measured with other parameters in {other.name}: {', '.join(parts)}.")
    return sentences


def _settings(one: Mapping[str, Any], two: Mapping[str, Any]) -> dict[str, tuple[Any, Any]]:
    """Settings of two studies that can move a number, by what they are called."""
    settings = {"Seed": (one["seed"], two["seed"])}
    settings |= {name: (one["options"][key], two["options"][key]) for name, key in
              (("Limit", "limit"), ("Quick", "quick"), ("Largest picture area", "max_pixels"))}  # fmt: skip
    settings |= {name: (one["model"][key], two["model"][key]) for name, key in
              (("Dtype", "dtype"), ("Device", "device"), ("Attention", "attention"), ("Grid", "grid"))}  # fmt: skip
    settings["Backsight"] = (one["backsight"], two["backsight"])
    libraries = dict.fromkeys((*one["versions"], *two["versions"]))
    return settings | {name: (one["versions"].get(name), two["versions"].get(name)) for name in libraries}


def _said(value: Any) -> str:
    if isinstance(value, dict):
        return " ".join(f"{key} {_said(one)}" for key, one in value.items())
    if isinstance(value, list):
        return " x ".join(map(_said, value))
    return "none" if value is None else {True: "yes", False: "no"}[value] if isinstance(value, bool) else str(value)
