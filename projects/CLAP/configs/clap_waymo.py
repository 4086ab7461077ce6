# CLAP on Waymo, with the paper's model and schedule for nuScenes, range and voxels of OpenPCDet's CenterPoint on Waymo:
#   python tools/create_data.py waymo --root /path/to/waymo --out data/waymo --jobs 8
#   tools/dist_train.sh projects/CLAP/configs/clap_waymo.py 8
_base_ = [
    '../../../configs/_base_/datasets/waymo.py',
    '../../../configs/_base_/models/clap_voxel0075_swint.py',
    '../../../configs/_base_/schedules/clap_12e.py',
    '../../../configs/_base_/default_runtime.py',
]

model = dict(
    voxelize_cfg=dict(
        point_cloud_range=_base_.point_cloud_range, voxel_size=[0.1, 0.1, 0.15], max_voxels=[150000, 150000]
    ),
    view_transform=dict(image_size=_base_.image_size, dbound=[1.0, 76.0, 0.5]),
)
