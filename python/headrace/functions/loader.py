"""Loading the modules of a registry's folder that define Python features.

A module is known by its *digest*: the SHA-256 of its source and of all that it imports from the same folder,
the first 16 hexadecimal digits. It is imported under a package named after that digest, so that an old and a
new source of one name live side by side, and it is compiled from the very bytes that were digested. What it
imports from the folder is found in its ``import`` statements, wherever they stand; nothing else of the folder
can be imported."""

import ast
import builtins
import hashlib
import importlib
import sys
import traceback
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType
from typing import Any, Final

from headrace.functions.feature import Feature, FeatureError

PREFIX: Final = "headrace_features_"

MESSAGE_MAX: Final = 500
"""Longer messages of exceptions are cut off, in characters."""


@dataclass(frozen=True, slots=True)
class Source:
    """The source of one module of the folder."""

    name: str
    """As the registry or an import names it, with dots."""
    path: Path
    code: bytes
    package: bool


class Modules:
    """The modules of one registry's folder."""

    def __init__(self, folder: str | Path) -> None:
        """Know the folder; nothing is read yet."""
        self.folder = Path(folder).resolve()
        # Equal sources of two folders are two modules: errors are looked for in files of the folder.
        self._tag = f"{zlib.crc32(str(self.folder).encode()):08x}"
        self._loaded: dict[tuple[str, str], ModuleType] = {}

    def find(self, function: str) -> tuple[Feature, str]:
        """Load a function as it stands on disk.

        Parameters
        ----------
        function
            ``module:function``.

        Returns
        -------
        feature
            The function.
        digest
            Of its module.

        Raises
        ------
        FeatureError
            Where it cannot be had; files are relative to the folder.

        Examples
        --------
        >>> import tempfile
        >>> folder = Path(tempfile.mkdtemp())
        >>> source = "from headrace import feature\\n@feature\\ndef rows(window, as_of) -> int: return 1\\n"
        >>> _ = (folder / "sizes.py").write_text(source)
        >>> found, digest = Modules(folder).find("sizes:rows")
        >>> found.outputs, len(digest)
        ({None: 'int64'}, 16)
        """
        module, name = _parts(function)
        sources = read_sources(self.folder, module)
        digest = digest_of(sources)
        return self._feature(module, name, digest, sources), digest

    def get(self, function: str, digest: str) -> Feature:
        """Load a function whose module has this digest.

        Raises
        ------
        FeatureError
            Where it cannot be had: above all, where the source on disk is another one and this one was never
            loaded.
        """
        module, name = _parts(function)
        if (module, digest) in self._loaded:
            return self._feature(module, name, digest, {})
        sources = read_sources(self.folder, module)
        if digest_of(sources) != digest:
            file = _relative(self.folder, sources[module].path)
            raise FeatureError("the source has changed; reload the registry", file, None)
        return self._feature(module, name, digest, sources)

    def place(self, error: BaseException) -> tuple[str, int] | None:
        """Return the file, relative to the folder, and line of the innermost frame inside the folder."""
        found = None
        for frame in traceback.extract_tb(error.__traceback__):
            file = Path(frame.filename)
            if file.is_relative_to(self.folder):
                found = _relative(self.folder, file), frame.lineno or 1
        return found

    def _feature(self, module: str, name: str, digest: str, sources: Mapping[str, Source]) -> Feature:
        loaded = self._loaded.get((module, digest))
        if loaded is None:
            loaded = self._loaded[module, digest] = self._import(module, digest, sources)
        file = _relative(self.folder, Path(str(loaded.__file__)))
        found = getattr(loaded, name, None)
        if isinstance(found, Feature):
            return found
        if callable(found):
            line = getattr(getattr(found, "__code__", None), "co_firstlineno", None)
            raise FeatureError(f"{name} is not marked as a feature; write @feature before it", file, line)
        names = sorted(key for key, value in vars(loaded).items() if isinstance(value, Feature))
        known = f"it has {', '.join(names)}" if names else "it has none; write @feature before a function"
        raise FeatureError(f"{module} has no feature {name}; {known}", file, None)

    def _import(self, module: str, digest: str, sources: Mapping[str, Source]) -> ModuleType:
        try:
            return _import_sources(module, f"{PREFIX}{digest}_{self._tag}", sources)
        except FeatureError as error:
            if error.file is not None and Path(error.file).is_relative_to(self.folder):
                error.file = _relative(self.folder, Path(error.file))
            raise
        except BaseException as error:  # SystemExit too
            file, line = self.place(error) or (_relative(self.folder, sources[module].path), None)
            raise FeatureError(f"it cannot be imported: {describe(error)}", file, line) from error


def describe(error: BaseException) -> str:
    """Return type and message of an exception on one line.

    Examples
    --------
    >>> describe(ValueError("no   such\\n thing"))
    'ValueError: no such thing'
    >>> describe(KeyError())
    'KeyError'
    """
    try:
        message = " ".join(str(error).split())
    except Exception:
        message = ""
    if len(message) > MESSAGE_MAX:
        message = f"{message[:MESSAGE_MAX]}…"
    return f"{type(error).__name__}: {message}" if message else type(error).__name__


