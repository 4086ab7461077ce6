"""Health figures of a pre-training run: what each means, whether it is good, and what to do when it is not.

Limits are this project's experience, not the paper's; every verdict states them, so that a reader can disagree.
"""

from __future__ import annotations

import math
import shlex
from dataclasses import replace
from typing import List, Optional

from .gather import ENRICHMENT_NAME, Curve, RunData, recent
from .rule import BAD, GOOD, ORDER, WATCH, Finding, Limits, Rule, not_held


def _fact(run: RunData, name: str) -> Optional[float]:
    for session in run.sessions:  # the first knows the state before training
        if session.get('facts', {}).get(name) is not None:
            return float(session['facts'][name])
    return None


def _perplexity_limits(run: RunData) -> Limits:
    count = _fact(run, 'num_prototypes') or 64.0
    return Limits(low_bad=max(2.0, 0.02 * count), low_watch=max(3.0, 0.1 * count))


RULES: List[Rule] = [
    Rule(
        'Prototypes in use (perplexity)',
        ('proto_perplexity_lidar', 'proto_perplexity_camera'),
        _perplexity_limits,
        (
            'Cells spread over many prototypes.',
            'Few prototypes do most of the work.',
            'Nearly all cells share one prototype: the prototypes have collapsed.',
        ),
        'Exponential of the entropy of how often each prototype is the nearest one, per branch; at most the number of '
        'prototypes.',
        "Set model.prototype_head.normalization='cells' and cells='occupied' (empty cells otherwise take most codes); "
        'if feature std is low too, mend that first.',
    ),
    Rule(
        'Likeness of prototypes (mean Gram off-diagonal)',
        ('gram_mean',),
        lambda run: Limits(high_watch=0.2, high_bad=0.5),
        (
            'Prototypes point in different directions.',
            'Prototypes are drifting together.',
            'Prototypes have become alike.',
        ),
        'Mean cosine between two different prototypes (Eq. 17); random ones have 0.',
        'Raise model.prototype_head.gram_weight; squared_gram=True also separates pairs that the signed mean misses.',
    ),
    Rule(
        'The two most alike prototypes (maximal Gram off-diagonal)',
        ('gram_max',),
        lambda run: Limits(high_watch=0.9, high_bad=0.98),
        ('No two prototypes coincide.', 'Two prototypes are nearly the same.', 'Two prototypes are the same.'),
        'Largest cosine between two different prototypes.',
        'One pair is harmless; if the mean rises as well, set squared_gram=True.',
    ),
    Rule(
        'Spread of the embeddings (feature std)',
        ('feature_std_lidar', 'feature_std_camera'),
        lambda run: Limits(low_bad=0.05, low_watch=0.2),
        (
            'Cells have embeddings of their own.',
            'Embeddings of different cells are much alike.',
            'All cells have the same embedding: the projection has collapsed.',
        ),
        'Standard deviation over cells times the root of the width: 1 for directions spread over the whole sphere, 0 '
        'if all are one.',
        'Set model.prototype_head.batch_norm=True, which keeps embeddings apart; check that both branches get input '
        '(masking ratios, calibration).',
    ),
    Rule(
        'What one branch tells about the other (swav_ratio)',
        ('swav_ratio',),
        lambda run: Limits(high_watch=0.97, high_bad=2.0),
        (
            'The branches predict each other better than chance.',
            'Predictions are no better than uniform ones.',
            'Predictions are confident and wrong.',
        ),
        'Loss of the swapped prediction (Eq. 16) over that of predicting every prototype equally.',
        'Early in training wait (hundreds of steps). Later: is the feature std low? Then mend that. Otherwise move '
        'model.prototype_head.temperature towards 0.3, the best of 0.1 to 1 on the simulated world (at 0.1 predictions '
        'started sure and wrong, and ended uniform), or raise the learning rate.',
    ),
    Rule(
        'Opacity of LiDAR rays',
        ('opacity',),
        lambda run: Limits(low_bad=0.5, low_watch=0.9),
        ('Nearly every ray ends on a surface.', 'Part of the rays pass through.', 'Most rays end on nothing.'),
        'Sum of the rendering weights along rays that hit something in reality; 1 is a solid surface. Ranges are not '
        'divided by it, so a low one makes everything look too near.',
        'Early in training wait; later set model.render_head.near_surface_weight or free_space_weight to 0.1, and '
        'check that ranges and the volume (point_cloud_range) fit the data.',
    ),
    Rule(
        'Rays that miss the volume (masked rays)',
        ('masked_rays',),
        lambda run: Limits(high_watch=0.05, high_bad=0.3),
        ('Rays cross the volume.', 'Some rays are wasted outside the volume.', 'Many rays never meet the volume.'),
        'Share of drawn rays, LiDAR and camera, that do not cross point_cloud_range.',
        'Check cam2lidar and keyframe_origins of the info file (tools/doctor.py) and point_cloud_range.',
        from_start=True,
    ),
    Rule(
        'LiDAR points that may be drawn',
        ('candidate_points',),
        lambda run: Limits(low_bad=0.2, low_watch=0.5),
        (
            'Most of the sweep can be a target.',
            'Much of the sweep lies outside the volume.',
            'Almost nothing of the sweep lies inside the volume.',
        ),
        'Share of the keyframe sweep inside the volume, beyond min_range_m and not held back.',
        'Are points in the LiDAR frame and in metres? Otherwise widen point_cloud_range.',
        from_start=True,
    ),
    Rule(
        'Cameras without a LiDAR point',
        ('uniform_cameras',),
        lambda run: Limits(high_watch=0.5, high_bad=2.0),
        (
            'Every camera sees LiDAR points.',
            'A camera often sees none; its pixels are drawn uniformly.',
            'Several cameras see none.',
        ),
        'Cameras per sample that no candidate point projects into.',
        'Check lidar2cam and cam2img of that camera: the frame check in the log lists the share of points of each.',
        from_start=True,
    ),
]


