"""How CluRender's figures are judged, and which are drawn together.

Limits are this project's experience, not the paper's; every verdict states them, so that a reader can disagree.
"""

from __future__ import annotations

from typing import Dict

from .declaration import Chart, Declaration, HealthRule, Limits


def declaration(facts: Dict[str, float]) -> Declaration:
    """What the report shows of driving frames; ``facts`` as :meth:`CluRender.facts` gives them."""
    return Declaration(rules=(_PURITY, _COLOUR, _used(facts), _COVERED), charts=(*_CHARTS, _PURITY_CHART))


def object_declaration(facts: Dict[str, float]) -> Declaration:
    """What the report shows of single objects; ``facts`` as :meth:`ObjectCluRender.facts` gives them."""
    return Declaration(rules=(_ACCURACY, _COLOUR, _used(facts), _COVERED), charts=(_ACCURACY_CHART, *_CHARTS))


def _used(facts: Dict[str, float]) -> HealthRule:
    count = facts.get('num_clusters', 64.0)
    return HealthRule(
        'Clusters in use (perplexity)',
        ('clusters_used',),
        Limits(low_bad=2.0, low_watch=0.2 * count),
        (
            'Points spread over many clusters.',
            'Few clusters do most of the work.',
            'Nearly all points share one cluster: the clusters have collapsed.',
        ),
        'Exponential of the entropy of how many points of a frame each cluster has; at most the number of clusters.',
        'Early in training wait (hundreds of steps); later lower the learning rate, raise model.cluster_head.epsilon.',
    )


_PURITY = HealthRule(
    'Purity of clusters (over that of clusters by place alone)',
    ('heldout/purity',),
    Limits(low_watch=1.02, low_bad=0.8),
    (
        'Clusters follow the classes of points.',
        'Clusters say no more of the classes of points than where these lie.',
        'Clusters say less of the classes of points than where these lie.',
    ),
    "Share of points that are of their cluster's most frequent class, per evaluation frame, over the same if each "
    'point belongs to the nearest of as many points, drawn at random.',
    'Train longer. Look at the picture of the clusters: one colour for all is a collapse (see clusters in use).',
    evaluation=True,
    over='heldout/purity_of_places',
)
_COLOUR = HealthRule(
    'Colours of splatted points (distance over that of the mean colour)',
    ('heldout/rgb_distance',),
    Limits(high_watch=0.9, high_bad=1.05),
    (
        'Points know more than the mean colour.',
        'The mean colour would be about as good.',
        'The mean colour would be better.',
    ),
    'Distance of the rendered from the true colours of the covered pixels of a view, as the loss measures it, over '
    'that of painting these in their mean colour. The error of single pixels is drawn beside it: colours that are '
    'right on the whole and in the wrong places have a larger one than the mean colour.',
    'Train longer, or raise model.splat_head.loss_weight. If it stays, check the calibration (tools/doctor.py).',
    evaluation=True,
    over='heldout/rgb_distance_of_mean_colour',
)
_ACCURACY = HealthRule(
    'Accuracy of a linear SVM (over that on untrained features)',
    ('svm/accuracy',),
    Limits(low_watch=1.02, low_bad=0.98),
    (
        'Training has made the features better.',
        'Training has hardly changed what the features are worth.',
        'Training has made the features worse.',
    ),
    'Share of test objects whose class a linear SVM finds from frozen features, over the same from the network as it '
    'was before training.',
    'Train longer; more objects and classes say more.',
    evaluation=True,
    over='svm/accuracy_of_untrained',
)
_COVERED = HealthRule(
    'Pixels that points cover',
    ('covered_pixels',),
    Limits(low_bad=0.005, low_watch=0.03),
    ('Views have pixels to compare.', 'Views have few pixels to compare.', 'Views have hardly a pixel to compare.'),
    'Share of the pixels of a view that are covered by splatted points, mean over views.',
    'Raise model.num_points or model.splat_head.radius_px; check the calibration (tools/doctor.py).',
    from_start=True,
)
_CHARTS = (
    Chart('prediction of soft labels (1: equal scores)', ('cluster_ratio',)),
    Chart('clusters in use', ('clusters_used',)),
    *(
        Chart(title, (f'heldout/{name}', f'heldout/{name}_of_mean_colour'), evaluation=True)
        for title, name in (('distance of colours', 'rgb_distance'), ('error of pixels', 'rgb_error'))
    ),
)
_PURITY_CHART = Chart(
    'purity of clusters, of clusters by place alone, of one',
    ('heldout/purity', 'heldout/purity_of_places', 'heldout/purity_of_one_cluster'),
    evaluation=True,
)
_ACCURACY_CHART = Chart('accuracy of a linear SVM', ('svm/accuracy', 'svm/accuracy_of_untrained'), evaluation=True)
