# The paper's SemanticKITTI row as far as it can be reconstructed: the same network on Cylinder3D's grid, 480 x 360 x 32
# voxels of distance, angle and height. The kernels of the pre-trained encoder then see the distance for x and the angle
# for y. Learning rate and length are what a public fork of Cylinder3D by the paper's first author has (Adam, 1e-3,
# batches of 2, 10 to 20 epochs); the paper names neither.
_base_ = './segmentor_semantickitti.py'

model = dict(
    grid='cylinder',
    voxelize_cfg=dict(
        point_cloud_range=[0.0, -3.14159265, -4.0, 50.0, 3.14159265, 2.0],
        voxel_size=[50 / 480, 2 * 3.14159265 / 360, 6 / 32],
    ),
)
everything = dict(dataset=dict(pipeline=dict(point_range=None)))  # what lies beyond the grid has no voxel
train_dataloader = dict(everything, batch_size=2)
val_dataloader = everything
test_dataloader = everything
optim_wrapper = dict(optimizer=dict(lr=1e-3))
del everything
