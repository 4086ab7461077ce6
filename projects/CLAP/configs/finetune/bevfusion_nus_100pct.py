# BEVFusion on nuScenes with all labels; the smaller shares build on this file.
#   tools/dist_train.sh projects/CLAP/configs/finetune/bevfusion_nus_100pct.py 8 \
#     --cfg-options load_from=clap_export.pth model.img_backbone.init_cfg=None
# Without load_from: the random arm (encoders from scratch, the image backbone from supervised Swin-T).
_base_ = [
    '../../../../configs/_base_/datasets/det_nus.py',
    '../../../../configs/_base_/models/bevfusion_voxel0075_swint.py',
    '../../../../configs/_base_/schedules/det_6e.py',
    '../../../../configs/_base_/default_runtime.py',
]

custom_hooks = [
    dict(type='StepSeedHook'),
    dict(type='NonFiniteLossHook'),
    dict(type='DatasetCheckHook'),
    dict(type='RunRecordHook'),
    # load_from=FILE: a table of what was loaded; the run stops if an encoder got less than this share.
    dict(type='TransferReportHook', min_share=0.99),
]
