"""What is watched is read again when it changes, and what cannot be read changes nothing."""

import logging
import os
from pathlib import Path

import pytest

from shared.watched import Watched


def number(path: Path) -> int:
    """Read a number from a file, or the sum of those in a folder."""
    files = sorted(path.iterdir()) if path.is_dir() else [path]
    return sum(int(file.read_text()) for file in files)


def test_a_file_is_read_again_when_it_changes(tmp_path: Path) -> None:
    """Written over, or another put in its place; and only then."""
    file, reads = tmp_path / "n", list[Path]()

    def read(path: Path) -> int:
        reads.append(path)
        return number(path)

    file.write_text("1")
    watched = Watched(file, read)
    assert (watched.content(), watched.content(), len(reads)) == (1, 1, 1)
    file.write_text("22")
    assert (watched.content(), watched.content(), len(reads)) == (22, 22, 2)
    (tmp_path / "new").write_text("33")
    (tmp_path / "new").replace(file)
    assert (watched.content(), len(reads)) == (33, 3)


def test_a_folder_is_read_again_when_any_file_changes(tmp_path: Path) -> None:
    """One more, or one that was not whole when it was first seen."""
    (tmp_path / "a").write_text("1")
    watched = Watched(tmp_path, number)
    (tmp_path / "b").write_text("")
    assert watched.content() == 1
    (tmp_path / "b").write_text("2")
    assert watched.content() == 3


def test_what_cannot_be_read_changes_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Half a file, or none, is said once in the log; at the start it is an error."""
    file = tmp_path / "n"
    with pytest.raises(FileNotFoundError):
        Watched(file, number)
    file.write_text("x")
    with pytest.raises(ValueError, match="x"):
        Watched(file, number)
    file.write_text("1")
    watched = Watched(file, number)
    with caplog.at_level(logging.ERROR):
        file.write_text("xy")
        assert [watched.content(), watched.content()] == [1, 1]
        assert len(caplog.records) == 1
        file.unlink()
        assert watched.content() == 1
    file.write_text("2")
    os.utime(file, (1, 1))
    assert watched.content() == 2
