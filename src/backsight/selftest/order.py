"""Controls of what follows order through a model: both interchanges, probes and the verdict on its pathways.

`staged` writes order into its object tokens below layer S and reads it there by content: image tokens enter without
position, until S the last token sees none of an object's tokens, and above S there is no position. So at the embeddings
a swap of object tokens changes nothing, at S it must flip the answer, and until S the last token can know what is asked
for and nothing of the objects. `background` keeps order in background tokens only; `language` reads rotary positions
and writes order into no token.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from backsight.maths.pathways import verdict
from backsight.measurements import (
    Backup,
    ImageInterchange,
    Interchange,
    Measurement,
    Pathways,
    ProbeMaps,
    Probes,
)
from backsight.models.small import tiny
from backsight.models.vlm import VLM
from backsight.results import RESULTS
from backsight.selftest.base import SIZES, Bench, Control, Seen, layers, reading_layer
from backsight.tables import Table
from backsight.training.questions import corpus

CLEARLY = 0.9  # of what must be nearly always so
HARDLY = 0.1  # of what must hardly ever be so
GUESS = 0.5  # of three positions a probe without any information gets a third; few pictures leave it some way off


def interchange(name: str) -> Control:
    """The ordinal window of the last token."""

    def judge(bench: Bench) -> Seen:
        vlm = bench.builtin(name)
        rows = bench.rows(vlm, Interchange(), bench.squares(vlm), bench.count("pairs"))
        seen = ordinal(standing_out(rows), curves(rows), reading_layer(vlm), f"builtin:{name}")
        return seen._replace(power=(*_with_fewer(rows, reading_layer(vlm), f"builtin:{name}", "ordinal"), *seen.power))

    return Control(
        "interchange", f"ordinal window, {name}",
        f"{name}: layer S, before which no object's token reaches the last one",
        f"{name}: layer 0 (the same token in both runs) and the last (the answer is made); "
        "the counterfactual answer at no layer up to S",
        judge, (name,),
    )  # fmt: skip


def ordinal(window: set[int], means: pd.DataFrame, at: int, model: str) -> Seen:
    """The ordinal window of a staged model from the layers named and the mean probabilities by layer."""
    if means.empty:
        return nothing_kept("no layer: the model answers no pair right")
    last, early = int(means.index.max()), float(means["p_counterfactual"].loc[:at].max())
    share = at_layer(means, "p_ordinal", at)
    return Seen(
        f"{named(window)} (S = {at}; ordinal {share:.2f} there)", at in window,
        f"{named(window & {0, last})} of 0 and {last}; counterfactual at most {early:.2f} up to S",
        not window & {0, last} and early <= HARDLY,
        (power(model, at, share, means),),
    )  # fmt: skip


def objects(name: str, *, removed: bool) -> Control:
    """Object tokens swapped, as the model is or after the vision encoder's pathway is ablated."""
    about = "object tokens swapped" + (" after removal" if removed else "")

    def judge(bench: Bench) -> Seen:
        vlm, other = bench.builtin(name), bench.builtin("language")
        measurement: Measurement = Backup() if removed else ImageInterchange()
        shown = [bench.rows(v, measurement, bench.squares(v), bench.count("pairs")) for v in (vlm, other)]
        mine, others = (standing_out(rows, tokens="objects") for rows in shown)
        quiet = not curves(shown[1], tokens="objects").empty
        at, model = reading_layer(vlm), f"builtin:{name}"
        seen = flips(mine, curves(shown[0], tokens="objects"), at, others, quiet, model)
        fewer = _with_fewer(shown[0], at, model, "flipped", tokens="objects")
        return seen._replace(power=(*fewer, *seen.power))

    return Control(
        "image_interchange", f"{about}, {name}",
        f"{name}: layer S, above which nothing but the tokens' own states tells their order",
        f"{name}: the embeddings, which hold no position, and the last; language: no layer, it writes order into none",
        judge, (name, "language"),
    )  # fmt: skip


