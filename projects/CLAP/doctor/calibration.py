"""Are ``lidar2cam`` and ``cam2img`` what they should be? Shares of points per image do not show it.

Three questions: is each matrix a rigid motion that puts an upright camera near the LiDAR; if not, which usual mistake
explains it; and do edges of the points lie on edges of the images (:mod:`.edges`).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Dict, Iterable, List, Sequence, Tuple

import numpy as np
from numpy.typing import NDArray

from .edges import MIN_POINTS, WIDTH, Agreement, add, agreement, best_of, edge_map, edge_points, together
from .findings import BAD, GOOD, WATCH, Finding
from .images import TURNED, turned
from .mistakes import MISTAKES, TILTS

Array = NDArray[Any]

FAR_M, VERY_FAR_M = 8.0, 50.0
UPRIGHT = 0.5  # cosine between the camera's down axis and the LiDAR's -z
GIVEN = 'given'
_WANTED = 'lidar2cam takes LiDAR coordinates to the camera (x right, y down, z forward; metres)'


@dataclass
class Rig:
    """What a few frames say about every camera.

    Attributes:
        matrices: by camera, lidar2cam of the frames looked at.
        intrinsics: by camera, (cam2img, width, height) of the first frame.
        fits: by camera, edges under the given matrices (``GIVEN``), under every mistake or tilt mended, and
            under the matrices of the other cameras (by their names).
    """

    matrices: Dict[str, List[Array]] = field(default_factory=dict)
    intrinsics: Dict[str, Tuple[Array, int, int]] = field(default_factory=dict)
    fits: Dict[str, Dict[str, Agreement]] = field(default_factory=dict)


def add_frame(rig: Rig, points: Array, images: Dict[str, Any]) -> None:
    """Take a frame into the sums; ``images`` as in the info file, ``img_path`` absolute."""
    from PIL import Image

    from projects.CLAP.clap.datasets.transforms.loading import homogeneous

    lidar2cam = {name: homogeneous(view['lidar2cam']) for name, view in images.items()}
    cam2img = {name: homogeneous(view['cam2img']) for name, view in images.items()}
    rim = edge_points(points)
    for name, view in images.items():
        rig.matrices.setdefault(name, []).append(lidar2cam[name])
        with Image.open(view['img_path']) as image:
            rig.intrinsics.setdefault(name, (cam2img[name], *image.size))
            image.draft('L', (2 * WIDTH, 2 * WIDTH))
            edges = edge_map(image)
        scale = WIDTH / rig.intrinsics[name][1]
        tried = {GIVEN: (cam2img[name], lidar2cam[name])}
        tried.update({mistake: (cam2img[name], mend(lidar2cam[name])) for mistake, (_, mend) in MISTAKES.items()})
        tried.update({tilt: (cam2img[name], turn @ lidar2cam[name]) for tilt, turn in TILTS.items()})
        tried.update({other: (cam2img[other], lidar2cam[other]) for other in images if other != name})
        fits = rig.fits.setdefault(name, {})
        for label, (intrinsic, extrinsic) in tried.items():
            add(fits, label, agreement(rim, edges, scale, intrinsic, extrinsic))
        for label, (_, turn) in TURNED.items():
            add(fits, label, agreement(rim, turn(edges), scale, cam2img[name], lidar2cam[name]))


def judge(rig: Rig, where: str, look: str) -> List[Finding]:
    """Findings of a rig; ``where`` names the info file, ``look`` says which picture to look at."""
    found = _not_rigid(rig)
    sound = [name for name in rig.matrices if not any(name in problem.names for problem in found)]
    tilted = [
        name for name in sound if _down(rig.matrices[name]) < UPRIGHT and rig.fits[name][GIVEN].certainty < 5.0
    ]  # mounted on its side or head, if the images say so
    wrong = turned(rig.fits, rig.intrinsics, [name for name in sound if name not in tilted], GIVEN)
    others = [name for name in rig.matrices if wrong is None or name not in wrong[0]]
    found += _tilted(rig, sound, tilted) + _far(rig, sound) + _intrinsics(rig, others)
    if wrong is not None:
        names, text, fix, sure = wrong
        found.append(_Problem(BAD if sure else WATCH, names, text, fix))
    if not found:
        found = _contradicted(rig)
    findings = [problem.finding(where, look) for problem in found]
    return findings or [_all_well(rig, where, look)]


@dataclass
class _Problem:
    """Something that is wrong with one camera or several."""

    level: str
    names: List[str]
    text: str  # continues the names
    fix: str

    def finding(self, where: str, look: str) -> Finding:
        return Finding(
            self.level, 'calibration', f'{where}: {", ".join(self.names)}: {self.text}', f'{self.fix}; {look}'
        )


def _merged(problems: Iterable[_Problem]) -> List[_Problem]:
    """One problem for all cameras that have it, with the first one's figures."""
    kinds: Dict[str, _Problem] = {}
    for problem in problems:
        kinds.setdefault(problem.level + problem.fix, problem)
        if problem is not kinds[problem.level + problem.fix]:
            kinds[problem.level + problem.fix].names += problem.names
    return list(kinds.values())


