"""A plan needs no model: facts that were stored give the same jobs, and a job that was sent gives the same table."""

from __future__ import annotations

import pickle
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from backsight import stimuli
from backsight.errors import CannotAnswer, StudyError, UsageError
from backsight.examples import Example, ExampleSet
from backsight.measurements import Behaviour, Interchange
from backsight.models.facts import ModelFacts
from backsight.models.flops import Flops
from backsight.models.opening import load
from backsight.models.sizes import facts
from backsight.models.vlm import VLM
from backsight.studies import Executor, Job, Options, Serial, Store, Study, default_sets, plan
from backsight.studies.defaults import MEASUREMENTS
from backsight.studies.executors import Done, Progress
from backsight.studies.jobs import choices, planned, questions

# A measurement of one's own, in a file that imports no torch.
OWN = """
from dataclasses import dataclass
from typing import ClassVar
from backsight.measurements import Measurement
from backsight.tables import Schema

@dataclass(frozen=True)
class Lengths(Measurement):
    schema: ClassVar[Schema] = Schema("lengths", {"example_id": "str", "tokens": "int"})
    def check(self, facts, samples):
        facts.check_options(samples)
    def rows(self, vlm, samples):
        mask = vlm.prepare(samples).attention_mask
        return [{"example_id": e.id, "tokens": int(n)} for e, n in zip(samples, mask.sum(1))]
"""
TOLD = "[(j.name, j.key, j.cost, j.bytes, j.batches) for j in jobs], [tuple(vars(s).values()) for s in skipped]"
# Stands for a machine without torch, and without transformers.
WITHOUT_TORCH = f"""
import pickle, sys
sys.modules["torch"] = sys.modules["transformers"] = None
sys.path.insert(0, sys.argv[1])
from lengths import Lengths
from backsight import stimuli
from backsight.studies import plan
facts = pickle.load(open(sys.argv[2], "rb"))
jobs, skipped = plan(facts, [stimuli.squares(facts.grid), stimuli.pairs(facts.grid)], [Lengths(batch=3)], limit=7)
sys.stdout.buffer.write(pickle.dumps(({TOLD})))
"""
WITHOUT_MODEL = f"""
import pickle, sys
from backsight.models.vlm import VLM
def refuse(*_, **__): raise SystemExit("a model was opened")
VLM.__init__ = refuse
from backsight.studies import default_sets, plan
from backsight.studies.defaults import MEASUREMENTS
facts = pickle.load(open(sys.argv[1], "rb"))
sets, skipped = default_sets(facts)
jobs, skipped = plan(facts, sets, MEASUREMENTS, limit=8, skipped=skipped)
sys.stdout.buffer.write(pickle.dumps(({TOLD})))
"""


def told(jobs: Sequence[Job], skipped: Sequence[Any]) -> tuple[list[Any], list[Any]]:
    """What a plan says, as the other process writes it."""
    return (
        [(j.name, j.key, j.cost, j.bytes, j.batches) for j in jobs],
        [tuple(vars(s).values()) for s in skipped],
    )


