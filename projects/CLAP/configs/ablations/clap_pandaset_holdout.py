# PandaSet with the last three of the fourteen frames held out: what a checkpoint makes of frames that it never saw.
#   python tools/train.py projects/CLAP/configs/ablations/clap_pandaset_holdout.py
# tools/analysis_tools/sampler_enrichment.py takes it with a checkpoint of that run.
_base_ = '../clap_pandaset.py'

model = dict(ray_sampler=dict(min_range_m=1.0))
train_dataloader = dict(dataset=dict(indices=list(range(11))))
val_dataloader = dict(dataset=dict(indices=[11, 12, 13]))
test_dataloader = val_dataloader