GREY_IMAGES = 'render/rgb_mae_of_grey_images'

COLOUR_RULES: List[Rule] = [  # of the last evaluation
    Rule(
        'Colour of random pixels',
        ('render/rgb_ratio',),
        lambda run: Limits(high_watch=1.0),
        (
            'Rendering knows more than the mean colour.',
            'The mean colour would be no worse.',
            'The rendered colour is not a number.',
        ),
        "Error of the rendered colour over that of painting every pixel in its image's mean colour, at the last "
        'evaluation.',
        'Colour comes after shape: train longer. If the range is good already, raise model.render_head.rgb_weight.',
    ),
    Rule(
        'What the images add (colour error from grey images)',
        (GREY_IMAGES,),
        lambda run: Limits(low_watch=1.1, low_bad=1.02),
        ('They matter.', 'They matter little.', 'They make no difference, or the colour is not a number.'),
        'Error of the colour rendered from grey images over that from the images, same pixels, at the last '
        'evaluation: 1 means that the camera branch carries nothing.',
        'Early in training wait (hundreds of steps). Later raise model.render_head.rgb_weight: the gradient of colour '
        'is lost among those of range. Check that the images are what they should be (tools/doctor.py).',
    ),
]


def _enrichment(run: RunData) -> List[Finding]:
    def rule_of(name: str) -> Rule:
        return Rule(
            f'Enrichment of drawn points ({name})',
            (name,),
            lambda run: Limits(low_bad=0.9, low_watch=1.2),
            ('Sampling prefers objects.', 'Sampling hardly differs from uniform.', 'Sampling avoids objects.'),
            'Share of drawn LiDAR points in labelled boxes over their share in the sweep; 1 is uniform drawing. Labels '
            'are only used to measure it.',
            'The surface is too rough for its curvature to mean something: smooth the field before Eq. 12, train '
            'longer before the warm-up ends, or raise model.render_head.eikonal_weight.',
        )

    both = RunData(run.name, run.sessions, {**run.evaluation, **run.train})
    names = [name for name in both.train if 'enrichment' in name]
    if names:
        return [rule_of(name).judge(both) for name in names]
    how = f'Nobody measured it yet. Where the evaluation data have labels, run: {enrichment_command(run)}'
    return [replace(rule_of('enrichment').judge(both), verdict=how)]


def enrichment_command(run: RunData) -> str:
    """The command that measures the enrichment of a run, and the report again after it."""
    session = run.sessions[-1] if run.sessions else {}
    root = session.get('environment', {}).get('CLAP_DATA_ROOT')
    folder = run.folder or 'WORK_DIR'
    checkpoint = f'{folder}/{run.checkpoints[-1]}' if run.checkpoints else 'CHECKPOINT'
    words = [
        'python',
        'tools/analysis_tools/sampler_enrichment.py',
        str(session.get('config') or 'CONFIG'),
        checkpoint,
        '--out',
        f'{folder}/{ENRICHMENT_NAME}',
    ]
    return (
        (f'CLAP_DATA_ROOT={shlex.quote(root)} ' if root else '')
        + shlex.join(words)
        + f' && {shlex.join(["python", "tools/report.py", folder])}'
    )


