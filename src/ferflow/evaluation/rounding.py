"""To how many digits scores are written."""

from __future__ import annotations

from typing import Final

#: After the decimal point, in every file. More would show differences between processors as changes.
DIGITS: Final = 6
