"""Small frozen records that travel between the stages of a pre-training step."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Optional, Union

from torch import Tensor

from .functional import ProjectedPoints, project_points

#: Class of a point that has none, in labels of points.
NO_CLASS = 255


@dataclass(frozen=True)
class EncoderOutput:
    """Bird's-eye-view features of Eqs. 1-3; axis -2 is x, axis -1 is y.

    A branch that the model does not have is ``None``.
    """

    lidar_bev: Optional[Tensor]  # (B, 256, X, Y), P-hat
    camera_bev: Optional[Tensor]  # (B, 80, X, Y), I-hat
    fused_bev: Tensor  # (B, 512, X, Y), F-hat


@dataclass(frozen=True)
class KeyframeSweep:
    """The unmasked keyframe sweep of one sample, or it and those before it: what rendering is compared with.

    All in metres in the augmented LiDAR frame.
    """

    points: Tensor  # (N, 3)
    origins: Tensor  # (N, 3) sensor position from which each point was seen
    heldout: Tensor  # (N,) bool, points that the loss never sees
    own: Tensor  # (N,) bool, returns from the own vehicle, never a target

    def within(self, low: Tensor, high: Tensor, min_range_m: float) -> Tensor:
        """(N,) bool: points in the box [low, high), (3,) each, far enough from their sensor, off the own vehicle."""
        far = (self.points - self.origins).norm(dim=-1) > min_range_m
        return ((self.points >= low) & (self.points < high)).all(-1) & far & ~self.own


@dataclass(frozen=True)
class CameraMatrices:
    """The calibration of C cameras as homogeneous 4 x 4 matrices; of a batch with a first axis B."""

    lidar2img: Tensor  # (C, 4, 4) un-augmented LiDAR frame -> original pixels
    cam2img: Tensor  # (C, 4, 4) intrinsics of the original image
    cam2lidar: Tensor  # (C, 4, 4) camera -> un-augmented LiDAR frame
    img_aug: Tensor  # (C, 4, 4) original pixel -> augmented pixel
    lidar_aug: Tensor  # (4, 4) LiDAR frame -> augmented LiDAR frame

    def sample(self, index: int, like: Tensor) -> CameraMatrices:
        """Those of one sample of a batch, with the device and the type of ``like``."""
        return CameraMatrices(**{name: matrices[index].to(like) for name, matrices in vars(self).items()})


@dataclass(frozen=True)
class CameraViews(CameraMatrices):
    """The unmasked images of one sample with everything that maps pixels to rays."""

    rgb: Tensor  # (C, 3, H, W) in [0, 1], augmented image
    original_size: Tensor  # (C, 2) height and width of the original images, pixels

    def project(self, points: Tensor) -> ProjectedPoints:
        """Points (N, 3), metres, augmented LiDAR frame, in the augmented images."""
        return project_points(points, self.lidar2img, self.img_aug, self.lidar_aug, self.rgb.shape[-2:])


@dataclass(frozen=True)
class RayBundle:
    """Rays of one kind and one sample, with what was observed along them.

    Lengths in metres, augmented LiDAR frame.
    """

    kind: str  # 'lidar' or 'camera'
    origins: Tensor  # (R, 3)
    directions: Tensor  # (R, 3), unit
    targets: Tensor  # lidar: (R,) range in metres; camera: (R, 3) RGB in [0, 1]
    source: Tensor  # lidar: (R,) index of the point; camera: (R, 3) camera, row, column
    weights: Optional[Tensor] = None  # (R,) in the means of the loss; None: all alike

    def __len__(self) -> int:
        return self.origins.shape[0]

    def __getitem__(self, index: Union[slice, Tensor]) -> RayBundle:
        """Some of the rays."""
        weights = None if self.weights is None else self.weights[index]
        return RayBundle(
            self.kind, self.origins[index], self.directions[index], self.targets[index], self.source[index], weights
        )


@dataclass(frozen=True)
class RenderOutput:
    """What the renderer saw along R rays (Eqs. 7-9)."""

    range_m: Tensor  # (R,) expected range, not divided by the opacity
    rgb: Optional[Tensor]  # (R, 3), or None if colour was not asked for
    opacity: Tensor  # (R,) sum of the weights, in [0, 1]
    valid: Tensor  # (R,) bool: the ray crosses the volume
    sdf: Tensor  # (R, S) metres at the sample edges
    target_sdf: Optional[Tensor]  # (R,) metres where a LiDAR ray was observed to end; None for camera rays
    edges: Tensor  # (R, S) range of the sample edges, metres
