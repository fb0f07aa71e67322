"""The fixed words of the page; whatever depends on a number is in `page`."""

from __future__ import annotations

from backsight.results.projector.tables import LONG

INTRODUCTION = f"""# A norm behind the projector

"Beyond Semantics" ([2503.17349](https://arxiv.org/abs/2503.17349)) trains a projector that ends in a norm: RMSNorm with
a learned weight, a cut of each embedding's length (at 1.22, the largest length of a text embedding of LLaMA), and a
scale (.83, their mean length). Here it is trained against the plain projector: equal first weights but for the factor
below, equal batches, equal numbers of steps, equal seeds.

| Recipe | Projector |
|---|---|
| `projector-plain` | that of Qwen2-VL: LayerNorm and two linear layers |
| `projector-large` | the same; its last layer is multiplied at the start: embeddings are {LONG:g} times as long |
| `projector-normed` | that of `projector-plain` with the norm behind it |

`projector-large` is there because a fresh projector starts near the length of text embeddings, and image embeddings of
LLaVA have lengths of 10 to 1000 where those of text have .3 to 1, as the paper reports: started {LONG:g} times as long,
they have what the norm is to mend. Lengths of text are those of the tokens of the prompts that training asks, each as
often as it stands there.

The model is `builtin:plain`, a Qwen2-VL with 12x12 image tokens, with a new projector. Only the projector (and the
weight of the norm) is trained, as in LLaVA's first stage. The vision encoder and the language model stay, and with them
the rotary positions that the language model learned. Seeds change the projector's first weights, the batches and the
test's pictures; the model around it is one, so intervals say nothing of other language models.

Pictures hold three squares in a row or a column. *Where*: a relation, read between the two outer squares (chance 1/2).
*What*: which of two colors is there, read between the two (chance 1/2). Training shows each triple of colors in both
orders, and the test asks each row again in reversed order: a model that knows which colors are there and nothing of
their order answers exactly half of *where*, so that what is learned of *what* does not count as *where*. The test's
scenes are drawn anew; the triples are those of training.
"""
CARRIED = """## How it is carried

No supported architecture has a norm at the end of its projector: Gemma-3's RMSNorm stands before its linear layer, the
Qwen-VL mergers end in a linear layer, and PaliGemma's projector is one. A scale by itself folds into that last layer.
RMSNorm and the cut depend on each embedding's length and fold into nothing. So the weight stands in the checkpoint's
safetensors under `backsight_additions.projector`, cut and scale in its config.json, and `backsight.load` puts the norm
back. Plain transformers opens the same files without it, and then it is another model.

The two lengths are measured on the text embeddings of `builtin:plain` before the first step, over the prompts that
training asks: tokens of the vocabulary that no training reads keep the length that they started with, which says
nothing of text. They do not move, because the language model is not trained. Where it is trained along, cut and scale
stay as they were at the start.

As published, the formula multiplies two lengths (1.22 and .83), so it depends on the unit. With LLaMA's the longest
image embedding is 1.22 x .83 = 1.01, which is 1.22 times the mean text embedding. In another unit the product would be
another multiple of it. So the cut is taken in units in which the mean length is .83, as LLaMA's: the largest length x
.83 / mean. Then the longest image embedding is .83 x the largest text embedding; with LLaMA's lengths this is the
published formula.
"""
OTHER = """This is a change in training. `norm_rescale` ([repairs](../repairs.md)) rescales the embeddings of a finished
model at inference time; what that gains on these models is the last line of the tables, and it is another intervention.
"""
LIMITS = """One small language model, one set of colored squares, one short training. A projector that starts longer
also changes more slowly in relation to its weights, and a norm makes any training better conditioned:
neither is special to position. So the sentence on suppression is tested against *what* too, and the other
differences of *where* are to be read beside those of *what*. A gap between *what* and *where* is left by
any training that ends early: the sentence on the partial fix therefore also asks that the norm mends
something. With image tokens shuffled, answers are read between the two outer squares; an index is omitted
for a seed whose accuracy in order is not told from chance.
"""
COMMANDS = """## Commands

<!-- parsed only: trains nine models, which takes minutes -->
```bash
backsight train projector-normed --out normed-0 --seed 0     # one model
python benchmarks/projector.py DIR --docs docs/results       # all models, the tables, the figure and this page
```
"""
