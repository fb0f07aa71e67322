"""What the page says of causal occlusion: the claim, what it stands beside, a sentence a suite, the tables."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from backsight.maths.relevance import CHOICE, FLOOR, LEADING, NULL, TRUTH
from backsight.results.drawing.style import counted
from backsight.results.pages.content import Grid, Statement
from backsight.results.pages.study import Study
from backsight.results.pages.wording import decimal, unbroken, with_interval
from backsight.results.relevance.cells import (
    Cells,
    Row,
    Said,
    leading_rows,
    missing_reason,
    none_shown,
    place_words,
    table,
)  # fmt: skip
from backsight.results.relevance.claims import Finding, Wording, over_all, side
from backsight.results.relevance.words import by_prompt, said_method

FIRST_VARIANT = "gray"  # the one that is taken on all pictures
VARIANT_WORDS = {
    FIRST_VARIANT: "Gray, to the picture's edge",
    "mean colour": "Mean colour",
    "blur": "Blurred",
    "noise": "Noise",
    "tokens": "Tokens",
    "gray, up to r_max": "Gray, up to r_max",
    "gray, boxes spared": "Gray, boxes spared",
    "gray, equal areas": "Gray, equal areas",
}
CAPTION = (
    "How much more log p of the model's choice falls with a sector hidden than with the opposite one (filled) and than "
    "with its two neighbours (hollow), with 95 % intervals; further right: the answer needs the sector more. A "
    "method's sector is its own peak; the true sector is the subject's."
)
METHOD = (
    "Occlusion: a compass sector is filled with gray from the reference's centre to the picture's edge, and the change "
    "of log p is read, of the correct answer for the true sector and of the model's choice for a method's own sector. "
    "COS is the change with the opposite sector hidden less that with the sector itself hidden (equation 8; "
    "table 4 for the true sector, section 5.4 for the indicated one). A question on which a method's peak is tied is "
    "left out for it. What fills a sector and how far it reaches, the paper leaves open: variants are taken on a part "
    "of the pictures."
)
LIMITS = (
    "The true sector holds the subject: that hiding it costs more than hiding what lies across shows that the subject "
    "is needed, not that its direction is. Against the neighbours is stricter, and so are spared boxes.",
    "Gray is a picture that the model may not know, and larger sectors hide more.",
)
NOTE = (
    "Log p of the model's choice. Improvement: COS less that of uniform relevance's own sector, on the questions where "
    "both have one peak. Scores of the correct answer are in the file."
)
VARIANTS_NOTE = (
    "COS of log p among the options; over the whole vocabulary it is in the file. Tokens: no other position sees the "
    "sector's image tokens, and nothing is filled."
)
COSTS = Wording(
    above="points at a sector that the answer needs more than that of uniform relevance",
    below="points at a sector that the answer needs less than that of uniform relevance",
    none="points at a sector that the answer needs no more than that of uniform relevance",
    unsure="is not shown to point at a sector that the answer needs more than that of uniform relevance",
    it="it is needed more",
    not_shown="more is not shown",
    value="improvement in COS",
    values="improvements",
)


def say(study: Study, rows: Sequence[Row]) -> Said:
    """Whether the answer needs CREG's sector more than that of uniform relevance, and the true one more than others."""
    plain = _plain(rows)
    indicated = [row for row in plain if (row["sector"], row["of"]) == ("indicated", CHOICE)]
    true = [row for row in plain if (row["sector"], row["of"]) == ("true", TRUTH)]
    mine = leading_rows(indicated)
    missing = none_shown(study, mine or true, "Whether the answer needs a method's sector is not shown:", "picture")
    given = [row for row in mine if not row["omitted"] and row["gain"] is not None]
    own = tuple(_indicated(study, row) for row in given)
    known = [row for row in true if not row["omitted"]]
    statements = (*own, *(_true(study, row) for row in known))
    if not given:
        claim = "".join(one.text for one in missing)
        return Said(claim or "".join(one.text for one in statements[:1]), "", () if claim else statements[1:])
    findings = [
        Finding(f"on {_title(study, row)}", row["gain"], row["gain_low"], row["gain_high"],
                with_interval(row["gain"], row["gain_low"], row["gain_high"]), decimal(row["gain"]))
        for row in given
    ]  # fmt: skip
    claim = over_all(said_method(given[0]["method"]), COSTS, findings)
    return Said(claim, null_of(indicated), (*statements, *missing))


def _plain(rows: Sequence[Row]) -> list[Row]:
    """The rows of the first variant, of log p among the options."""
    return [row for row in rows if row["variant"] == rows[0]["variant"] and row["over"] == "options"]


