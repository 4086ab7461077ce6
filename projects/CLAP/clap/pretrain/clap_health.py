"""How CLAP's figures are judged, and which are drawn together.

Limits are this project's experience, not the paper's; every verdict states them, so that a reader can disagree.
"""

from __future__ import annotations

from typing import Dict, Tuple

from .declaration import Chart, Declaration, HealthRule, Limits


def declaration(facts: Dict[str, float]) -> Declaration:
    """What the report shows; ``facts`` as :meth:`CLAP.facts` gives them."""
    count, curvature = facts.get('num_prototypes', 64.0), facts.get('curvature', 1.0)
    return Declaration(
        rules=(
            *_RANGE_AND_COLOUR,
            *(_prototypes(count) if count else ()),
            _sharpness(facts),
            *_RAYS,
            *((_CURVATURE,) if curvature else ()),
            _ENRICHMENT,
        ),
        charts=(*_CHARTS, *(_PROTOTYPE_CHARTS if count else ()), *((_CURVATURE_CHART,) if curvature else ())),
    )


_RANGE_AND_COLOUR = (
    HealthRule(
        'Range of held-back rays',
        ('render/range_median_m',),
        Limits(high_watch=1.0, high_bad=3.0),
        ('It is small.', 'It is not small yet.', 'It is large.'),
        'Median error of the rendered range of LiDAR rays that the loss never sees and whose points the encoder '
        'is not shown, over all evaluation frames. The median in a picture is over all points of its one frame, '
        'which the encoder was shown: another figure, usually smaller.',
        'Falling: train longer; if it stays, more frames, and check the calibration (tools/doctor.py). Risen: lower '
        'the learning rate or lengthen its warm-up; with few frames more epochs overfit, so use an earlier checkpoint '
        'or more data.',
        unit=' m',
        evaluation=True,
        course=True,
    ),
    HealthRule(
        'Colour of random pixels',
        ('render/rgb_ratio',),
        Limits(high_watch=1.0),
        (
            'Rendering knows more than the mean colour.',
            'The mean colour would be no worse.',
            'The rendered colour is not a number.',
        ),
        "Error of the rendered colour over that of painting every pixel in its image's mean colour, at the last "
        'evaluation.',
        'Colour comes after shape: train longer. If the range is good already, raise model.render_head.rgb_weight.',
        evaluation=True,
    ),
    HealthRule(
        'What the images add (colour error from grey images)',
        ('render/rgb_mae_of_grey_images',),
        Limits(low_watch=1.1, low_bad=1.02),
        ('They matter.', 'They matter little.', 'They make no difference, or the colour is not a number.'),
        'Error of the colour rendered from grey images over that from the images, same pixels, at the last '
        'evaluation: 1 means that the camera branch carries nothing.',
        'Early in training wait (hundreds of steps). Later raise model.render_head.rgb_weight: the gradient of colour '
        'is lost among those of range. Check that the images are what they should be (tools/doctor.py).',
        evaluation=True,
        over='render/rgb_mae',
    ),
)


