"""What containers are made of: `[images]` of the appliance table."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator


class Image(BaseModel):
    """One image. Ours has a budget; another's has a tag, and a digest that pins it.

    `extras` are those of pyproject.toml that ours installs, none being the core alone. Another's
    is told where its `data` lies, its `environment`, and its `arguments`, in which `{memory_mb}`
    stands for the MiB that it may fill itself. One that `starts_plain` does so as a plain user, who
    cannot make the data his own.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    max_mb: Annotated[int, Field(ge=1, description="MiB unpacked; building more is refused")] = 0
    extras: tuple[str, ...] = ()
    cuda: bool = False
    tag: str = ""
    digest: Annotated[str, Field(pattern=r"^(sha256:[0-9a-f]{64})?$")] = ""
    data: Annotated[str, Field(pattern="^(/.+)?$", description="a directory inside the image")] = ""
    environment: dict[str, str] = {}
    arguments: tuple[str, ...] = ()
    starts_plain: bool = False

    @model_validator(mode="after")
    def _ours_or_theirs(self) -> Self:
        if bool(self.max_mb) == bool(self.tag):
            raise ValueError("an image has either max_mb (ours) or a tag (another's)")
        if self.digest and not self.tag:
            raise ValueError("only another's image is pinned by a digest")
        if bool(self.data) != bool(self.tag):
            raise ValueError("another's image says where its data lies, and ours does not")
        return self

    def told(self, memory_mb: float) -> list[str]:
        """The arguments for a server that may fill so many MiB."""
        return [each.replace("{memory_mb}", str(int(memory_mb))) for each in self.arguments]

    @property
    def ours(self) -> bool:
        return bool(self.max_mb)


Images = dict[str, Image]


def reference(images: Images, name: str, version: str) -> str:
    """What an engine is told to run: `name@sha256:…` where it is pinned, else `name:tag`."""
    image = images[name]
    if image.digest:
        return f"{name}@{image.digest}"
    return f"{name}:{image.tag or version}"
