"""What of a study's tables can be compared: per kind of table, how its rows become values of samples.

`KINDS` is the registry. A metric is named by its family, the set, and the values of its key columns, such as
`accuracy/squares/left/options`. A sample is the same in two studies where its id, its picture and the columns `same`
agree: ids repeat between seeds, and the id of a picture names its pixels.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

import pandas as pd

from backsight import schemas
from backsight.errors import DataError
from backsight.maths.comparison import Better
from backsight.maths.compass import sector_of
from backsight.maths.controls import equivariance
from backsight.maths.creg import DEFAULT, NULL
from backsight.maths.grouping import groups
from backsight.tables import Schema, Table


def _whole(frame: pd.DataFrame) -> pd.DataFrame:
    return frame


@dataclass(frozen=True)
class Metric:
    """How rows become values: `rows` keeps those that count and makes columns, `keys` name the metric by its values.

    `sample` is the column of the sample's id and `value` that of its value; rows of one sample are averaged. `layered`
    takes the layer with the highest mean over the samples compared, each study its own. `better` says which way is
    better. Where `drawn` holds the metric is one of the few of its set that a figure shows.
    """

    family: str
    sample: str
    value: str
    keys: tuple[str, ...]
    same: tuple[str, ...] = ()
    rows: Callable[[pd.DataFrame], pd.DataFrame] = _whole
    layered: bool = False
    better: Better = "more"
    drawn: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Values:
    """One metric of one study: `frame` has a row a sample and a column a layer, or the single column 0."""

    name: str
    metric: Metric
    set_name: str
    drawn: bool
    frame: pd.DataFrame

    def of(self, samples: pd.Index | None = None) -> tuple[int | None, pd.Series[float], pd.Index]:
        """The layer with the highest mean over some samples, or all; each one's value there; each one's image."""
        frame = self.frame if samples is None else self.frame.reindex(samples)
        layer = int(str(frame.mean().idxmax()))  # of equals the first
        images = frame.index.get_level_values("image_id").astype(str)
        return layer if self.metric.layered else None, frame[layer], images


def values(table: Table, set_name: str) -> Iterator[Values]:
    """Every metric of a table of rows; none for a schema without metrics. DataError where it lacks columns."""
    schema, metrics = KINDS.get(table.schema.name, (None, ()))
    missing = sorted(schema.columns.keys() - table.schema.columns.keys()) if schema else []
    if missing:
        raise DataError(
            "A table lacks columns", where=f"{table.schema.name} of {set_name}", got=f"no {', '.join(missing)}",
            do="make the study again with this version of backsight",
        )  # fmt: skip
    for metric in metrics:
        frame = metric.rows(table.frame)
        frame = frame[frame[metric.value].notna()]
        for key, group in groups(frame, list(metric.keys)) if len(frame) else ():
            named = dict(zip(metric.keys, key, strict=True))
            name = "/".join([metric.family, set_name, *(str(one) for one in key if one is not None)])
            drawn = all(named[column] == wanted for column, wanted in metric.drawn.items())
            yield _values(metric, name, set_name, drawn, group)


def _values(metric: Metric, name: str, set_name: str, drawn: bool, group: pd.DataFrame) -> Values:
    by = [metric.sample, "image_id", *metric.same]
    group = group.assign(
        value=group[metric.value].astype(float), at=group["layer"].astype(int) if metric.layered else 0
    )
    frame = group.groupby([*by, "at"], dropna=False)["value"].mean().unstack("at")
    return Values(name, metric, set_name, drawn, frame.dropna())


def _answers(frame: pd.DataFrame) -> pd.DataFrame:
    """Answers to the picture by both read-outs, all together and by direction."""
    shown = frame[frame["condition"] == "picture"]
    every = pd.concat([shown.assign(direction="all"), shown[shown["direction"].notna()]])
    read = {"options": "choice_correct", "free": "free_correct"}
    return pd.concat([every.assign(read_out=name, right=every[column]) for name, column in read.items()])


def _kept(frame: pd.DataFrame) -> pd.DataFrame:
    """Pairs that both runs answer right; the place stands in what is called the ordinal answer."""
    return frame[frame["kept"].fillna(False)].assign(outcome="ordinal")


def _standard(frame: pd.DataFrame) -> pd.DataFrame:
    return frame[frame["shown"] == "standard"]


def _repaired(*, failures: bool) -> Callable[[pd.DataFrame], pd.DataFrame]:
    """Answers with the probes' directions at the chosen alpha, to what was a failure before, or was right."""

    def rows(frame: pd.DataFrame) -> pd.DataFrame:
        scored = frame[frame["part"] == "score"]
        plain = scored[scored["directions"] == "none"].set_index("example_id")["correct"].astype(bool)
        tried = scored[(scored["directions"] == "probe") & scored["chosen"].fillna(False)]
        was_right = tried["example_id"].map(plain).astype(bool)
        mine = tried[was_right != failures]
        return mine.assign(corrected=mine["correct"].astype(float), broken=1 - mine["correct"].astype(float))

    return rows


