"""What cannot be compared, and what is said of it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from backsight.errors import BacksightError, DataError, StudyError, UsageError
from backsight.results.behaviour import BEHAVIOUR
from backsight.studies.compare import compare
from backsight.tables import Schema, Table

from ..conftest import Command
from .by_hand import BASE, answers, make, two


def no_study(tmp_path: Path) -> list[Path]:
    (tmp_path / "empty").mkdir()
    return [make(tmp_path / "base", {"b/squares": answers(BASE)}), tmp_path / "empty"]


def changed(text: str | None = None, **changes: Any) -> Callable[[Path], list[Path]]:
    """Two studies, the second with another study.json."""

    def folders(tmp_path: Path) -> list[Path]:
        found = two(tmp_path, {"b/squares": answers(BASE)}, {"b/squares": answers(BASE)}, **changes)
        if text is not None:
            (found[1] / "study.json").write_text(text)
        return found

    return folders


def no_folder(tmp_path: Path) -> list[Path]:
    return [make(tmp_path / "base", {"b/squares": answers(BASE)}), tmp_path / "nowhere"]


def unfinished(tmp_path: Path) -> list[Path]:
    found = changed()(tmp_path)
    (found[1] / "jobs").mkdir()
    (found[1] / "study.json").unlink()
    return found


def damaged(tmp_path: Path) -> list[Path]:
    found = changed()(tmp_path)
    (found[1] / "tables" / "job0.parquet").write_text("no table")
    return found


def older(tmp_path: Path) -> list[Path]:
    """A table of behaviour without the column of the free read-out."""
    columns = {name: kind for name, kind in BEHAVIOUR.columns.items() if name != "free_correct"}
    table = Table(Schema("behaviour", columns), answers(BASE).frame.drop(columns="free_correct"))
    return two(tmp_path, {"b/squares": answers(BASE)}, {"b/squares": table})


def nothing_in_common(tmp_path: Path) -> list[Path]:
    return two(tmp_path, {"b/squares": answers(BASE)}, {"b/shapes": answers(BASE)})


def one_alone(tmp_path: Path) -> list[Path]:
    return changed()(tmp_path)[:1]


def one_twice(tmp_path: Path) -> list[Path]:
    base = changed()(tmp_path)[0]
    return [base, base.parent / "tuned" / ".." / "base"]


@pytest.mark.parametrize(
    ("folders", "kind", "said"),
    [
        (one_alone, UsageError, ("at least two studies", "/base", "give folders that `backsight study` wrote")),
        (one_twice, UsageError, ("A study is given twice", "/base", "give each folder once")),
        (no_study, UsageError, ("There is no study here", "/empty/study.json", "no such file", "give folders that")),
        (no_folder, UsageError, ("There is no such folder", "/nowhere", "give folders that")),
        (unfinished, StudyError, ("The study is not finished", "/tuned", "no study.json", "then compare")),
        (changed(finished=False), StudyError, ("The study is not finished", "finished is not true")),
        (changed(format=2), DataError, ("A study is of a newer format", "/tuned/study.json", "format 2",
                                        "format 1 is read here")),
        (changed(format=None), DataError, ("record cannot be read", "no format", "make the study again")),
        (changed("{"), DataError, ("record cannot be read", "/tuned/study.json")),
        (changed("[]"), DataError, ("record cannot be read", "no format")),
        (changed(model=None), DataError, ("record cannot be read", "no model")),
        (changed(jobs=[{"name": "b/squares"}]), DataError, ("jobs that are not as a study writes them",)),
        (changed(jobs=[{"name": "a", "set": "s", "measurement": "M", "tables": ["../x"]}]), DataError,
         ("jobs that are not as a study writes them",)),
        (changed(jobs="x"), DataError, ("jobs that are not as a study writes them",)),
        (changed(verdict="vision"), DataError, ("record cannot be read", "a verdict that is none")),
        (damaged, DataError, ("This is no table of ours", "job0.parquet")),
        (older, DataError, ("A table lacks columns", "behaviour of squares", "no free_correct", "study again")),
        (nothing_in_common, UsageError, ("Two studies have no metric in common", "/base and ", "/tuned",
                                        "6 and 6 metrics, all different", "(--only, --data)")),
    ],
)  # fmt: skip
def test_what_cannot_be_compared_is_said(
    tmp_path: Path, command: Command, folders: Callable[[Path], list[Path]], kind: type[BacksightError],
    said: tuple[str, ...],
) -> None:  # fmt: skip
    found, out = folders(tmp_path), tmp_path / "out"
    with pytest.raises(kind) as caught:
        compare(found)
    assert all(one in str(caught.value) for one in said), str(caught.value)
    code, printed, err = command("compare", *found, "--out", out)
    assert (code, printed) == (2 if kind is UsageError else 3, "")
    assert err == f"backsight: {caught.value}\n"
    assert not out.exists()


def test_no_folder_at_all_is_wrong_usage(command: Command) -> None:
    assert command("compare").code == 2