def flips(mine: set[int], means: pd.DataFrame, at: int, others: set[int], measured: bool, model: str) -> Seen:
    """Where swapped object tokens flip a staged model and one that writes no order into tokens (`others`).

    `measured` says whether the other model answers any pair right: one that answers none shows nothing.
    """
    if means.empty or not measured:
        return nothing_kept("no layer: a model answers no pair right")
    share, last = at_layer(means, "p_flipped", at), int(means.index.max())
    return Seen(
        f"{named(mine)} (S = {at}; flips {share:.2f} there)", at in mine,
        f"{named(mine & {0, last})} of 0 and {last}; language: {named(others)}",
        not mine & {0, last} and not others,
        (power(model, at, share, means),),
    )  # fmt: skip


def strips() -> Control:
    """The paper's central result, strips and not objects, where it holds by construction."""

    def judge(bench: Bench) -> Seen:
        shown = [
            bench.rows(v, ImageInterchange(), bench.squares(v), bench.count("pairs"))
            for v in (bench.builtin("background"), bench.builtin("staged"))
        ]
        background, staged = ({t: curves(rows, tokens=t) for t in ("strips", "objects")} for rows in shown)
        return ground(background, staged)

    return Control(
        "image_interchange", "strips and not objects, background",
        "background: strips at the embeddings, whose background tokens alone hold order",
        "background: objects at the embeddings; staged: strips at the embeddings, which hold no position",
        judge, ("background", "staged"),
    )  # fmt: skip


def ground(background: Mapping[str, pd.DataFrame], staged: Mapping[str, pd.DataFrame]) -> Seen:
    """Strips and objects at the embeddings of both models, from mean probabilities by layer."""
    if background["strips"].empty or staged["strips"].empty:
        return nothing_kept("no layer: a model answers no pair right")
    share = {t: at_layer(background[t], "p_flipped", 0) for t in ("strips", "objects")}
    other = at_layer(staged["strips"], "p_flipped", 0)
    return Seen(
        f"flips {share['strips']:.2f}", share["strips"] >= CLEARLY,
        f"objects {share['objects']:.2f}; staged: strips {other:.2f}",
        share["objects"] <= HARDLY and other <= HARDLY,
    )  # fmt: skip


def probes(name: str) -> Control:
    """From which layer on a thing's position can be read from its tokens."""

    def judge(bench: Bench) -> Seen:
        vlm, other = bench.builtin(name), bench.builtin("vision")
        deep = bench.rows(vlm, Probes(method="logistic"), bench.squares(vlm), bench.count("pictures"))
        flat = Probes(method="logistic", deep=False)
        entering = bench.rows(other, flat, bench.squares(other), bench.count("pictures"))
        return readable(deep.frame, entering.frame, reading_layer(vlm))

    return Control(
        "probes", f"where order becomes readable, {name}",
        f"{name}: layer S, at which it is read; vision: the embeddings, into which the encoder writes it",
        f"{name}: the embeddings, which hold no position; anywhere with shuffled positions",
        judge, (name, "vision"),
    )  # fmt: skip


def readable(staged: pd.DataFrame, vision: pd.DataFrame, at: int) -> Seen:
    """Shares of object tokens given their position, from rows of Probes of both models."""
    shown = staged[staged["shown"] == "standard"]
    means = shown.groupby(["site", "layer"])[["objects", "objects_shuffled"]].mean()
    by_layer = means["objects"].to_dict()
    there, entering = (float(by_layer["resid_pre", layer]) for layer in (at, 0))
    embedded = float(vision["objects"].mean())
    mixed = max(float(means["objects_shuffled"].max()), float(vision["objects_shuffled"].mean()))
    return Seen(
        f"{there:.2f} at layer {at} = S; vision {embedded:.2f}", min(there, embedded) >= CLEARLY,
        f"{entering:.2f} at the embeddings; shuffled at most {mixed:.2f}; chance .33",
        max(entering, mixed) <= GUESS,
    )  # fmt: skip


def probe_maps() -> Control:
    """What the probe at the image embeddings says of each token."""

    def judge(bench: Bench) -> Seen:
        shown = [
            bench.rows(v, ProbeMaps(method="logistic"), bench.squares(v), bench.count("pictures"))
            for v in (bench.builtin("vision"), bench.builtin("staged"))
        ]
        return mapped(*(rows.frame for rows in shown))

    return Control(
        "probe_maps", "object tokens of the map",
        "vision: object tokens are given their own position", "staged: no better than chance, the embeddings hold none",
        judge, ("vision", "staged"),
    )  # fmt: skip


