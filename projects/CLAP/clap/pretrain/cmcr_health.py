"""How CMCR's figures are judged, and which are drawn together."""

from __future__ import annotations

from typing import Dict

from .declaration import Chart, Declaration, HealthRule, Limits
from .occupancy_figures import query_charts, query_rules

_RETRIEVAL = HealthRule(
    'Pixels found from points (times chance)',
    ('heldout/retrieval',),
    Limits(low_bad=3.0, low_watch=10.0),
    ('Points know their pixels.', 'Points hardly know their pixels.', 'Points do not know their pixels.'),
    'Held-back points whose own pixel is the nearest of up to 512 of the frame, over what guessing finds.',
    'Train longer. If it stays, check the calibration (tools/doctor.py): a pair must show the same thing.',
    evaluation=True,
    over='heldout/retrieval_chance',
)
_COLOUR = HealthRule(
    'Colour of hidden cells (error over that of the mean colour)',
    ('heldout/colour_error',),
    Limits(high_watch=1.0),
    ('Restoring knows more than the mean colour.', 'The mean colour is no worse.', 'The colour is not a number.'),
    'Absolute error at hidden cells with a point, over that of the mean colour of these cells.',
    'Colour comes late: train longer.',
    evaluation=True,
    over='heldout/colour_error_of_mean',
)
_STAND_IN = HealthRule(
    'What points add to hidden cells (error without them)',
    ('heldout/colour_error_without_points',),
    Limits(low_watch=1.0),
    ('They help.', 'They do not help.', 'The colour is not a number.'),
    'Colour error at the same cells if no point stands in, over that with points. It trained with points: whether a '
    'model without them does as well, the ladder of docs/methods/cmcr.md tells.',
    'Train longer; model.geometry=False leaves them out.',
    evaluation=True,
    over='heldout/colour_error',
)
_CODES = (
    HealthRule(
        'Codewords in use (perplexity)',
        ('code_perplexity',),
        Limits(low_bad=2.0, low_watch=8.0),
        ('Features spread over the codebook.', 'Few codewords do most of the work.', 'One codeword does it all.'),
        'Exponential of the entropy of how often each codeword is chosen by the pairs of a step.',
        'Early in training wait; later lower model.decay, so that codewords follow faster.',
    ),
    HealthRule(
        'Codewords of points and pixels (share)',
        ('codes_of_both',),
        Limits(low_bad=0.1, low_watch=0.4),
        ('Both use the same codewords.', 'Each has many of its own.', 'The codebook is split between them.'),
        'Of the codewords that a step uses, those that points and pixels both chose.',
        'Train longer; model.unified=True draws both to the codeword of the point.',
    ),
)
_CHARTS = (
    Chart('pixels found from held-back points', ('heldout/retrieval', 'heldout/retrieval_chance'), True),
    *query_charts('occupancy_'),
    Chart(
        'colour error at hidden cells: with points, without, of the mean colour',
        ('heldout/colour_error', 'heldout/colour_error_without_points', 'heldout/colour_error_of_mean'),
        True,
    ),
    Chart(
        'codewords: of both, the same for a pair (held back)', ('heldout/codes_of_both', 'heldout/code_agreement'), True
    ),
    Chart('codewords: share of both, same for a pair', ('codes_of_both', 'code_agreement')),
    Chart('codewords in use', ('codes_used', 'code_perplexity')),
)


def declaration(facts: Dict[str, float]) -> Declaration:
    """What the report shows; ``facts`` as :meth:`CMCR.facts` gives them."""
    rules = [_RETRIEVAL]
    if facts.get('reconstruct', 1.0):
        rules += [*query_rules('occupancy_'), _COLOUR]
    if facts.get('geometry', 1.0):
        rules.append(_STAND_IN)
    if facts.get('num_codewords', 512.0):
        rules += _CODES
    return Declaration(tuple(rules), _CHARTS)
