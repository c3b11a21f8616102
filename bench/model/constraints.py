"""Constraints of values that people write."""

from typing import Annotated

from annotated_types import Gt, Len, Lt
from pydantic import AllowInfNan, Field

# Constraints hold where a file is read. Plans have had to meet these from their first day: old runs do too.
Text = Annotated[str, Field(pattern=r"\S")]
Positive = Annotated[float, Gt(0), AllowInfNan(False)]
Proportion = Annotated[float, Gt(0), Lt(1)]  # 0.05: 5 %
AtLeastOne = Len(1)
