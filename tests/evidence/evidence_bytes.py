"""A medium in memory."""

from __future__ import annotations


class Bytes:
    def __init__(self, data: bytes) -> None:
        self.data, self.size, self.sector_size = data, len(data), 512
        self.damaged: dict[int, tuple[int, str]] = {}

    def read_at(self, offset: int, length: int) -> bytes:
        return self.data[offset : offset + max(0, length)]

    def close(self) -> None:
        pass
