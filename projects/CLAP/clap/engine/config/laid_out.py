"""A configuration whose text is laid out once."""

from __future__ import annotations

from typing import ClassVar, Dict

from mmengine.config import Config


class LaidOutConfig(Config):
    """MMEngine's ``Config`` that remembers its text: the runner asks for it at the start and for every checkpoint, and
    yapf takes three seconds to lay out one of this project."""

    _texts: ClassVar[Dict[str, str]] = {}  # by content

    @classmethod
    def of(cls, cfg: Config) -> LaidOutConfig:
        """The same configuration, with the same dictionary behind it."""
        made = cls.__new__(cls)
        made.__setstate__(cfg.__getstate__())
        return made

    @property
    def pretty_text(self) -> str:
        """As the parent."""
        content = repr(self)
        if content not in self._texts:
            self._texts[content] = super().pretty_text
        return self._texts[content]