def _title(study: Study, row: Row) -> str:
    return place_words(study, (row["suite"], row["prompt"]))


def null_of(rows: Sequence[Row]) -> str:
    """COS of the sector that uniform relevance points at; empty without numbers."""
    of = [row["score"] for row in rows if row["method"] == NULL and row["score"] is not None]
    if not of:
        return ""
    low, high = decimal(min(of)), decimal(max(of))
    scores = low if low == high else f"{low} to {high}"
    return f"Hiding the sector of uniform relevance, which knows nothing but both boxes, gives a COS of {scores}."


def _indicated(study: Study, row: Row) -> Statement:
    """One suite: the score of CREG's own sector, and how it compares with that of uniform relevance."""
    score = with_interval(row["score"], row["low"], row["high"])
    gain = with_interval(row["gain"], row["gain_low"], row["gain_high"])
    text = (
        f"On {_title(study, row)}, log p of the choice loses {score} more with the sector hidden that "
        f"{said_method(row['method'])} points at than with the opposite one (COS); improvement over uniform relevance "
        f"{gain} ({counted(row['questions'], 'question')})."
    )
    null = row["score"] - row["gain"]
    return Statement(text, row["suite"], 1.0 if null <= 0 or row["gain"] <= 0 else null / row["score"])


def _true(study: Study, row: Row) -> Statement:
    """One suite: whether the answer needs the subject's own sector more than the opposite one and its neighbours."""
    across, beside = side(row["low"], row["high"]), side(row["adjacent_low"], row["adjacent_high"])
    words = {"above": "a larger", "below": "a smaller", "over": "not shown to be a larger"}
    score = with_interval(row["score"], row["low"], row["high"])
    against = with_interval(row["against_adjacent"], row["adjacent_low"], row["adjacent_high"])
    text = (
        f"On {_title(study, row)}, hiding the object's own sector changes log p of the correct answer by "
        f"{decimal(row['change'])}: {words[across]} loss than hiding the opposite one (COS {score}), {words[beside]} "
        f"loss than hiding its neighbours ({against}; {counted(row['questions'], 'question')})."
    )
    return Statement(text, row["suite"], {"above": 0.0, "over": 0.5, "below": 1.0}[beside])


def tables(study: Study, rows: Sequence[Row]) -> Iterator[Grid]:
    """COS of the sectors that methods indicate, then of the true sector and of CREG's under every variant."""

    def cells(of: Sequence[Row]) -> Cells:
        (row,) = of
        if missing := missing_reason(row):
            return missing, "–", "–", str(row["questions"])
        gain = "–" if row["gain"] is None else with_interval(row["gain"], row["gain_low"], row["gain_high"])
        return (*_both(row), gain, str(row["questions"]))

    indicated = [row for row in _plain(rows) if (row["sector"], row["of"]) == ("indicated", CHOICE)]
    numbers = ("COS", "Against neighbours", "Improvement", "Questions")
    title = "Occlusion of the sector that a method indicates"
    yield from table(
        study, [r for r in indicated if r["method"] != FLOOR], title, numbers, cells, NOTE, "occlusion_summary"
    )
    yield from _variants(study, rows)


def _both(row: Row) -> Cells:
    """COS, and the score against the neighbours."""
    against = with_interval(row["against_adjacent"], row["adjacent_low"], row["adjacent_high"])
    return with_interval(row["score"], row["low"], row["high"]), against


def _variants(study: Study, rows: Sequence[Row]) -> Iterator[Grid]:
    """COS of the true sector and of CREG's under every variant that has numbers, where there are several."""
    lines, suites = [], []
    for place, group in by_prompt(rows).items():
        for sector, method, of, words in (("true", None, TRUTH, "true"), ("indicated", LEADING, CHOICE, "CREG's")):
            for row in group:
                about = (row["sector"], row["method"], row["of"], row["over"])
                if about != (sector, method, of, "options") or row["omitted"] or row["target"] not in (None, of):
                    continue
                variant = unbroken(VARIANT_WORDS.get(row["variant"], str(row["variant"])))
                lines.append((unbroken(place_words(study, place)), words, variant, *_both(row), str(row["questions"])))
                suites.append(place[0])
    if len({line[2] for line in lines}) > 1:
        columns = ("Suite", "Sector", "Variant", "COS", "Against neighbours", "Questions")
        yield Grid("Occlusion under every variant", columns, tuple(lines), words=3, folded=True, note=VARIANTS_NOTE,
                   files=study.files("occlusion_summary"), suites=tuple(suites))  # fmt: skip