def _not_rigid(rig: Rig) -> List[_Problem]:
    """Matrices that no camera can have."""
    found = []
    for name, matrices in rig.matrices.items():
        rotation = matrices[0][:3, :3]
        if not np.allclose([matrix[3] for matrix in matrices], [0, 0, 0, 1], atol=1e-3):
            text = f'lidar2cam has {matrices[0][3].round(3).tolist()} in its last row instead of [0, 0, 0, 1]'
            fix = 'if the translation is there: lidar2cam = lidar2cam.T'
        elif not np.allclose(rotation @ rotation.T, np.eye(3), atol=0.02):
            text = 'lidar2cam is no rotation and translation: its 3 x 3 part changes lengths or angles'
            fix = 'write the extrinsic calibration alone, without cam2img and without a scale'
        elif np.linalg.det(rotation) < 0:
            text = 'lidar2cam mirrors: the determinant of its 3 x 3 part is -1'
            fix = 'change the sign of the axis that is the wrong way'
        else:
            continue
        found.append(_Problem(BAD, [name], text, f'{fix}; {_WANTED}'))
    return _merged(found)


def _down(matrices: Sequence[Array]) -> float:
    """Cosine between the camera's down axis (y) and the LiDAR's -z."""
    return -float(np.mean([matrix[1, 2] for matrix in matrices]))


def _centre(matrices: Sequence[Array]) -> Array:
    """Where the camera is, LiDAR frame."""
    place: Array = np.mean([-matrix[:3, :3].T @ matrix[:3, 3] for matrix in matrices], axis=0)
    return place


def _explains(matrices: Sequence[Array], mistake: str) -> bool:
    """Whether mending the mistake gives an upright camera near the LiDAR that looks ahead, not at the sky."""
    mended = [MISTAKES[mistake][1](matrix) for matrix in matrices]
    return _down(mended) > 0.8 and float(np.linalg.norm(_centre(mended))) < FAR_M


def _tilted(rig: Rig, sound: List[str], tilted: List[str]) -> List[_Problem]:
    """Cameras that lie on their side or stand on their head, with the one mistake that explains most of them."""
    if not tilted:
        return []

    def rank(mistake: str) -> Tuple[int, float]:
        fits = [rig.fits[name][mistake] for name in tilted]
        return (
            sum(_explains(rig.matrices[name], mistake) for name in tilted),
            float(np.mean([fit.here + fit.gain if fit.points >= MIN_POINTS else 0.0 for fit in fits])),
        )

    mistake = max(MISTAKES, key=rank)
    explained = [name for name in tilted if _explains(rig.matrices[name], mistake)]
    found = []
    rest = [name for name in tilted if name not in explained]
    if rest:
        found.append(
            _Problem(
                WATCH,
                rest,
                f'not upright (down axis {_degrees(rig, rest)} from the LiDAR\'s -z), and no usual mistake explains it',
                'right if mounted so; else correct lidar2cam (angles in degrees taken for radians?) or the LiDAR frame '
                f'(z is up); {_WANTED}',
            )
        )
    if explained:
        also = [
            name
            for name in sound
            if name not in tilted
            and _explains(rig.matrices[name], mistake)
            and not rig.fits[name][GIVEN].beats(rig.fits[name][mistake])
        ]
        text = (
            f'lidar2cam is {mistake}. As it is, the camera\'s down axis (y) is {_degrees(rig, explained)} from the '
            'LiDAR\'s -z; mended, the cameras stand upright'
        )
        if rig_fit(rig, explained, mistake).beats(rig_fit(rig, explained, GIVEN)):
            text += ' and edges of the points lie on edges of the images'
        if also:
            text += f'. {", ".join(also)}: too, if from the same place (both ways upright)'
        found.append(
            _Problem(
                BAD,
                explained,
                text,
                f'write lidar2cam = {MISTAKES[mistake][0]} and make the info file again; {_WANTED}',
            )
        )
    return found


