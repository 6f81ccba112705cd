"""Find plugins: the built-in folder, installed packages (entry points), files and folders named."""

from __future__ import annotations

import hashlib
import importlib
import importlib.metadata
import importlib.util
import json
import pkgutil
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from triage.errors import PluginError
from triage.plugin import Accepts, NoOptions, Plugin, build_options, options_to_json

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from types import ModuleType

GROUP = "triage.plugins.v1"
_PACKAGE = "triage.plugins"


@dataclass(frozen=True, slots=True)
class PluginInfo:
    """A usable plugin. ``origin`` is ``built-in``, ``package NAME VERSION`` or ``file``."""

    name: str
    version: str
    origin: str
    sha256: str
    path: str
    summary: str
    cls: type[Any] = field(repr=False)

    @property
    def accepts(self) -> Accepts:
        """Which items it wants."""
        accepts: Accepts = self.cls.accepts
        return accepts

    @property
    def tried_on(self) -> str:
        """What its authors tried it on: ``real samples``, ``made samples``; "" when they do not say."""
        tried = getattr(self.cls, "tried_on", "")
        return tried if isinstance(tried, str) else ""

    def options(self, given: Mapping[str, Any] | None = None) -> Any:
        """Return its options, filled from a profile's. Raises :class:`triage.plugin.OptionsError`."""
        return build_options(getattr(self.cls, "Options", NoOptions), given or {})

    def key(self, given: Mapping[str, Any] | None = None) -> str:
        """Return the work key ``name@version#digest``; the digest is of all options, defaults included."""
        canonical = json.dumps(options_to_json(self.options(given)), sort_keys=True, separators=(",", ":"))
        return f"{self.name}@{self.version}#{hashlib.blake2b(canonical.encode(), digest_size=4).hexdigest()}"

    def load(self, given: Mapping[str, Any] | None = None) -> Plugin:
        """Return an instance. Raises ``OptionsError``, or ``PluginError`` when its constructor fails."""
        options = self.options(given)
        try:
            plugin: Plugin = self.cls(options) if hasattr(self.cls, "Options") else self.cls()
        except Exception as error:
            raise PluginError(f"plugin {self.name} cannot be started: {type(error).__name__}: {error}") from error
        return plugin


@dataclass(frozen=True, slots=True)
class BrokenPlugin:
    """A plugin that cannot be used, and why. Fatal only if a profile names it."""

    name: str
    origin: str
    path: str
    reason: str


@dataclass(frozen=True, slots=True)
class Registry:
    """Every plugin that was found, by name in order, and those that are broken."""

    plugins: dict[str, PluginInfo]
    broken: list[BrokenPlugin]

    def get(self, name: str) -> PluginInfo:
        """Return the plugin of that name. Raises ``PluginError`` with the reason when none works."""
        if name in self.plugins:
            return self.plugins[name]
        for one in self.broken:
            if one.name == name:
                raise PluginError(f"plugin {name} is broken: {one.reason}", hint=one.path or None)
        raise PluginError(f"there is no plugin called {name}", hint="triage plugin list shows what there is")


def find_plugins(extra_paths: Iterable[Path] = ()) -> Registry:
    """Find all plugins: built-in, then of installed packages, then in ``extra_paths`` (files or folders).

    Two of the same name are an error, never an override: raises ``PluginError``, also for a path that is not
    there.
    """
    found: list[PluginInfo | BrokenPlugin] = [*_builtin(), *_installed()]
    for path in extra_paths:
        found.extend(_from_path(Path(path)))
    plugins: dict[str, PluginInfo] = {}
    for one in found:
        if isinstance(one, BrokenPlugin):
            continue
        if one.name in plugins:
            first = plugins[one.name]
            raise PluginError(
                f"two plugins are called {one.name}: {first.path} and {one.path}",
                hint="rename or leave out one",
            )
        plugins[one.name] = one
    broken = [one for one in found if isinstance(one, BrokenPlugin)]
    return Registry(dict(sorted(plugins.items())), sorted(broken, key=lambda b: (b.name, b.path)))


