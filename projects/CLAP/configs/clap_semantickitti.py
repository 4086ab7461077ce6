# CLAP on the sequences of SemanticKITTI, with the paper's model and schedule for nuScenes:
#   python tools/create_data.py semantickitti --root /path/to/semantickitti --out data/semantickitti
#   tools/dist_train.sh projects/CLAP/configs/clap_semantickitti.py 8
_base_ = [
    '../../../configs/_base_/datasets/semantickitti.py',
    '../../../configs/_base_/models/clap_voxel0075_swint.py',
    '../../../configs/_base_/schedules/clap_12e.py',
    '../../../configs/_base_/default_runtime.py',
]

model = dict(
    voxelize_cfg=dict(point_cloud_range=_base_.point_cloud_range),
    view_transform=dict(image_size=_base_.image_size),
)
