"""What every mapping of settings has in common: known keys, nulls that say nothing, conflicts in words.

A null value means "not set", so that a section whose keys are all commented out is no mistake.
"""

from collections.abc import Iterator
from typing import Any, ClassVar, Self

from pydantic import BaseModel, ConfigDict, model_validator
from pydantic_core import PydanticCustomError

# The key, or the path of keys below the section, and the sentence about it.
Conflict = tuple[str | tuple[str, ...], str]


class Section(BaseModel):
    """One mapping of settings. `later` are keys of the design that this version does not have yet."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    later: ClassVar[frozenset[str]] = frozenset()

    @model_validator(mode="before")
    @classmethod
    def _null_is_not_set(cls, data: Any) -> Any:
        if data is None:
            return {}
        if not isinstance(data, dict):
            return data
        return {key: v for key, v in data.items() if v is not None or key not in cls.model_fields}

    @model_validator(mode="after")
    def _goes_together(self) -> Self:
        conflicts = list(self.conflicts())
        if conflicts:
            raise PydanticCustomError(
                "conflicts", "settings that do not go together", {"conflicts": conflicts}
            )
        return self

    def conflicts(self) -> Iterator[Conflict]:
        """Settings of this section that do not go together: the key, and the sentence about it."""
        return iter(())
