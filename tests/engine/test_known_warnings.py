"""Known noise is gone, everything else is said."""

from __future__ import annotations

import logging
import warnings

import pytest

from projects.CLAP.clap.engine.known_warnings import hide_known_warnings, without_file_warnings


def test_exactly_the_known_ones_are_hidden(caplog: pytest.LogCaptureFixture) -> None:
    import torch.fx._symbolic_trace as trace

    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter('always')
        hide_known_warnings()
        hide_known_warnings()
        warnings.warn(
            'Seems like `optimizer.step()` has been overridden after parameter value scheduler initialization.',
            UserWarning,
            stacklevel=1,
        )
        warnings.warn('Seems like something else', UserWarning, stacklevel=1)
    assert [str(w.message) for w in said] == ['Seems like something else']
    logger = trace.log
    assert not logger.filter(
        logger.makeRecord(
            logger.name,
            logging.WARNING,
            '',
            1,
            'is_fx_tracing will return true for both fx.symbolic_trace and torch.export.',
            (),
            None,
        )
    )
    assert logger.filter(logger.makeRecord(logger.name, logging.WARNING, '', 1, 'another', (), None))


def test_the_checkpoint_hook_is_quiet_while_it_begins(caplog: pytest.LogCaptureFixture) -> None:
    from mmengine.fileio import FileClient
    from mmengine.logging import MMLogger

    logger = MMLogger.get_instance('known_warnings')
    lines = []
    handler = logging.Handler()
    handler.emit = lambda record: lines.append(record.getMessage())
    logger.addHandler(handler)
    with without_file_warnings(logger):
        FileClient.infer_client(None, '/tmp')
        logger.warning('something else')
    assert lines == ['something else']
    FileClient.infer_client(None, '/tmp')
    assert any('FileClient' in line for line in lines), 'shown again afterwards'
