"""How the figures of PPKT and SLidR are judged."""

from __future__ import annotations

from .declaration import Chart, Declaration, HealthRule, Limits


def declaration() -> Declaration:
    """Rules and charts."""
    return Declaration(_RULES, _CHARTS)


_SPREAD = Limits(low_bad=0.05, low_watch=0.2)
_RULES = (
    HealthRule(
        'Points find their pixels (retrieval over chance)',
        ('heldout/retrieval',),
        Limits(low_bad=3.0, low_watch=10.0),
        (
            'A point tells its pixel (superpixel) from the others of its frame.',
            'Points find theirs little better than by chance.',
            'Points find theirs no better than by chance.',
        ),
        "How often, of all pixels (superpixels) of a frame's pairs, the one most like a point that the loss never saw "
        'is its own; divided by one over their number. Knowing the camera alone gives as many as there are cameras.',
        'Early in training wait. Later: is the feature std low, are there few pairs? Mend that first; then check the '
        'calibration (the picture of likeness, tools/doctor.py), train longer or raise the learning rate.',
        evaluation=True,
        over='heldout/retrieval_chance',
    ),
    HealthRule(
        'What points tell of pixels (contrast over chance)',
        ('contrast_of_chance',),
        Limits(high_watch=0.95, high_bad=1.1),
        (
            'The loss is below that of guessing.',
            'The loss is that of guessing.',
            'The loss is above that of guessing: sure and wrong.',
        ),
        'InfoNCE over the logarithm of the number of pairs: 1 is guessing.',
        'Early in training wait. Later: calibration, learning rate, model.temperature.',
    ),
    HealthRule(
        'Spread of the embeddings (feature std)',
        ('feature_std_points', 'feature_std_pixels'),
        _SPREAD,
        (
            'Points and pixels have embeddings of their own.',
            'Embeddings are much alike.',
            'All have the same embedding: it has collapsed.',
        ),
        'Standard deviation over the pairs times the root of the width: 1 for directions spread over the whole sphere, '
        '0 if all are one.',
        'Lower the learning rate; are the images what they should be (tools/doctor.py)? A frozen image backbone '
        '(model.freeze_images) needs trained weights.',
    ),
    HealthRule(
        'Pairs per frame',
        ('pairs',),
        Limits(low_bad=2.0, low_watch=16.0),
        (
            'There is much to compare.',
            'A frame has few pairs.',
            'A frame has next to no pair: nothing can be learned.',
        ),
        'Pairs of point and pixel (of superpixels that have points) that a frame is given, mean over the batch.',
        'Does the frame check in the log find points in the images? Otherwise check lidar2cam and cam2img '
        '(tools/doctor.py); PPKT: raise model.num_pairs, which all frames of a batch share.',
        from_start=True,
    ),
)
_CHARTS = (
    Chart('held-back points that find their own, and chance', ('heldout/retrieval', 'heldout/retrieval_chance'), True),
    Chart('contrast over that of guessing', ('contrast_of_chance',)),
    Chart('feature std', ('feature_std_points', 'feature_std_pixels')),
    Chart('pairs per frame', ('pairs',)),
)
