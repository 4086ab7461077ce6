"""What every command does with an error that is the user's to mend."""

from __future__ import annotations

import errno
import os
import sys
from typing import Callable

from .allocator import keep_freed_memory
from .known_warnings import hide_known_warnings

#: A full disk, a quota, a limit on the size of a file.
_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def run(main: Callable[[], None], interrupted: str = '') -> None:
    """Run a command; known errors end it with their message alone, the rest with a traceback.

    Args:
        main: the command.
        interrupted: what to tell a user who stops it by Ctrl-C.

    ``CLAP_TRACEBACK=1`` shows the traceback of every error.
    """
    keep_freed_memory()
    hide_known_warnings()
    try:
        main()
    except Exception as error:
        from ..errors import CLAPError, ConfigError, DataError
        from .config.build_errors import configuration_error, what_was_built
        from .loader_errors import loader_error

        if isinstance(error, OSError) and error.errno in _NO_ROOM:
            error = OSError(
                f'{error}. Nothing more can be written; checkpoints that are there are whole. Make room, '
                'then run it again (training: --resume)'
            )
        elif isinstance(error, ConfigError):
            error = ConfigError(f'{error}{what_was_built(error)}').with_traceback(error.__traceback__)
        elif not isinstance(error, (CLAPError, FileNotFoundError)):
            loading, configuration = loader_error(error), configuration_error(error)
            if loading is None and configuration is None:
                raise
            wrapped = DataError(loading) if loading else ConfigError(configuration)
            error = wrapped.with_traceback(error.__traceback__)
        if os.environ.get('CLAP_TRACEBACK') == '1':
            raise
        print(f'\nerror: {error}\n(CLAP_TRACEBACK=1 shows where)', file=sys.stderr)
        raise SystemExit(1) from None
    except KeyboardInterrupt:
        print(f'\ninterrupted; {interrupted}' if interrupted else '\ninterrupted', file=sys.stderr)
        raise SystemExit(130) from None
