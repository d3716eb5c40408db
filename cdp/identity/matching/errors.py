"""What matching cannot do with what it was given.

Belongs here: the error. Does not belong here: mistakes in `matching.yml`, which its reader finds.
"""

from __future__ import annotations


class MatchingError(ValueError):
    """Records or parameters do not fit the model; says what was expected, never a value."""
