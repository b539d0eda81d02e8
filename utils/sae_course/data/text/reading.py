"""A text file, or one clear sentence on why it is none."""

from pathlib import Path

from ...runtime import CourseError

_OTHER_ENCODINGS = {b"\xff\xfe": "UTF-16", b"\xfe\xff": "UTF-16"}


def read_text(path: Path) -> str:
    """The text of a UTF-8 file, without its byte-order mark and with ``\\n`` at the end of each line.

    Raises:
        CourseError: when the file is missing, a folder, not readable, empty, binary or not UTF-8.
    """
    if not path.exists():
        raise CourseError(f"There is no file {path}: give the path of a text file.")
    if path.is_dir():
        raise CourseError(f"{path} is a folder: give one text file (several can be put together with `cat`).")
    if not (path.is_file() or path.is_fifo()):
        raise CourseError(f"{path} is a device, not a text file: give the path of a text file.")
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise CourseError(f"{path} can't be read ({error.strerror or error}).") from error
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        place = f"byte {error.start:,} is {raw[error.start]:#04x}"
        if b"\0" in raw[:1024] and raw[:2] not in _OTHER_ENCODINGS:
            raise CourseError(f"{path} is binary, not text ({place}): give a UTF-8 text file.") from error
        guess = f", perhaps {_OTHER_ENCODINGS[raw[:2]]}" if raw[:2] in _OTHER_ENCODINGS else ""
        raise CourseError(
            f"{path} is not UTF-8 text ({place}){guess}: save it as UTF-8 "
            "(for a Western text, `iconv -f latin1 -t utf-8 OLD > NEW`)."
        ) from error
    if "\0" in text:
        place = f"{raw.index(0):,}"
        raise CourseError(f"{path} is binary, not text (byte {place} is zero): give a UTF-8 text file.")
    if not text.strip():
        what = "only blank space" if text else "no byte"
        raise CourseError(f"{path} is empty ({what} in it): give a text of at least some ten thousand words.")
    return text.replace("\r\n", "\n").replace("\r", "\n")