def elsewhere(code: str, *arguments: Path) -> Any:
    """What another process writes, unpickled."""
    done = subprocess.run([sys.executable, "-c", code, *map(str, arguments)], capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()
    return pickle.loads(done.stdout)


def test_stored_facts_give_the_same_jobs_without_torch(
    tiny_vlm: VLM, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "lengths.py").write_text(OWN)
    monkeypatch.syspath_prepend(str(tmp_path))
    from lengths import Lengths  # type: ignore[import-not-found]

    sets = [stimuli.squares(tiny_vlm.grid), stimuli.pairs(tiny_vlm.grid)]
    chosen = choices(sets, [Lengths(batch=3)], limit=7)
    known = facts(tiny_vlm, questions(chosen, tiny_vlm.grid))
    (tmp_path / "facts").write_bytes(pickle.dumps(known))
    expected = told(*planned(known, chosen))
    assert [name for name, *_ in expected[0]] == ["lengths/squares", "lengths/pairs"]
    assert elsewhere(WITHOUT_TORCH, tmp_path, tmp_path / "facts") == expected


def test_stored_facts_give_the_default_study_without_a_model(tiny_vlm: VLM, tmp_path: Path) -> None:
    sets, skipped = default_sets(tiny_vlm)
    chosen = choices(sets, MEASUREMENTS, limit=8, skipped=skipped)
    known = facts(tiny_vlm, questions(chosen, tiny_vlm.grid))
    (tmp_path / "facts").write_bytes(pickle.dumps(known))
    jobs, cannot = planned(known, chosen)
    assert len(jobs) > 30
    assert elsewhere(WITHOUT_MODEL, tmp_path / "facts") == told(jobs, cannot)
    for job in jobs:
        sent = pickle.loads(pickle.dumps(job))
        assert (sent.key, sent.batches, sent.samples.fingerprint) == (job.key, job.batches, job.samples.fingerprint)


def squares(vlm: VLM, limit: int = 5) -> tuple[ModelFacts, list[Job]]:
    """Facts, and jobs of squares in batches of two."""
    sets, measurements = [stimuli.squares(vlm.grid)], [Behaviour(batch=2), Interchange(batch=2)]
    known = facts(vlm, questions(choices(sets, measurements, limit=limit), vlm.grid))
    return known, plan(known, sets, measurements, limit=limit)[0]


def test_facts_are_what_the_model_says(tiny_vlm: VLM) -> None:
    examples = stimuli.squares(tiny_vlm.grid).limit(6)
    known = facts(tiny_vlm, examples)
    assert (known.n_layers, known.fingerprint, known.dtype) == (tiny_vlm.n_layers, tiny_vlm.fingerprint, "float32")
    assert known.grid.size == tiny_vlm.grid.size and known.seen == tiny_vlm.seen
    asked = examples[0].options
    assert [list(ids) for ids in known.token_options(asked) or ()] == tiny_vlm.options(asked)
    assert known.token_options((asked[0], asked[0])) is None  # two options that share a token
    batch = tiny_vlm.prepare(examples)
    sizes = known.sizes(examples)
    assert (sizes.tokens, sizes.image_tokens) == (batch.input_ids.shape[1], len(tiny_vlm.grid))
    assert len(examples) * sizes.inputs == sum(v.nbytes for v in batch.inputs.values())


def test_facts_say_what_they_were_not_made_for(tiny_vlm: VLM) -> None:
    examples = stimuli.squares(tiny_vlm.grid).limit(2)
    known = facts(tiny_vlm, examples, priced=False)
    other = replace(examples[0], id="other", question="Who is it?")
    with pytest.raises(UsageError, match="The facts of a model say nothing of this question") as caught:
        known.sizes([other])
    assert caught.value.got == ("Who is it?", other.system) and "`asked`" in str(caught.value.do)
    with pytest.raises(UsageError, match="say nothing of this option"):
        known.token_options(("heaven", "hell"))
    with pytest.raises(UsageError, match="These facts were made without costs"):
        known.private()
    with pytest.raises(UsageError, match="These facts were made without costs"):
        known.equivalents(known.call(examples), Flops())


def test_facts_refuse_what_the_tokenizer_cannot_tell_apart(colourless_checkpoint: Path) -> None:
    vlm = load(colourless_checkpoint, device="cpu")
    examples = stimuli.squares(vlm.grid).limit(3)
    with pytest.raises(CannotAnswer, match="The tokenizer has no single token for some options") as caught:
        facts(vlm, examples).check_options(examples)
    assert caught.value.where == "suite squares" and "red" in str(caught.value.got)


def test_the_key_of_a_job_changes_with_what_its_rows_depend_on(tiny_vlm: VLM) -> None:
    known, jobs = squares(tiny_vlm)
    keys = {job.key for job in jobs}
    for other in (
        replace(known, device="cuda:0"), replace(known, dtype="bfloat16"), replace(known, fingerprint="f"),
        replace(known, attention="eager"),
    ):  # fmt: skip
        again = {Job.of(other, job).key for job in jobs}
        assert len(again) == 2 and not again & keys
    assert {Job.of(known, job).key for job in jobs} == keys
    assert Job.of(known, replace(jobs[0], measurement=Behaviour(batch=3))).key not in keys


def test_a_job_that_was_sent_gives_the_same_table(tiny_vlm: VLM, tmp_path: Path) -> None:
    _, jobs = squares(tiny_vlm)
    here, there = Store(tmp_path / "here", {}), Store(tmp_path / "there", {})
    Serial(tiny_vlm).run(jobs, here)
    Serial(tiny_vlm).run(pickle.loads(pickle.dumps(jobs)), there)
    for job in jobs:
        name = f"{job.table}.parquet"
        assert (here.tables / name).read_bytes() == (there.tables / name).read_bytes()


def test_a_job_of_another_model_is_refused(tiny_vlm: VLM, tmp_path: Path) -> None:
    known, jobs = squares(tiny_vlm)
    other = Job.of(replace(known, fingerprint="f", name="another"), jobs[0])
    with pytest.raises(StudyError, match="A job was planned for another model") as caught:
        Serial(tiny_vlm).run([other], Store(tmp_path / "out", {}))
    assert (caught.value.where, caught.value.got) == ("behaviour/squares", "another")


class Backwards(Executor):
    """The last job first."""

    def __init__(self, vlm: VLM) -> None:
        self.serial, self.ran = Serial(vlm), list[str]()

    def run(self, jobs: Sequence[Job], store: Store, progress: Progress | None = None) -> list[Done]:
        done = {}
        for job in reversed(jobs):
            self.ran.append(job.name)
            done[job.name] = self.serial.run([job], store, progress)[0]
        return [done[job.name] for job in jobs]


def test_a_study_is_run_by_the_executor_that_it_is_given(tiny_vlm: VLM, tmp_path: Path) -> None:
    sets, options = [stimuli.squares(tiny_vlm.grid)], Options(limit=4)
    measurements = (Behaviour(), Interchange())
    backwards = Backwards(tiny_vlm)
    one = Study(tiny_vlm, sets, tmp_path / "one", options, measurements, executor=backwards).run()
    other = Study(tiny_vlm, sets, tmp_path / "other", options, measurements).run()
    assert backwards.ran == ["interchange/squares", "behaviour/squares"]
    for path in (one / "tables").iterdir():
        assert path.read_bytes() == (other / "tables" / path.name).read_bytes()


def test_lists_of_examples_and_the_largest_number_of_samples(tiny_vlm: VLM) -> None:
    examples = stimuli.squares(tiny_vlm.grid).limit(9)
    table = Behaviour(gray=False)(tiny_vlm, list(examples))
    assert len(table) == 9 and table.provenance["samples"] == "given"
    assert len(Behaviour(gray=False, max_samples=8)(tiny_vlm, examples)) == 8
    pairs = stimuli.squares(tiny_vlm.grid).pairs("last_token").limit(2)
    assert Interchange()(tiny_vlm, list(pairs)).provenance["samples"] == "given"
    wrong: tuple[Any, ...] = (["a", "b"], [], [examples[0], pairs[0]])
    for given in wrong:
        with pytest.raises(UsageError, match="These are no samples that can be measured") as caught:
            Behaviour()(tiny_vlm, given)
        assert caught.value.do == "give an ExampleSet, a PairSet, or a list of Example or Pair"
    with pytest.raises(UsageError, match="Behaviour takes an example set"):
        Behaviour()(tiny_vlm, list(pairs))


def test_names_are_shown(tiny_vlm: VLM) -> None:
    import backsight.measurements
    import backsight.studies

    assert {"Study", "plan", "Executor"} <= set(dir(backsight.studies))
    assert {"Behaviour", "measure"} <= set(dir(backsight.measurements))
    assert all(hasattr(backsight.measurements, name) for name in dir(backsight.measurements))


def test_a_set_of_one_example_is_a_set(tiny_vlm: VLM) -> None:
    one = stimuli.squares(tiny_vlm.grid)[0]
    assert isinstance(one, Example)
    assert len(Behaviour(gray=False)(tiny_vlm, one)) == 1  # type: ignore[arg-type]
    assert Behaviour(gray=False)(tiny_vlm, ExampleSet("mine", (one,))).provenance["samples"] == "mine"