def _prototypes(count: float) -> Tuple[HealthRule, ...]:
    """Rules of so many prototypes."""
    return (
        HealthRule(
            'What prototypes are worth to the encoders (share of the gradient)',
            ('grad_share_swav_lidar', 'grad_share_swav_camera'),
            Limits(low_watch=0.01, high_watch=0.3),
            (
                'Prototypes shape the encoders beside rendering.',
                'Prototypes hardly act: this is pre-training by rendering alone.',
                'The share is not a number.',
            ),
            'Share of the swapped prediction (Eq. 16) in the gradient at the map of each branch (GradientShareHook). '
            'Eq. 15 adds little, Eq. 17 does not reach the maps.',
            "Too small, as with the paper's values: model.prototype_head.normalization='cells', cells='occupied', "
            'batch_norm=True, temperature=0.3, as in clap_nus_recommended.py. Too large: lower '
            'model.prototype_head.swav_weight.',
            above=('Prototypes drown rendering.', 'The share is not a number.'),
        ),
        HealthRule(
            'Prototypes in use (perplexity)',
            ('proto_perplexity_lidar', 'proto_perplexity_camera'),
            Limits(low_bad=max(2.0, 0.02 * count), low_watch=max(3.0, 0.1 * count)),
            (
                'Cells spread over many prototypes.',
                'Few prototypes do most of the work.',
                'Nearly all cells share one prototype: the prototypes have collapsed.',
            ),
            'Exponential of the entropy of how often each prototype is the nearest one, per branch; at most the number '
            'of prototypes.',
            "Set model.prototype_head.normalization='cells' and cells='occupied' (empty cells otherwise take most "
            'codes); if feature std is low too, mend that first.',
        ),
        HealthRule(
            'Likeness of prototypes (mean Gram off-diagonal)',
            ('gram_mean',),
            Limits(high_watch=0.2, high_bad=0.5),
            (
                'Prototypes point in different directions.',
                'Prototypes are drifting together.',
                'Prototypes have become alike.',
            ),
            'Mean cosine between two different prototypes (Eq. 17); random ones have 0.',
            'Raise model.prototype_head.gram_weight; squared_gram=True also separates pairs that the signed mean '
            'misses.',
        ),
        HealthRule(
            'The two most alike prototypes (maximal Gram off-diagonal)',
            ('gram_max',),
            Limits(high_watch=0.9, high_bad=0.98),
            ('No two prototypes coincide.', 'Two prototypes are nearly the same.', 'Two prototypes are the same.'),
            'Largest cosine between two different prototypes.',
            'One pair is harmless; if the mean rises as well, set squared_gram=True.',
        ),
        HealthRule(
            'Spread of the embeddings (feature std)',
            ('feature_std_lidar', 'feature_std_camera'),
            Limits(low_bad=0.05, low_watch=0.2),
            (
                'Cells have embeddings of their own.',
                'Embeddings of different cells are much alike.',
                'All cells have the same embedding: the projection has collapsed.',
            ),
            'Standard deviation over cells times the root of the width: 1 for directions spread over the whole sphere, '
            '0 if all are one.',
            'Set model.prototype_head.batch_norm=True, which keeps embeddings apart; check that both branches get '
            'input (masking ratios, calibration).',
        ),
        HealthRule(
            'What one branch tells about the other (swav_ratio)',
            ('swav_ratio',),
            Limits(high_watch=0.97, high_bad=2.0),
            (
                'The branches predict each other better than chance.',
                'Predictions are no better than uniform ones.',
                'Predictions are confident and wrong.',
            ),
            'Loss of the swapped prediction (Eq. 16) over that of predicting every prototype equally.',
            'Early in training wait (hundreds of steps). Later: is the feature std low? Then mend that. Otherwise move '
            'model.prototype_head.temperature towards 0.3, the best of 0.1 to 1 on the simulated world (at 0.1 '
            'predictions started sure and wrong, and ended uniform), or raise the learning rate.',
        ),
    )


def _sharpness(facts: Dict[str, float]) -> HealthRule:
    start = facts.get('initial_inv_s')
    fallen = dict(low_bad=0.1 * start, low_watch=0.95 * start) if start else {}
    return HealthRule(
        'Sharpness of the surface (inv_s)',
        ('inv_s',),
        Limits(**fallen, high_watch=5e3, high_bad=1e5),
        (
            'It has not fallen.',
            'It has fallen: the surface is getting blurred.',
            'The surface is a fog.',
        ),
        'h of Eq. 7, 1/m: the thickness of the surface is of the order of 1/h. It dips by a few per cent in the '
        'first hundreds of steps and grows later, as rendering improves.',
        'Fallen: train longer, or raise the learning rate. Too sharp: lower model.render_head.initial_variance or the '
        'learning rate, raise num_samples.',
        above=('So sharp that few samples see it.', 'Too sharp for a gradient to reach it.'),
        unit=' 1/m',
        start=start,
    )