def _degrees(rig: Rig, names: List[str]) -> str:
    return (
        ', '.join(f'{np.degrees(np.arccos(np.clip(_down(rig.matrices[name]), -1, 1))):.0f}' for name in names)
        + ' degrees'
    )


def rig_fit(rig: Rig, names: Iterable[str], label: str) -> Agreement:
    """Agreement of several cameras together under ``GIVEN`` or a mistake mended."""
    return together(rig.fits[name][label] for name in names)


def _far(rig: Rig, names: List[str]) -> List[_Problem]:
    """Cameras that are not on the vehicle."""
    found = []
    for name in names:
        centre = _centre(rig.matrices[name])
        distance = float(np.linalg.norm(centre))
        if distance >= FAR_M:
            found.append(
                _Problem(
                    BAD if distance > VERY_FAR_M else WATCH,
                    [name],
                    f'lidar2cam puts the camera {distance:.1f} m from the LiDAR, at {centre.round(1).tolist()}',
                    'usual causes: millimetres, world coordinates, the camera\'s '
                    f'place where -R @ place belongs; correct the translation; {_WANTED}',
                )
            )
    return _merged(found)


def _contradicted(rig: Rig) -> List[_Problem]:
    """What the images say against matrices that look right: of all cameras together, then of each."""
    names = list(rig.matrices)
    mistakes = [m for m in MISTAKES if all(_explains(rig.matrices[name], m) for name in names)]
    whole = {label: rig_fit(rig, names, label) for label in [GIVEN, *mistakes]}
    mistake, sure = best_of(whole, GIVEN, mistakes)
    if mistake:
        sure = sure or (whole[mistake].certainty > 4.0 and whole[GIVEN].certainty < 1.0)
        return [_mended(BAD if sure else WATCH, names, mistake, whole)]
    if whole[GIVEN].better_shift and not any(fits[GIVEN].certainty > 2.5 for fits in rig.fits.values()):
        return [_shifted(names, whole[GIVEN])]
    tilt = max(TILTS, key=lambda label: rig_fit(rig, names, label).here)
    given, mended = whole[GIVEN], rig_fit(rig, names, tilt)
    if mended.points >= MIN_POINTS and mended.here > given.here + 0.04 and mended.gain > given.gain + 0.03:
        return [_turned(names, tilt, given, mended)]
    # Of many cameras and mistakes one fits better by chance: where the rig agrees, a single camera needs more proof.
    agrees = whole[GIVEN].certainty > 2.0
    found = [problem for name in names for problem in _contradicted_alone(rig, name, agrees)]
    if not found and whole[GIVEN].points >= 10 * MIN_POINTS and whole[GIVEN].certainty < 1.0:
        found.append(
            _Problem(
                WATCH,
                names,
                'edges of the points do not lie on edges of the images: the calibration may '
                f'be wrong, or images and sweeps of different times or turned ({whole[GIVEN].gain:+.3f} edge '
                'strength above points beside)',
                'compare points and images; check lidar2cam, cam2img and time stamps',
            )
        )
    return found


