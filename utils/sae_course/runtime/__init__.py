"""The ground floor: where things are, how files are written, what this session was set up as."""

from .errors import CourseError
from .paths import home, project_root
from .session import Session, current, setup
from .streams import generator
from .writing import read_json, write_atomic, write_json

__all__ = [
    "CourseError",
    "Session",
    "current",
    "generator",
    "home",
    "project_root",
    "read_json",
    "setup",
    "write_atomic",
    "write_json",
]
