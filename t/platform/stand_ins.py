"""Stands in for libraries that the daemons import and that nothing asked here depends on: database, bus, telephony.

A module that can't be found becomes one whose every name is a class that can be called, subclassed, iterated over and used as
a decorator. What decides about access (Flask, Werkzeug, flask-restful, xivo) is never stood in for.
"""
import abc
import importlib.abc
import importlib.machinery
import sys
import types

NEVER = {'flask', 'flask_restful', 'flask_cors', 'werkzeug', 'xivo', 'marshmallow', 'twisted', 'yaml', 'requests'}


class _Kind(abc.ABCMeta):
    def __getattr__(cls, name):
        if name.startswith('__') and name.endswith('__'):
            raise AttributeError(name)
        return make(name)

    def __iter__(cls):
        return iter(())

    def __or__(cls, _):
        return cls

    __ror__ = __or__

    def __getitem__(cls, _):
        return cls


class StandIn(Exception, metaclass=_Kind):
    """An exception, so that it can be caught as well."""

    def __init__(self, *_, **__):
        super().__init__()

    @classmethod
    def as_view(cls, name, **_):
        """A view of a library (graphql_server's), which has more methods, but answers 405 to those."""

        def view(**_):
            return ''

        view.__name__ = name
        view.methods = ('GET', 'POST')
        return view

    def __call__(self, *arguments, **_):
        """As a decorator it changes nothing."""
        if len(arguments) == 1 and isinstance(arguments[0], types.FunctionType | type):
            return arguments[0]
        return make('called')()

    def __getattr__(self, name):
        if name.startswith('__') and name.endswith('__'):
            raise AttributeError(name)
        return make(name)()

    def __getitem__(self, _):
        return make('item')()

    def __setitem__(self, _, __):
        pass

    def __iter__(self):
        return iter(())

    def __len__(self):
        return 0

    def __bool__(self):
        return True

    def __enter__(self):
        return self

    def __exit__(self, *_):
        return False

    def __int__(self):
        return 1

    def __float__(self):
        return 1.0

    def __index__(self):
        return 1

    def __lt__(self, _):
        return False

    __gt__ = __le__ = __ge__ = __lt__

    def _same(self, *_):
        return self

    __or__ = (
        __ror__
    ) = __and__ = __rand__ = __add__ = __radd__ = __sub__ = __mul__ = __rmul__ = __mod__ = __truediv__ = _same
    __invert__ = __neg__ = _same


def make(name):
    return _Kind(name, (StandIn,), {})


class _Module(types.ModuleType):
    def __getattr__(self, name):
        if name.startswith('__'):
            raise AttributeError(name)
        found = make(name)
        setattr(self, name, found)
        return found


def _importer():
    """The file that the statement `import` stands in."""
    frame = sys._getframe(2)
    while 'importlib' in frame.f_code.co_filename or frame.f_globals.get('__name__') == __name__:
        frame = frame.f_back
    return frame.f_code.co_filename


class Finder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """The last one that is asked; `used` tells what it stood in for."""

    def __init__(self, checkouts):
        self.checkouts = str(checkouts)
        self.used = set()

    def find_spec(self, name, path=None, target=None):
        top = name.partition('.')[0]
        if top in NEVER or top in sys.stdlib_module_names:
            return None
        if top == name:
            # An installed library that tries for another one has to see that it isn't there.
            if not _importer().startswith(self.checkouts):
                return None
        elif not isinstance(sys.modules.get(top), _Module):
            return None
        self.used.add(top)
        return importlib.machinery.ModuleSpec(name, self, is_package=True)

    def create_module(self, spec):
        return _Module(spec.name)

    def exec_module(self, module):
        pass


def install(checkouts):
    """For code below the folder `checkouts`."""
    finder = Finder(checkouts)
    sys.meta_path.append(finder)
    return finder