def _sharpness(run: RunData) -> Finding:
    """Where inv_s has gone since the start."""
    title, name = 'Sharpness of the surface (inv_s)', 'inv_s'
    meaning = (
        'h of Eq. 7, 1/m: the thickness of the surface is of the order of 1/h. It dips by a few per cent in the '
        'first hundreds of steps and grows later, as rendering improves.'
    )
    curve: Curve = run.train.get(name, [])
    if not curve:
        return not_held(title, meaning, (name,))
    start, value = _fact(run, 'initial_inv_s') or curve[0][1], recent(curve)
    limits = Limits(low_bad=0.1 * start, low_watch=0.95 * start, high_watch=5e3, high_bad=1e5)
    level = limits.level(value)
    if level == GOOD:
        verdict = (
            'It has grown.' if value > 1.05 * start else 'It is where it began: the surface has not become sharper yet.'
        )
    elif value > start:
        verdict = 'So sharp that few samples see it.' if level == WATCH else 'Too sharp for a gradient to reach it.'
    else:
        verdict = 'It has fallen: the surface is getting blurred.' if level == WATCH else 'The surface is a fog.'
    remedy = (
        ''
        if level == GOOD
        else (
            'Fallen: train longer, or raise the learning rate. Too sharp: lower '
            'model.render_head.initial_variance or the learning rate, raise num_samples.'
        )
    )
    return Finding(
        title,
        f'{value:.3g} 1/m (start {start:.3g})',
        level,
        f'{verdict} ({limits.text(" 1/m")})',
        meaning,
        remedy,
        (name,),
    )


def _progress(run: RunData) -> Finding:
    """Whether held-back rays are rendered well, and better and better."""
    title, name = 'Range of held-back rays', 'render/range_median_m'
    meaning = (
        'Median error of the rendered range of LiDAR rays that the loss never sees and whose points the encoder '
        'is not shown, over all evaluation frames. The median in a picture is over all points of its one frame, '
        'which the encoder was shown: another figure, usually smaller.'
    )
    curve = run.evaluation.get(name, [])
    if not curve:
        return not_held(title, meaning, (name,))
    first, last, best = curve[0][1], curve[-1][1], min(value for _, value in curve)
    value = f'{last:.2f} m' + (f' (first {first:.2f}, best {best:.2f})' if len(curve) > 1 else '')
    limits = Limits(high_watch=1.0, high_bad=3.0)
    level, course = limits.level(last), 'It got better' if len(curve) > 1 else 'Measured once, no course yet'
    if not math.isfinite(last):
        level, course = BAD, 'It is not a number'
    elif last > first:
        level, course = BAD, 'It got worse since the first evaluation'
    elif last > 1.25 * best:
        level = max(level, WATCH, key=ORDER.index)
        course = 'It has been better before (watch above 1.25 times the best)'
    height = dict(zip(ORDER, ('and is small', 'and is not small yet', 'and is large')))[limits.level(last)]
    if course.startswith(('It got better', 'Measured')):
        remedy = 'Train longer. If it stays here: more frames; check the calibration (tools/doctor.py).'
    else:
        remedy = (
            'Lower the learning rate or lengthen its warm-up; with few frames more epochs overfit, so use an '
            'earlier checkpoint or more data.'
        )
    return Finding(
        title,
        value,
        level,
        f'{course}, {height}. ({limits.text(" m")})',
        meaning,
        '' if level == GOOD else remedy,
        (name,),
    )


def _rendered_colour(run: RunData) -> List[Finding]:
    """Whether rendered colour beats the mean colour of the image, and whether it comes from the images."""
    last = {name: curve[-1:] for name, curve in run.evaluation.items()}
    grey, colour = last.get(GREY_IMAGES), last.get('render/rgb_mae')
    last[GREY_IMAGES] = [(grey[0][0], grey[0][1] / max(colour[0][1], 1e-9))] if grey and colour else []
    evaluated = RunData(run.name, run.sessions, last)
    return [rule.judge(evaluated) for rule in COLOUR_RULES]


def _stopped(run: RunData) -> List[Finding]:
    if not run.nonfinite:
        return []
    return [
        Finding(
            'Non-finite loss',
            ', '.join(run.nonfinite),
            BAD,
            'The run was stopped by a NaN or infinite loss.',
            'NonFiniteLossHook kept the inputs of the step in nonfinite/.',
            'Lower the learning rate or optim_wrapper.clip_grad.max_norm if the loss grew before; look at the '
            'frame if it came suddenly; then go on with --resume.',
            (),
            from_start=True,
        )
    ]


def findings(run: RunData) -> List[Finding]:
    """All health findings of a run; figures of a run that is not a pre-training come out as not measured."""
    rules = [rule.judge(run) for rule in RULES]
    at = next(i for i, rule in enumerate(RULES) if rule.scalars == ('opacity',))
    return [
        *_stopped(run),
        _progress(run),
        *_rendered_colour(run),
        *rules[:at],
        _sharpness(run),
        *rules[at:],
        *_enrichment(run),
    ]