def read_sources(folder: Path, module: str) -> dict[str, Source]:
    """Read a module and all that it imports from its folder, by name.

    Raises
    ------
    FeatureError
        Where there is no such module, or where one of them is no Python.
    """
    first = _read(folder, module)
    if first is None:
        wanted = module.replace(".", "/")
        raise FeatureError(
            f"there is no {wanted}.py beside the registry; check the name", f"{wanted}.py", None
        )
    sources = {module: first}
    for package in _parents(module):
        parent = _read(folder, package)
        if parent is not None:
            sources[package] = parent
    pending = list(sources.values())
    while pending:
        source = pending.pop()
        for name in _imports(folder, source):
            if name not in sources and (found := _read(folder, name)) is not None:
                sources[name] = found
                pending.append(found)
    return sources


def digest_of(sources: Mapping[str, Source]) -> str:
    """Return the digest of a module's sources.

    Examples
    --------
    >>> digest_of({"a": Source("a", Path("a.py"), b"x = 1", False)})
    '858dfb41b39e29c3'
    """
    digest = hashlib.sha256()
    for name in sorted(sources):
        code = sources[name].code
        digest.update(f"{name}\0{len(code)}\0".encode())
        digest.update(code)
    return digest.hexdigest()[:16]


def _import_sources(module: str, prefix: str, sources: Mapping[str, Source]) -> ModuleType:
    """Import a module under a package of its own."""
    if _finder not in sys.meta_path:
        sys.meta_path.insert(0, _finder)
    if prefix not in sys.modules:
        package = ModuleType(prefix)
        package.__path__ = []
        sys.modules[prefix] = package
    for name, source in sources.items():
        _finder.sources[f"{prefix}.{name}"] = source
    return importlib.import_module(f"{prefix}.{module}")


class _Finder(MetaPathFinder):
    """Finds modules of folders by the names that their digests give them."""

    def __init__(self) -> None:
        self.sources: dict[str, Source] = {}

    def find_spec(self, fullname: str, _path: Any, _target: ModuleType | None = None) -> ModuleSpec | None:
        source = self.sources.get(fullname)
        if source is None:
            return None
        spec = ModuleSpec(fullname, _SourceLoader(source), origin=str(source.path), is_package=source.package)
        spec.has_location = True
        return spec


class _SourceLoader(Loader):
    """Runs a source that was read before."""

    def __init__(self, source: Source) -> None:
        self._source = source

    def exec_module(self, module: ModuleType) -> None:
        code = compile(self._source.code, str(self._source.path), "exec", dont_inherit=True)
        prefix = module.__name__.partition(".")[0]
        # `import helpers` looks up this function: the folder's helpers are those of the same digest.
        module.__dict__["__builtins__"] = {**vars(builtins), "__import__": _importer(prefix)}
        exec(code, module.__dict__)


_finder: Final = _Finder()


def _importer(prefix: str) -> Callable[..., ModuleType]:
    def import_(
        name: str,
        globals: Mapping[str, Any] | None = None,
        locals: Mapping[str, Any] | None = None,
        fromlist: Sequence[str] | None = (),
        level: int = 0,
    ) -> ModuleType:
        top = f"{prefix}.{name.partition('.')[0]}"
        if level > 0 or top not in _finder.sources:
            return builtins.__import__(name, globals, locals, fromlist or (), level)
        full = f"{prefix}.{name}"
        if fromlist:
            return builtins.__import__(full, globals, locals, fromlist, 0)
        importlib.import_module(full)
        return sys.modules[top]

    return import_


def _parts(function: str) -> tuple[str, str]:
    module, colon, name = function.partition(":")
    if not colon or not name.isidentifier() or not all(part.isidentifier() for part in module.split(".")):
        raise FeatureError(
            f"'{function}' is no function; write module:function, as in delays:late_share", None, None
        )
    return module, name


def _parents(module: str) -> Iterator[str]:
    parts = module.split(".")
    for size in range(1, len(parts)):
        yield ".".join(parts[:size])


def _read(folder: Path, module: str) -> Source | None:
    base = folder.joinpath(*module.split("."))
    for path, package in ((base / "__init__.py", True), (base.with_name(f"{base.name}.py"), False)):
        if path.is_file():
            return Source(module, path, path.read_bytes(), package)
    return None


def _imports(folder: Path, source: Source) -> Iterator[str]:
    """Name what a module may import from its folder, parents first."""
    file = _relative(folder, source.path)
    try:
        tree = ast.parse(source.code, str(source.path))
    except SyntaxError as error:
        raise FeatureError(f"it is no Python: {error.msg}", file, error.lineno) from error
    except ValueError as error:
        raise FeatureError(f"it is no Python: {error}", file, None) from error
    package = source.name.split(".")
    for node in ast.walk(tree):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + source.package] if node.level else []
            base = [*base, *(node.module.split(".") if node.module else ())]
            names = [".".join([*base, alias.name]) for alias in node.names if alias.name != "*"]
            names.append(".".join(base))
        for name in filter(None, names):
            yield from _parents(name)
            yield name


def _relative(folder: Path, path: Path) -> str:
    return path.relative_to(folder).as_posix() if path.is_relative_to(folder) else str(path)
