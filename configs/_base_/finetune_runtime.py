# default_runtime.py for a detector: nothing of pre-training's, and a check of what load_from brings.
_base_ = './default_runtime.py'

default_hooks = dict(
    warmup=None,
    gradient_share=None,
    unmasked_norm=None,
    pictures=None,
    # load_from=FILE: a table of what was loaded; the run stops if an encoder got less than this share.
    transfer=dict(type='TransferReportHook', min_share=0.99),
)
