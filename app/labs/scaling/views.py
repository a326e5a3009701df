"""The views of the Scaling page that look into one run: scales, gap to words, learning rate."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import streamlit as st

from app.figures import scaling as figures
from app.figures import scaling_word_gaps
from app.labs.scaling import findings, selection
from app.labs.scaling.selection import LAB, ScalingSubject
from app.state import cache
from app.ui.charts import picture
from app.ui.frame import Frame
from app.ui.subject import Choice
from app.ui.widgets import escape_markdown, table_with_download
from peftcore.analysis import best_steps, scaling
from peftcore.analysis.layer_similarity import GAP_TITLES
from peftcore.labs.scaling import ablations, readout

OPTIMISERS = {"adamw": "AdamW", "adafactor": "Adafactor"}

if TYPE_CHECKING:
    from streamlit.delta_generator import DeltaGenerator

    from peftcore.labs.scaling.readout import NearestWords, SoftPromptHistory, SoftPromptReadout
    from peftcore.runs.store import Run


def show_scales(frame: Frame, subject: ScalingSubject) -> None:
    """The scales through training, at a chosen step, over all seeds, and the drift they cause."""
    soft_prompt, seed_index = selection.soft_prompt_readout(subject.run), subject.seed
    steps, scale = soft_prompt.history.steps, soft_prompt.history.scale[:, seed_index]
    frame.say(*findings.scales_finding(subject, soft_prompt.final.scale[seed_index]))
    step = steps[-1]
    with frame.side:
        if len(steps) > 1:
            step = Choice(LAB, "step", "Step", steps, first=steps[-1]).as_slider()
    frame.explain(
        "A soft token is a trained vector that the base reads before the words of the input. "
        "Scaled prompt tuning trains one more number for each, its scale, which multiplies the "
        "vector: above one (blue) the token gets longer, below one (orange) shorter."
    )
    with frame.picture:
        if subject.run.spec.method != ablations.SCALED_METHOD:
            st.info(
                "This run has no scales: every scale is one. Choose a run of scaled prompt tuning."
            )
        if len(steps) > 1:
            picture(
                figures.scale_heatmap(scale, steps, step),
                key="scaling.course",
                name=f"{subject.run.id}-scales",
                alt=figures.scale_heatmap_alt(scale, steps),
                table=figures.scale_heatmap_table(scale, steps),
            ).caption(findings.quiet_line(subject))
        else:
            st.info("This run kept no steps on its way, so only its end can be shown.")
    with frame.below:
        _show_scales_at(subject, soft_prompt, step)


def _show_scales_at(subject: ScalingSubject, soft_prompt: SoftPromptReadout, step: int) -> None:
    """Lengths of tokens at a step, scales of all seeds, and the drift they cause."""
    steps, seed_index = soft_prompt.history.steps, subject.seed
    step_index = steps.index(step)
    scale_and_tokens = (
        soft_prompt.history.scale[step_index, seed_index],
        soft_prompt.history.before[step_index, seed_index],
    )
    picture(
        figures.token_lengths_chart(
            *scale_and_tokens, soft_prompt.words.vectors, f"{subject.chart_title}, step {step}"
        ),
        key="scaling.tokens",
        name=f"{subject.run.id}-tokens",
        alt=figures.token_lengths_alt(*scale_and_tokens, soft_prompt.words.vectors),
        table=figures.token_lengths_table(*scale_and_tokens),
    )
    st.caption(
        "Steps on the way are kept in half precision. The adapter that answers is the one of the "
        f"step with the {best_steps.kept_by([subject.run.spec.training])}, for each seed its own; "
        "the charts below show it."
    )
    final = soft_prompt.final.scale
    picture(
        figures.scale_histogram(final),
        key="scaling.histogram",
        name=f"{subject.run.id}-histogram",
        alt=figures.scale_histogram_alt(final),
        table=_ranked_scales(final, soft_prompt.final.seeds),
    )
    _show_drift(subject.run, soft_prompt.history)


def _ranked_scales(scale: np.ndarray, seeds: tuple[int, ...]) -> pd.DataFrame:
    """Every token of every seed, largest scale first."""
    rows = [
        {"seed": seed, "token": token + 1, "scale": float(value)}
        for seed, values in zip(seeds, scale, strict=True)
        for token, value in enumerate(values)
    ]
    return pd.DataFrame(rows).sort_values("scale", ascending=False, ignore_index=True)


def _find_plain_run(run: Run) -> Run | None:
    if run.spec.method != ablations.SCALED_METHOD:
        return None
    return ablations.find_unscaled_run(run, cache.run_store())


def _show_drift(run: Run, history: SoftPromptHistory) -> None:
    """Show how far the product went from plain prompt tuning of the same seeds."""
    st.subheader("Drift from prompt tuning", anchor=False)
    plain_run = _find_plain_run(run)
    if plain_run is None or len(history.steps) < 2:
        st.caption(
            "Needs kept steps of this run and of prompt tuning with the same settings and seeds: "
            "the view Ablations queues the missing run."
        )
        return
    steps, first, second = readout.shared_history(history, selection.prompt_history(plain_run))
    lines = {
        "Between the two prompts": scaling.path_distance(first, second).mean(-1),
        "Scaled prompt, from its start": scaling.distance_from_start(first).mean(-1),
        "Prompt tuning, from its start": scaling.distance_from_start(second).mean(-1),
    }
    picture(
        figures.drift_lines(steps, lines),
        key="scaling.drift",
        name=f"{run.id}-drift",
        alt=figures.lines_alt(steps, lines, "Distance in embedding space, mean over tokens"),
        table=figures.lines_table(steps, lines),
    )
    st.caption(
        "Equal seeds begin at equal prompts and read equal batches, so the distance between the "
        "two starts at zero. Bands are 95 % intervals of other seeds."
    )


def show_word_gap(frame: Frame, subject: ScalingSubject) -> None:
    """Soft tokens against words really in the data, before and after scaling."""
    soft_prompt = selection.soft_prompt_readout(subject.run)
    seed_gaps = [(each.seed, each.before, each.after) for each in selection.word_gaps(subject.run)]
    frame.say(*findings.gap_finding(subject, selection.word_gaps(subject.run)))
    with frame.picture:
        picture(
            scaling_word_gaps.word_gap_panels(seed_gaps),
            key="scaling.gaps",
            name=f"{subject.run.id}-gap",
            alt=scaling_word_gaps.word_gap_alt(seed_gaps),
            table=scaling_word_gaps.word_gap_table(seed_gaps),
        ).caption(findings.quiet_line(subject))
    frame.explain(
        "Marks are prompts before and after scaling, one for each seed. Dashed: what equal samples "
        "would have; grey band: 95 % of random exchanges of rows between prompt and words."
    )
    notes = "; ".join(f"{each.title}: {each.note}" for each in scaling.MEASURES.values())
    with frame.more():
        st.caption(
            escape_markdown(
                f"{notes}. Words are the {len(soft_prompt.words.names)} distinct ones in this "
                f"run's training examples, up to {readout.SAMPLE_SIZE} of them sampled. What a "
                "representation gap is has not been defined in print; these are proposals."
            )
        )
    with frame.below:
        _show_word_plane(subject, soft_prompt)


def show_layer_gap(frame: Frame, subject: ScalingSubject) -> None:
    """Soft tokens against words in every layer, while the base reads test examples."""
    found = selection.layer_gaps(subject.run)
    frame.say(*findings.layer_gap_finding(subject, found))
    first, *others = (
        (name, title, np.array(found.values(name))) for name, title in GAP_TITLES.items()
    )
    with frame.picture:
        _layer_picture(subject, *first).caption(
            findings.quiet_line(subject, f"scaling {subject.run.id} --layers", every_seed=True)
        )
    frame.explain(
        "States of soft tokens against those of the words they stand before, layer by layer; layer "
        "0 is what enters the stack. The unit is the mean length of words in the same layer. Bands "
        f"are 95 % intervals of other seeds; {found.examples} test examples were read."
    )
    with frame.below:
        for each in others:
            _layer_picture(subject, *each)
        st.caption(
            "What a representation gap is has not been defined in print; these are proposals. The "
            "last layer is measured behind the final norm."
        )


def _layer_picture(
    subject: ScalingSubject, name: str, title: str, values: np.ndarray
) -> DeltaGenerator:
    """A line of one measure (l, s) by layer, with its band over seeds."""
    steps = range(len(values))
    return picture(
        figures.layer_lines(values, title),
        key=f"scaling.layers.{name}",
        name=f"{subject.run.id}-layers-{name}",
        alt=figures.layer_lines_alt(values, title),
        table=figures.lines_table(list(steps), {title: values}).rename(columns={"step": "layer"}),
    )


def _show_word_plane(subject: ScalingSubject, soft_prompt: SoftPromptReadout) -> None:
    """Soft tokens and words in a plane, and the words nearest to each token."""
    seed_index = subject.seed
    rows = (soft_prompt.words.vectors, soft_prompt.words.names, soft_prompt.unseen_words.vectors)
    pair = (soft_prompt.final.before[seed_index], soft_prompt.final.after[seed_index])
    view = Choice(LAB, "near", "Look at", ["Everything", "Around the words"]).as_buttons()
    picture(
        scaling_word_gaps.word_plane(*rows, *pair, near=view != "Everything"),
        key="scaling.plane",
        name=f"{subject.run.id}-plane",
        alt=scaling_word_gaps.word_plane_alt(soft_prompt.words.vectors, *pair),
        table=scaling_word_gaps.word_plane_table(*rows, *pair),
    )
    st.caption(
        f"{escape_markdown(subject.chart_title)}. Lines lead from a token to its scaled "
        "self; in all dimensions they point at the origin or away from it. Drag a box to look "
        "closer."
    )
    st.subheader("Nearest words", anchor=False)
    table_with_download(
        _nearest_words_table(soft_prompt.before, soft_prompt.after, pair, seed_index),
        key="scaling.nearest",
        name=f"{subject.run.id}-nearest-words",
        alt="The nearest words of the vocabulary to every soft token, with cosines",
        column_config={
            name: st.column_config.NumberColumn(name, format="%.3f")
            for name in ("Scale", "Cosine without scale", "Cosine scaled")
        },
    )
    st.caption(
        "By cosine over the whole vocabulary. A positive scale of a whole token leaves both words "
        "and cosine as they are; a scale per feature can change them, a negative one turns the "
        "token round. A dot begins a piece that goes on a word."
    )


def _nearest_words_table(
    before: NearestWords, after: NearestWords, pair: tuple[np.ndarray, np.ndarray], seed: int
) -> pd.DataFrame:
    """One row per token: its scale, the nearest words, the cosine to the first of them."""
    return pd.DataFrame(
        {
            "Token": range(1, len(pair[0]) + 1),
            "Scale": scaling.best_scales(*pair),
            "Nearest words without scale": ["  ".join(words) for words in before.names[seed]],
            "Cosine without scale": before.cosines[seed, :, 0],
            "Nearest words, scaled": ["  ".join(words) for words in after.names[seed]],
            "Cosine scaled": after.cosines[seed, :, 0],
        }
    )


def show_learning_rate(frame: Frame, subject: ScalingSubject) -> None:
    """Show how a scale changes the steps of training."""
    with frame.side:
        controls = st.container()
    frame.explain(
        "**What a scale cannot do:** express more. A scaled token is a token, so the scales fold "
        "into the prompt after training, with not one answer changed.\n\n"
        "**What it can do:** change how the prompt is learnt. With a token $P$, its scale $s$ and "
        "the gradient $g$ of what the base reads, a step of gradient descent moves the product by "
        "$s^2 g$ across the token and by $(s^2 + \\rho\\,|P|^2)\\,g$ along it, where prompt tuning "
        "moves by $g$; $\\rho$ is the scale's learning rate over the token's. So a token's length "
        "learns faster than its direction, and tokens with large scales learn faster than others."
    )
    soft_prompt = selection.soft_prompt_readout(subject.run)
    rate_ratio = soft_prompt.learning_rate_ratio
    with frame.picture:
        if rate_ratio is None:
            st.info(
                "In this run tokens and scales are not both trained, so the formula does not apply."
            )
        else:
            _show_step_factors(frame, controls, subject, rate_ratio)
    with frame.below:
        _show_speeds(subject.run, soft_prompt.history)


def _show_step_factors(
    frame: Frame, controls: DeltaGenerator, subject: ScalingSubject, rate_ratio: float
) -> None:
    """Show by which factor scales change steps, as computed and as measured."""
    final = selection.soft_prompt_readout(subject.run).final
    optimiser_titles = {"sgd": "Gradient descent", "adamw": "AdamW, at most"}
    trained_with = subject.run.spec.training.optimiser
    with controls:
        optimiser = Choice(
            LAB,
            "optimiser",
            "Optimiser",
            list(optimiser_titles),
            first=trained_with if trained_with in optimiser_titles else "sgd",
            option_text=optimiser_titles.__getitem__,
        ).as_buttons()
    step_factors = scaling.step_factors(
        final.scale, scaling.row_norms(final.before), rate_ratio, optimiser
    )
    frame.say(*findings.step_finding(subject, step_factors))
    picture(
        figures.step_factors_chart(final.scale, *step_factors, optimiser),
        key="scaling.factors",
        name=f"{subject.run.id}-effective-rate-{optimiser}",
        alt=figures.step_factors_alt(*step_factors),
        table=figures.step_factors_table(final.scale, *step_factors),
    )
    st.caption(
        f"One mark per token of every seed, at the end of training; ρ = {rate_ratio:.3g}. AdamW "
        "divides "
        "each derivative by its usual size, so |s| and |s| + ρ |P| bound what is left."
        f" This run was trained with {OPTIMISERS.get(trained_with, trained_with)}."
    )


def _show_speeds(run: Run, history: SoftPromptHistory) -> None:
    """Show growth of length and sideways movement per step, as measured."""
    st.subheader("Movement that was measured", anchor=False)
    if len(history.steps) < 2:
        st.caption("This run kept no steps on its way, so its movement cannot be measured.")
        return
    plain_run = _find_plain_run(run)
    pairs = [("Scaled prompt" if plain_run else "This run", history.after)]
    steps = history.steps
    if plain_run:
        steps, first, second = readout.shared_history(history, selection.prompt_history(plain_run))
        pairs = [("Scaled prompt", first), ("Prompt tuning", second)]
    lines = {}
    for name, path in pairs:
        along, across = scaling.length_and_sideways_speeds(path, steps)
        lines[f"{name}: change of length"] = np.abs(along).mean(-1)
        lines[f"{name}: sideways"] = across.mean(-1)
    picture(
        figures.speed_lines(steps, lines),
        key="scaling.speeds",
        name=f"{run.id}-movement",
        alt=figures.lines_alt(steps[1:], lines, "Movement per optimiser step, mean over tokens"),
        table=figures.lines_table(steps[1:], lines),
    )
    st.caption(
        "Straight movement between two kept steps, over the steps between them; bands are 95 % "
        "intervals of other seeds. Change of length is what a scale alone can do."
    )