def mapped(vision: pd.DataFrame, staged: pd.DataFrame) -> Seen:
    """Shares of object tokens given their own position, from rows of ProbeMaps of both models."""
    own, other = (
        float(rows.loc[(rows["object"] == rows["place"]).fillna(False), "share"].mean()) for rows in (vision, staged)
    )
    return Seen(f"{own:.2f}", own >= CLEARLY, f"{other:.2f}; chance .33", other <= GUESS)


def pathway(name: str) -> Control:
    """The verdict on where position comes from; `both` is decided by many questions only."""

    def judge(bench: Bench) -> Seen:
        vlm = bench.builtin(name)
        blank = VLM(*tiny("qwen2_vl", corpus()))
        sides = [
            verdict(bench.rows(v, Pathways(shuffles=2), bench.squares(v), bench.count("rows"))).source
            for v in (vlm, blank)
        ]
        return judged(name, *sides)

    return Control(
        "pathways", f"verdict on {name}",
        f"{name}: {name}, by how it was trained", "random weights: cannot tell",
        judge, (name,), ("full",) if name == "both" else ("small", "full"),
    )  # fmt: skip


def judged(name: str, source: str, blank: str) -> Seen:
    """The verdicts on a model that is called by its answer, and on random weights."""
    return Seen(source, source == name, blank, blank == "cannot tell")


def standing_out(rows: Table, **of: str) -> set[int]:
    """The layers that a report would name for some rows of an interchange, over all directions."""
    result = RESULTS[rows.schema.name]
    assert result.summary is not None
    named_by = result.further[0].make(result.summary.make(rows)).frame
    chosen = named_by[named_by["direction"] == "all"]
    for column, value in of.items():
        chosen = chosen[chosen[column] == value]
    return {layer for spans in chosen["layers"].dropna() for layer in layers(spans)}


def curves(rows: Table, **of: str) -> pd.DataFrame:
    """The mean probability of each outcome by layer over the kept pairs of some rows, with their number."""
    frame = rows.frame[rows.frame["kept"].fillna(False).astype(bool)]
    for column, value in of.items():
        frame = frame[frame[column] == value]
    outcomes = [column for column in frame.columns if str(column).startswith("p_")]
    grouped = frame.groupby(frame["layer"].astype("Int64"))
    means = grouped[outcomes].mean().astype(float)
    return means.assign(pairs=grouped["pair_id"].nunique())


def at_layer(means: pd.DataFrame, outcome: str, layer: int) -> float:
    """The mean probability of an outcome at a layer."""
    return float(means[outcome].to_dict()[layer])


def power(model: str, layer: int, share: float, means: pd.DataFrame) -> dict[str, Any]:
    """How often a positive control showed its outcome at its layer, with how many pairs."""
    return {"model": model, "layer": layer, "share": round(share, 4), "pairs": int(means["pairs"].max())}


def _with_fewer(rows: Table, at: int, model: str, outcome: str, **of: str) -> list[dict[str, Any]]:
    """The same power with only the first of the pairs, as many as other studies have."""
    pairs = list(dict.fromkeys(rows.frame["pair_id"]))
    entries = []
    for count in (size["pairs"] for size in SIZES.values() if size["pairs"] < len(pairs)):
        means = curves(Table(rows.schema, rows.frame[rows.frame["pair_id"].isin(pairs[:count])]), **of)
        if not means.empty:
            entries.append(power(model, at, at_layer(means, f"p_{outcome}", at), means))
    return entries


def named(window: set[int]) -> str:
    """Layers in words."""
    from backsight.maths.grouping import spans

    if not window:
        return "no layer"
    return f"layer{'s' if len(window) > 1 else ''} {spans(sorted(window))}"


def nothing_kept(words: str) -> Seen:
    """Where a model answers no pair right neither side is shown."""
    return Seen(words, False, words, False)


CONTROLS: tuple[Control, ...] = (
    *(pathway(name) for name in ("vision", "language", "both")),
    interchange("staged"),
    interchange("staged-2"),
    probes("staged"),
    probe_maps(),
    objects("staged", removed=False),
    objects("staged-2", removed=False),
    objects("staged", removed=True),
    strips(),
)