def _contradicted_alone(rig: Rig, name: str, agrees: bool) -> List[_Problem]:
    fits = rig.fits[name]
    mistake, sure = best_of(fits, GIVEN, [m for m in MISTAKES if _explains(rig.matrices[name], m)])
    other, sure_other = best_of(fits, GIVEN, [n for n in rig.matrices if n != name])
    if mistake and (sure or not agrees):
        return [_mended(BAD if sure else WATCH, [name], mistake, fits)]
    if other and (sure_other or not agrees):
        return [
            _Problem(
                BAD if sure_other else WATCH,
                [name],
                f'the image fits the calibration of {other} and not its own ({_numbers(fits, other)})',
                'calibrations or images are exchanged: correct the names in the info file',
            )
        ]
    if fits[GIVEN].better_shift:
        return [_shifted([name], fits[GIVEN])]
    return []


def _shifted(names: List[str], fit: Agreement) -> _Problem:
    return _Problem(
        WATCH,
        names,
        f'points and image fit better if the points move by {fit.better_shift / WIDTH:+.1%} of the image\'s width',
        'check the rotation in lidar2cam, the '
        'principal point in cam2img, and that image and sweep are of the same time',
    )


def _turned(names: List[str], tilt: str, given: Agreement, mended: Agreement) -> _Problem:
    return _Problem(
        WATCH,
        names,
        f'points and image fit better if lidar2cam is turned by about {tilt} (edge strength {mended.here:.2f} instead '
        f'of {given.here:.2f})',
        'check the rotation in lidar2cam',
    )


def _mended(level: str, names: List[str], mistake: str, fits: Dict[str, Agreement]) -> _Problem:
    text = (
        f'edges of the points lie on edges of the image if lidar2cam is taken to be {mistake}, and not as it is '
        f'({_numbers(fits, mistake)})'
    )
    return _Problem(
        level, names, text, f'write lidar2cam = {MISTAKES[mistake][0]} and make the info file again; {_WANTED}'
    )


def _numbers(fits: Dict[str, Agreement], name: str) -> str:
    return (
        f'edge strength {fits[name].here:.2f} instead of {fits[GIVEN].here:.2f}, {fits[name].gain:+.2f} and '
        f'{fits[GIVEN].gain:+.2f} above points beside'
    )


def _intrinsics(rig: Rig, names: List[str]) -> List[_Problem]:
    """Principal points far from the middle: the calibration of an image of another size."""
    found = []
    for name in names:
        cam2img, width, height = rig.intrinsics[name]
        x, y = float(cam2img[0, 2]) / width, float(cam2img[1, 2]) / height
        if abs(x - 0.5) < 0.2 and abs(y - 0.5) < 0.25:
            continue
        factor = 0.5 / x if x > 0.01 else 0.0
        resized = 0.3 < factor * y < 0.7 and 0.02 < factor < 50
        guess = f': the calibration of an image {1 / factor:.2g} times as wide?' if resized else ''
        found.append(
            _Problem(
                WATCH,
                [name],
                f'the principal point in cam2img is ({cam2img[0, 2]:.0f}, {cam2img[1, 2]:.0f}), the image '
                f'has {width} x {height} pixels{guess}',
                'multiply the first two rows of cam2img by width now / width at calibration'
                if resized
                else 'right if the image was cut on one side; else write cam2img in pixels of this image',
            )
        )
    return _merged(found)


def _all_well(rig: Rig, where: str, look: str) -> Finding:
    far = max((float(np.linalg.norm(_centre(m))) for m in rig.matrices.values()), default=0.0)
    seen = [name for name, fits in rig.fits.items() if fits[GIVEN].points >= MIN_POINTS and fits[GIVEN].certainty > 1.5]
    whole = rig_fit(rig, rig.matrices, GIVEN)
    return Finding(
        GOOD,
        'calibration',
        f'{where}: {len(rig.matrices)} cameras upright, within {far:.1f} m of the LiDAR; '
        f'edges of points and image agree in {len(seen)} of them (edge strength {whole.here:.2f}, '
        f'{whole.gain:+.2f} above points beside), no usual mistake fits better; {look}',
    )
