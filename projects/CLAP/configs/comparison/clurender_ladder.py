# CluRender's ablation (clusters, colours, both) on single objects: accuracy of a linear SVM on frozen features of
# PointNet and DGCNN, beside the same networks untrained. 40 minutes of two cores.
#   export CLAP_DATA_ROOT=data
#   python tools/create_data.py objects --out $CLAP_DATA_ROOT/objects
#   python tools/analysis_tools/label_efficiency.py projects/CLAP/configs/comparison/clurender_ladder.py \
#     --work-dir work_dirs/clurender_ladder --jobs 2
# Keys: see sim.py.
name = 'clurender_ladder'
title = 'CluRender on single objects: clusters, colours, both'
make_data = 'python tools/create_data.py objects --out {data_root}'
note = (
    'Fixed before the runs: objects (400 to train, 200 to test, twenty kinds of the simulated world, turned at random '
    'about the vertical), networks, 20 epochs and seeds. The paper (pre-trained on ShapeNet, measured on ModelNet40): '
    'clusters alone 90.0 and 91.4, colours alone 88.9 and 91.2, both 90.4 and 92.3 (PointNet, DGCNN).'
)

seeds = [0, 1, 2]
narrow = ['model.backbone.type=CLAPDGCNN', 'model.backbone.channels=[32,32,64]', 'model.backbone.num_neighbours=10']
clusters, colours = ['model.splat_head=None'], ['model.cluster_head=None']
pretrain = dict(
    pointnet_clusters=dict(config='../clurender_objects.py', epochs=20, seeds=seeds, options=clusters),
    pointnet_colours=dict(config='../clurender_objects.py', epochs=20, seeds=seeds, options=colours),
    pointnet_both=dict(config='../clurender_objects.py', epochs=20, seeds=seeds),
    dgcnn_clusters=dict(config='../clurender_objects.py', epochs=20, seeds=seeds, options=[*narrow, *clusters]),
    dgcnn_colours=dict(config='../clurender_objects.py', epochs=20, seeds=seeds, options=[*narrow, *colours]),
    dgcnn_both=dict(config='../clurender_objects.py', epochs=20, seeds=seeds, options=narrow),
)
arms = [dict(name='random')]
baseline = 'random'
subject = 'random'
rows = []
finetune = None
probe = None
del seeds, narrow, clusters, colours
