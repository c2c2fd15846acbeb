"""The texts of categories, by code."""

from collections.abc import Callable, Sequence

from headrace.wire.frames import DictionaryDelta


class Dictionaries:
    """What a worker knows of the log's dictionaries: those that were asked for, kept up by frames."""

    def __init__(self, read: Callable[[str], list[str]]) -> None:
        """Know none yet.

        Parameters
        ----------
        read
            Reads a whole dictionary from the log.
        """
        self._read = read
        self._texts: dict[str, list[str]] = {}

    def grow(self, delta: DictionaryDelta) -> None:
        """Take new entries."""
        texts = self._texts.get(delta["name"])
        start = int(delta["from"])
        # One that nobody has asked for, or with a hole, is read from the log when it is needed.
        if texts is not None and start <= len(texts):
            texts[start:] = delta["values"]
        else:
            self._texts.pop(delta["name"], None)

    def forget(self) -> None:
        """Read each anew when it is next asked for: the log has entries that came in no frame."""
        self._texts = {}

    def texts(self, name: str, size: int) -> Sequence[str]:
        """Return the texts of a dictionary by code, at least `size` of them if the log has so many."""
        texts = self._texts.get(name)
        if texts is None or len(texts) < size:
            texts = self._texts[name] = self._read(name)
        return texts

    def texts_of(self, name: str, codes: Sequence[float]) -> list[str | None]:
        """Return the texts of some codes; NaN is null."""
        known = [None if code != code else int(code) for code in codes]
        texts = self.texts(name, 1 + max((code for code in known if code is not None), default=-1))
        return [None if code is None else texts[code] for code in known]