def _compass(frame: pd.DataFrame) -> pd.DataFrame:
    """DAE of methods by the default projection, and what it gains on constant relevance on the same question."""
    plain = frame[frame["projection"] == DEFAULT]
    if plain.empty:
        return plain.assign(gain=plain["dae"])
    null = plain[plain["method"] == NULL].set_index("example_id")["dae"]
    mine = plain[plain["target"].notna() | (plain["method"] == "rollout")]
    return mine.assign(gain=mine["example_id"].map(null) - mine["dae"])


def _occluded(frame: pd.DataFrame) -> pd.DataFrame:
    """COS of the true sector by question and variant: log p with the opposite sector hidden less that with its own."""
    hidden = frame[frame["variant"].notna()]
    count = hidden["sector"].nunique()
    place = (hidden["sector"] / (360.0 / max(count, 1))).round()
    true = hidden["true"].map(lambda angle: sector_of(angle, count))
    keys = ["example_id", "variant"]
    across = hidden[place == (true + count // 2) % count].set_index(keys)["log_p"]
    own = hidden[place == true].set_index(keys)
    return own.assign(cos=across - own["log_p"]).reset_index()


def _mirrored(frame: pd.DataFrame) -> pd.DataFrame:
    """Pearson's r of a compass and its mirror image turned back, a row a question, method and target."""
    frame = _methods(frame)
    if frame.empty:
        return frame.assign(r=frame["share"])
    keys = [name for name in frame if name not in ("sector", "share", "share_mirrored")]
    each = frame.groupby(keys, dropna=False, sort=False)[["share", "share_mirrored"]].apply(equivariance)
    return each.rename("r").reset_index()


def _methods(frame: pd.DataFrame) -> pd.DataFrame:
    """Rows of methods: the effects of the tokens are none, nor is what knows no relevance."""
    return frame[~frame["method"].isin(("knockout", NULL, "random_relevance", "point_at_subject", "subject_box"))]


KINDS: Mapping[str, tuple[Schema, tuple[Metric, ...]]] = {
    "behaviour": (
        schemas.BEHAVIOUR,
        (
            Metric(
                "accuracy", "example_id", "right", ("direction", "prompt", "read_out"), ("question", "answer"),
                _answers, drawn={"direction": "all", "read_out": "options"},
            ),
        ),
    ),
    "roads": (
        schemas.ROADS,
        (Metric("roads", "example_id", "correct_of_two", ("condition", "asked"), ("answer",)),),
    ),
    "interchange": (
        schemas.INTERCHANGE,
        (Metric("interchange", "pair_id", "p_ordinal", ("outcome",), rows=_kept, layered=True),),
    ),
    "image_interchange": (
        schemas.IMAGE_INTERCHANGE,
        (Metric("image_interchange", "pair_id", "p_flipped", ("tokens", "vision"), rows=_kept, layered=True),),
    ),
    "probes": (
        schemas.PROBES,
        (Metric("probes", "example_id", "objects", ("arrangement", "site"), rows=_standard, layered=True),),
    ),
    "creg": (
        schemas.CREG,
        (
            Metric(
                "dae", "example_id", "dae", ("method", "target", "prompt"), ("answer",), _compass, better="less",
                drawn={"method": "creg", "target": "prediction"},
            ),
            Metric("dae_gain", "example_id", "gain", ("method", "target", "prompt"), ("answer",), _compass),
        ),
    ),
    "knockout": (
        schemas.KNOCKOUT,
        (Metric("knockout", "example_id", "correlation", ("form", "method"), rows=_methods),),
    ),
    "occlusion": (
        schemas.OCCLUSION,
        (Metric("cos", "example_id", "cos", ("variant", "prompt"), ("answer",), _occluded),),
    ),
    "flip": (
        schemas.FLIP,
        (Metric("mirror", "example_id", "r", ("method", "target", "prompt"), ("direction",), _mirrored),),
    ),
    "moved": (
        schemas.MOVED,
        (
            Metric(
                "followed", "example_id", "followed", ("method", "target", "prompt"), ("direction",), _methods,
                better="less",
            ),
        ),
    ),
    "amplify": (
        schemas.AMPLIFY,
        (
            Metric("corrected", "example_id", "corrected", ("form",), rows=_repaired(failures=True)),
            Metric("broken", "example_id", "broken", ("form",), rows=_repaired(failures=False), better="less"),
        ),
    ),
}  # fmt: skip