def _builtin() -> Iterable[PluginInfo | BrokenPlugin]:
    package = importlib.import_module(_PACKAGE)
    for module in sorted(pkgutil.iter_modules(package.__path__), key=lambda m: m.name):
        if module.name.startswith("_") or module.ispkg:
            continue
        try:
            loaded = importlib.import_module(f"{_PACKAGE}.{module.name}")
        except (Exception, SystemExit) as error:
            yield BrokenPlugin(module.name, "built-in", "", _reason(error))
        else:
            yield _inspect(loaded, module.name, "built-in")


def _installed() -> Iterable[PluginInfo | BrokenPlugin]:
    for point in sorted(importlib.metadata.entry_points(group=GROUP), key=lambda p: (p.name, p.value)):
        origin = f"package {point.dist.name} {point.dist.version}" if point.dist else "package"
        try:
            loaded = importlib.import_module(point.module)
            cls = point.load() if point.attr else None
        except (Exception, SystemExit) as error:
            yield BrokenPlugin(point.name, origin, point.value, _reason(error))
        else:
            yield _inspect(loaded, point.name, origin, cls)


def _from_path(path: Path) -> Iterable[PluginInfo | BrokenPlugin]:
    if path.is_dir():
        files = sorted(one for one in path.glob("*.py") if not one.name.startswith(("_", "test_")))
        if not files:
            raise PluginError(f"no plugins in the folder {path}")
    elif path.is_file():
        files = [path]
    else:
        raise PluginError(f"there is no plugin file or folder {path}")
    for one in files:
        yield _load_file(one)


def _load_file(path: Path) -> PluginInfo | BrokenPlugin:
    try:
        source = path.read_bytes()
        module = _module_of(path, source)
    except (Exception, SystemExit) as error:
        return BrokenPlugin(path.stem, "file", str(path), _reason(error))
    return _inspect(module, path.stem, "file")


def _module_of(path: Path, source: bytes) -> ModuleType:
    """Run a plugin's file as a module whose name depends on its bytes: the same file twice is one module."""
    name = f"triage_plugin_{path.stem}_{hashlib.sha256(source).hexdigest()[:16]}"
    if name in sys.modules:
        return sys.modules[name]
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise ImportError(f"{path.name} is not a Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # dataclasses look their module up while it is being run
    try:
        exec(compile(source, str(path), "exec"), module.__dict__)  # noqa: S102
    except BaseException:
        del sys.modules[name]
        raise
    return module


def _inspect(module: ModuleType, name: str, origin: str, cls: Any = None) -> PluginInfo | BrokenPlugin:
    path = module.__file__ or ""
    cls = cls if cls is not None else getattr(module, "PLUGIN", None)
    if reason := _fault(cls, name):
        return BrokenPlugin(name, origin, path, reason)
    try:
        digest = hashlib.sha256(Path(path).read_bytes()).hexdigest()
    except OSError as error:
        return BrokenPlugin(name, origin, path, _reason(error))
    text = (module.__doc__ or cls.__doc__ or "").strip()
    return PluginInfo(cls.name, cls.version, origin, digest, path, text.partition("\n")[0], cls)


def _fault(cls: Any, name: str) -> str:
    if cls is None:
        return "it has no PLUGIN = TheClass"
    if not isinstance(cls, type):
        return "PLUGIN is not a class"
    if getattr(cls, "name", None) != name:
        return f"its name is {getattr(cls, 'name', None)!r}, its file's {name!r}"
    if not isinstance(getattr(cls, "version", None), str) or not cls.__dict__.get("version"):
        return "it has no version (text)"
    if not isinstance(getattr(cls, "accepts", None), Accepts):
        return "it has no accepts = Accepts(...)"
    return "" if callable(getattr(cls, "analyze", None)) else "it has no analyze(item)"


def _reason(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}"[:300]
