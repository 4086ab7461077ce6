# nus.py with its labels, for a detector; which frames an epoch has is for the recipe to say.
_base_ = './nus.py'

train_dataloader = _base_.detection.train_dataloader
val_dataloader = _base_.detection.val_dataloader
test_dataloader = val_dataloader
val_evaluator = _base_.detection.val_evaluator
test_evaluator = val_evaluator