_RAYS = (
    HealthRule(
        'Opacity of LiDAR rays',
        ('opacity',),
        Limits(low_bad=0.5, low_watch=0.9),
        ('Nearly every ray ends on a surface.', 'Part of the rays pass through.', 'Most rays end on nothing.'),
        'Sum of the rendering weights along rays that hit something in reality; 1 is a solid surface. Ranges are not '
        'divided by it, so a low one makes everything look too near.',
        'Early in training wait; later set model.render_head.near_surface_weight or free_space_weight to 0.1, and '
        'check that ranges and the volume (point_cloud_range) fit the data.',
    ),
    HealthRule(
        'Rays that miss the volume (masked rays)',
        ('masked_rays',),
        Limits(high_watch=0.05, high_bad=0.3),
        ('Rays cross the volume.', 'Some rays are wasted outside the volume.', 'Many rays never meet the volume.'),
        'Share of drawn rays, LiDAR and camera, that do not cross point_cloud_range.',
        'Check cam2lidar and keyframe_origins of the info file (tools/doctor.py) and point_cloud_range.',
        from_start=True,
    ),
    HealthRule(
        'LiDAR points that may be drawn',
        ('candidate_points',),
        Limits(low_bad=0.2, low_watch=0.5),
        (
            'Most of the sweep can be a target.',
            'Much of the sweep lies outside the volume.',
            'Almost nothing of the sweep lies inside the volume.',
        ),
        'Share of the keyframe sweep, and of those of target_sweeps, inside the volume, beyond min_range_m, not in '
        'ego_box and not held back.',
        'Are points in the LiDAR frame and in metres? Otherwise widen point_cloud_range.',
        from_start=True,
    ),
    HealthRule(
        'Cameras without a LiDAR point',
        ('uniform_cameras',),
        Limits(high_watch=0.5, high_bad=2.0),
        (
            'Every camera sees LiDAR points.',
            'A camera often sees none; its pixels are drawn uniformly.',
            'Several cameras see none.',
        ),
        'Cameras per sample that no candidate point projects into.',
        'Check lidar2cam and cam2img of that camera: the frame check in the log lists the share of points of each.',
        from_start=True,
    ),
)
_CURVATURE = HealthRule(
    'Curvature and the raw points (rank correlation)',
    ('curvature_rank_correlation',),
    Limits(low_bad=0.25, low_watch=0.4),
    (
        'Curvature is where the raw points are rough.',
        'Curvature says little of the surface.',
        'Curvature says nothing of the surface: objects may be drawn less often than by uniform rays.',
    ),
    "Rank correlation of the curvature that rays are drawn by with the PCA surface variation of the sweep's points, on "
    'the masked input; no labels. Fields that had 0.44 to 0.58 on a whole nuScenes frame drew its objects 1.7 to 2.6 '
    'times as often as uniform rays do; one of 11 frames of one drive had 0.23 and drew vehicles 0.7 times. The scan '
    'alone gives an untrained field up to 0.37.',
    'More and more different frames or more steps; render_head.near_surface_weight=1, free_space_weight=0.2 and '
    "ray_sampler.mode='secant' (clap_sim.py). default_hooks.warmup.until_rank_correlation=0.4 draws uniform rays until "
    "then; ray_sampler.type='SurfaceVariationRaySampler' needs no field.",
)
_ENRICHMENT = HealthRule(
    'Enrichment of drawn points',
    ('enrichment',),
    Limits(low_bad=0.9, low_watch=1.2),
    ('Sampling prefers objects.', 'Sampling hardly differs from uniform.', 'Sampling avoids objects.'),
    'Share of drawn LiDAR points in labelled boxes over their share in the sweep; 1 is uniform drawing. Labels '
    'are only used to measure it.',
    'The surface is too rough for its curvature to mean something: smooth the field before Eq. 12, train '
    'longer before the warm-up ends, or raise model.render_head.eikonal_weight.',
    evaluation=True,
    measure='python tools/analysis_tools/sampler_enrichment.py {config} {checkpoint} --out {work_dir}/enrichment.json',
)
_CHARTS = (
    Chart('held-back rays: error of the range (m)', ('render/range_median_m', 'render/range_mae_m'), True),
    Chart('held-back rays within 1 m', ('render/range_within_1m',), True),
    Chart(
        'colour error: rendered, of the mean colour, rendered from grey images',
        ('render/rgb_mae', 'render/rgb_mae_of_mean_colour', 'render/rgb_mae_of_grey_images'),
        True,
    ),
    Chart('range error of drawn rays (m)', ('range_median_m', 'range_mae_m')),
    Chart('opacity', ('opacity',)),
    Chart('inv_s (1/m)', ('inv_s',)),
    Chart('masked rays', ('masked_rays',)),
)
_PROTOTYPE_CHARTS = (
    Chart('prototypes in use', ('proto_perplexity_lidar', 'proto_perplexity_camera')),
    Chart('likeness of prototypes', ('gram_mean', 'gram_max')),
    Chart('feature std', ('feature_std_lidar', 'feature_std_camera')),
    Chart('agreement of the branches', ('proto_agreement',)),
)
_CURVATURE_CHART = Chart('rank correlation of curvature with the raw points', ('curvature_rank_correlation',))
