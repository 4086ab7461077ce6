#!/usr/bin/env python
"""Save what a checkpoint makes of frames as a 3-D scene for the rerun viewer.

The clouds that the method declares (CLAP: curvature, prototype, range error; a tab
each), with the cameras, their images and the labelled boxes, if the info file has any.
Open the file with `rerun FILE` on any machine with a screen and a GPU.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('config', help='pre-training configuration')
    parser.add_argument('checkpoint', help='checkpoint file')
    parser.add_argument('--out', default='work_dirs/view3d.rrd', help='the file (default: work_dirs/view3d.rrd)')
    parser.add_argument('--frames', type=int, nargs='+', default=[0], help='indices into the evaluation dataset')
    parser.add_argument('--cfg-options', nargs='+', default=[], metavar='KEY=VALUE')
    return parser.parse_args()


def boxes_of(dataset, index: int) -> tuple:
    """Boxes (M, 7) about their centre of gravity and class names of a frame; none where there are no labels."""
    import numpy as np

    annotation = dataset.get_data_info(index).get('eval_ann_info') or {}
    boxes, classes = annotation.get('gt_bboxes_3d'), dataset.metainfo.get('classes', ())
    if boxes is None or not len(boxes):
        return np.zeros((0, 7), np.float32), []
    table = np.concatenate([boxes.gravity_center.numpy(), boxes.dims.numpy(), boxes.yaw.numpy()[:, None]], axis=1)
    return table, [classes[i] if 0 <= i < len(classes) else 'ignored' for i in annotation['gt_labels_3d']]


def main() -> None:
    args = parse_args()
    from projects.CLAP.clap.engine.checkpoint.restore import restore_model, single_batch
    from projects.CLAP.clap.engine.config.load import load_config
    from projects.CLAP.clap.pretrain.pictures import photos
    from projects.CLAP.clap.visualization.view3d import Recording, ViewerNotInstalledError, import_rerun

    try:
        import_rerun()
    except ViewerNotInstalledError as error:
        raise SystemExit(f'error: {error}') from None
    cfg = load_config(args.config, args.cfg_options)
    cfg.val_dataloader.dataset.update(with_annotations=True, test_mode=True)
    model, dataset = restore_model(cfg, args.checkpoint)
    recording, counts = Recording(Path(args.out), Path(args.config).stem), dict(points=0, boxes=0)
    for time, index in enumerate(args.frames):
        batch = single_batch(model, dataset, index)
        meta, clouds = batch['data_samples'][0].metainfo, model.clouds(batch)
        boxes, labels = boxes_of(dataset, index)
        recording.add(time, clouds, photos(model.views(batch['inputs'], [meta])[0], meta), meta, boxes, labels)
        points = max((len(cloud.points) for cloud in clouds.values()), default=0)
        counts = dict(points=counts['points'] + points, boxes=counts['boxes'] + len(boxes))
    recording.close()
    print(f'{args.out}: open it with `rerun {args.out}` (pip install rerun-sdk=={import_rerun().__version__})')
    print(json.dumps(dict(file=args.out, bytes=Path(args.out).stat().st_size, frames=len(args.frames), **counts)))


if __name__ == '__main__':
    from projects.CLAP.clap.engine.command import run

    run(main)
