# KITTI odometry with SemanticKITTI's labels, official split: as kitti_raw.py, from which its sequences are taken. The
# labels (semantic_path) are for segmentation; pre-training reads none.
# Another folder: export CLAP_DATA_ROOT=/where/the/data/are (with semantickitti/ in it).
_base_ = './kitti_raw.py'

data_root = '{{$CLAP_DATA_ROOT:data}}/semantickitti/'
class_names = [
    'car', 'bicycle', 'motorcycle', 'truck', 'other-vehicle', 'person', 'bicyclist', 'motorcyclist', 'road', 'parking',
    'sidewalk', 'other-ground', 'building', 'fence', 'vegetation', 'trunk', 'terrain', 'pole', 'traffic-sign',
]  # fmt: skip
semantic_classes = {'_delete_': True, **{name: [name] for name in class_names}}
frames = dict(data_root=data_root, cameras=['image_2'])
train_dataloader = dict(dataset=dict(frames, ann_file='semantickitti_infos_train.pkl'))
# ten scans a second, of which one is measured
val_dataloader = dict(dataset=dict(frames, ann_file='semantickitti_infos_val.pkl', load_interval=10))
test_dataloader = val_dataloader
segmentation = dict(
    train_dataloader=dict(dataset=dict(semantic_classes=semantic_classes)),
    val_dataloader=dict(dataset=dict(semantic_classes=semantic_classes, load_interval=1)),
    val_evaluator=dict(classes=class_names),
)
del frames
