# CLAP on Argoverse 2, with the paper's model and schedule for nuScenes:
#   python tools/create_data.py argoverse2 --root /path/to/argoverse2 --out data/argoverse2
#   tools/dist_train.sh projects/CLAP/configs/clap_argoverse2.py 8
_base_ = [
    '../../../configs/_base_/datasets/argoverse2.py',
    '../../../configs/_base_/models/clap_voxel0075_swint.py',
    '../../../configs/_base_/schedules/clap_12e.py',
    '../../../configs/_base_/default_runtime.py',
]

model = dict(
    voxelize_cfg=dict(point_cloud_range=_base_.point_cloud_range),
    view_transform=dict(image_size=_base_.image_size),
)
