"""Single objects as point clouds from OFF files, in ModelNet40's layout, with views beside them where there are any."""

from __future__ import annotations

import hashlib
import io
import zipfile
from pathlib import Path
from typing import Dict, List, Sequence

import numpy as np
import torch
import trimesh
from mmdet3d.registry import DATASETS
from mmengine.structures import BaseDataElement
from torch.utils.data import Dataset

from ..errors import ConfigError, DataError, DatasetError

SPLITS = ('train', 'test')


def read_off(path: Path) -> trimesh.Trimesh:
    """The triangles of an OFF file; ModelNet40 has some whose first line runs into the counts (``OFF490 518 0``).

    Raises:
        DataError: the file is no OFF file, is cut off, or has no surface.
    """
    text = path.read_text(errors='replace').lstrip()
    if not text.startswith('OFF'):
        raise DataError(f'{path} does not begin with OFF; expected a mesh in the Object File Format')
    try:
        mesh = trimesh.load(io.StringIO('OFF\n' + text[3:]), file_type='off', process=False)
        whole = np.isfinite(mesh.vertices).all() and 0 < mesh.area < np.inf
    except (ValueError, IndexError, KeyError, AttributeError, TypeError) as error:
        raise DataError(f'{path} cannot be read ({error}): damaged or cut off, copy it again') from None
    if not whole:
        raise DataError(f'{path} has no surface of finite size to take points from; copy it again or remove it')
    return mesh


@DATASETS.register_module()
class CLAPObjectDataset(Dataset):
    """Clouds of single objects, drawn once from their surfaces, in the unit sphere.

    Files are ``data_root/CLASS/SPLIT/NAME.off``, as in ModelNet40; ``tools/create_data.py objects`` writes such a
    folder, and beside each ``.off`` an ``.npz`` with its views: ``images`` (V, H, W, 3) uint8, ``cam2img`` and
    ``world2cam`` (V, 4, 4) in the file's frame.

    An item: ``inputs`` with ``points`` (num_points, 3) about the middle of the object's bounds, its farthest vertex at
    distance 1, and, with views, ``images`` (V, 3, H, W) uint8, ``cam2img`` and ``world2cam`` (V, 4, 4) in the frame of
    the points; ``data_samples`` with ``class_name``, ``split`` and ``path``. The points of an object depend on its name
    alone: there is no augmentation.

    Args:
        data_root: the folder.
        ann_file: list of the objects in it, a path and whatever else a line, as the command writes it; '' takes all
            files that there are.
        splits: ``'train'``, ``'test'`` or both.
        num_points: per object.
        views: load the views; False for folders that have none.
    """

    def __init__(
        self,
        data_root: str,
        ann_file: str = '',
        splits: Sequence[str] = ('train',),
        num_points: int = 1024,
        views: bool = True,
    ) -> None:
        unknown = set(splits) - set(SPLITS)
        if unknown or not splits or num_points < 1:
            raise ConfigError(f'splits must be of {SPLITS} and num_points positive, got {splits!r} and {num_points}')
        self.data_root, self.num_points, self.views = data_root, num_points, views
        self.ann_file = str(Path(data_root) / ann_file) if ann_file else ''
        self.files = [path for path in self._listed() if path.parts[-2] in splits]
        if not self.files:
            raise DatasetError(
                f'{data_root} has no CLASS/{{{",".join(splits)}}}/*.off, or none in {ann_file or "it"}; make objects: '
                f"python tools/create_data.py objects --out {data_root}; or give data_root ModelNet40's folder, and "
                "ann_file=''"
            )
        blind = [path for path in self.files if not path.with_suffix('.npz').is_file()] if views else []
        if blind:
            raise DatasetError(
                f'{len(blind)} of {len(self.files)} objects have no views ({blind[0].with_suffix(".npz")}); ModelNet40 '
                'has none: set views=False of the data set and train by model.splat_head=None'
            )
        self.metainfo = dict(classes=sorted({path.parts[-3] for path in self.files}))
        self._clouds: Dict[int, tuple] = {}

    def _listed(self) -> List[Path]:
        if not self.ann_file:
            return sorted(Path(self.data_root).glob('*/*/*.off'))
        try:
            lines = Path(self.ann_file).read_text().splitlines()
        except OSError:
            return []
        return [Path(self.data_root) / line.split()[0] for line in lines if line.strip()]

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, index: int) -> dict:
        """See the class; ``DataError`` names a file that cannot be read."""
        path = self.files[index]
        if index not in self._clouds:
            self._clouds[index] = self._cloud(path)
        points, from_points = self._clouds[index]
        inputs = dict(points=torch.from_numpy(points))
        if self.views:
            inputs.update(self._load_views(path.with_suffix('.npz'), from_points))
        sample = BaseDataElement(
            metainfo=dict(class_name=path.parts[-3], split=path.parts[-2], path=str(path.relative_to(self.data_root)))
        )
        return dict(inputs=inputs, data_samples=sample)

    def _cloud(self, path: Path) -> tuple:
        """Points (N, 3) float32 in the unit sphere, and (4, 4) from there into the file's frame."""
        mesh = read_off(path)
        seed = int.from_bytes(hashlib.blake2b(path.name.encode(), digest_size=4).digest(), 'little')
        points, _ = trimesh.sample.sample_surface(mesh, self.num_points, seed=seed)
        middle = mesh.vertices[np.unique(mesh.faces)]
        centre = (middle.min(axis=0) + middle.max(axis=0)) / 2
        radius = np.linalg.norm(middle - centre, axis=1).max()
        from_points = np.diag([radius, radius, radius, 1.0])
        from_points[:3, 3] = centre
        return ((points - centre) / radius).astype(np.float32), from_points

    @staticmethod
    def _load_views(path: Path, from_points: np.ndarray) -> Dict[str, torch.Tensor]:
        try:
            with np.load(path) as content:
                images, cam2img, world2cam = (content[key] for key in ('images', 'cam2img', 'world2cam'))
        except (OSError, KeyError, ValueError, zipfile.BadZipFile) as error:
            raise DataError(f'{path} cannot be read ({error}): damaged or cut off, make it again') from None
        count = len(images)
        if images.dtype != np.uint8 or images.ndim != 4 or {cam2img.shape, world2cam.shape} != {(count, 4, 4)}:
            raise DataError(
                f'{path}: expected images (V, H, W, 3) uint8 and V matrices (4, 4), got {images.shape} {images.dtype}, '
                f'{cam2img.shape} and {world2cam.shape}; make it again'
            )
        return dict(
            images=torch.from_numpy(np.ascontiguousarray(images.transpose(0, 3, 1, 2))),
            cam2img=torch.from_numpy(cam2img.astype(np.float32)),
            world2cam=torch.from_numpy((world2cam @ from_points).astype(np.float32)),
        )
