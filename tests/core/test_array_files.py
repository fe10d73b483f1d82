"""npz files that are damaged, hostile or something else: one error, one line, and nothing allocated for them."""

import io
import struct
import tracemalloc
import zipfile

import numpy as np
import pytest

from lora_marl.core.array_files import DamagedFileError, read_npz


def npy(array=None, header=None):
    """The bytes of an npy file; `header` in place of its own."""
    buffer = io.BytesIO()
    np.lib.format.write_array(buffer, np.arange(3.0) if array is None else array)
    data = buffer.getvalue()
    if header is None:
        return data
    text = header.encode("latin1") + b"\n"
    return data[:8] + struct.pack("<H", len(text)) + text + data[-24:]


def archive(path, members, compression=zipfile.ZIP_STORED):
    with zipfile.ZipFile(path, "w", compression) as file:
        for name, data in members.items():
            file.writestr(name, data)
    return path


def refusal(path):
    tracemalloc.start()
    with pytest.raises(DamagedFileError) as caught:
        read_npz(path)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 20e6
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 250
    return str(caught.value)


def test_what_numpy_writes_is_read(tmp_path):
    arrays = {"a": np.arange(6.0).reshape(2, 3), "b": np.array(3), "c": np.zeros((0, 4), np.int16), "d": np.array("x")}
    for save in (np.savez, np.savez_compressed):
        save(tmp_path / "x.npz", **arrays)
        actual = read_npz(tmp_path / "x.npz")
        assert list(actual) == list(arrays)
        for name, array in arrays.items():
            assert actual[name].dtype == array.dtype
            np.testing.assert_array_equal(actual[name], array)


@pytest.mark.parametrize(
    ("header", "says"),
    [
        ("{'descr': '<f8', 'fortran_order': False, 'shape': (1000000000000,), }", "is not the array that it declares"),
        ("{'descr': '<f8', 'fortran_order': False, 'shape': (-1,), }", "is not the array"),
        ("{'descr': '|O', 'fortran_order': False, 'shape': (3,), }", "is not the array"),
        ("{'descr': '<f8', 'fortran_order': False, 'shape': (3.5,), }", "shape"),
        ("{'descr': '<f8', 'fortran_order': 7, 'shape': (3,), }", "fortran_order"),
        ("{'descr': 'x', 'fortran_order': False, 'shape': (3,), }", "descr"),
        ("[" * 400, ""),
        ("__import__('os')", ""),
    ],
)
def test_false_declarations_are_refused_before_an_array_is_made(tmp_path, header, says):
    assert says in refusal(archive(tmp_path / "x.npz", {"a.npy": npy(header=header)}))


def test_a_compressed_bomb_is_refused_unread(tmp_path):
    bomb = archive(tmp_path / "x.npz", {"a.npy": npy(np.zeros(2**24))}, zipfile.ZIP_DEFLATED)
    assert bomb.stat().st_size < 200_000
    assert "it unfolds from" in refusal(bomb)


def test_other_files_are_refused(tmp_path):
    path = tmp_path / "x.npz"
    np.save(tmp_path / "plain.npy", np.arange(3))
    assert "not a zip file" in refusal(tmp_path / "plain.npy")
    assert "No such file" in refusal(tmp_path / "missing.npz")
    assert "Is a directory" in refusal(tmp_path)
    assert "is no array" in refusal(archive(path, {"a.txt": b"x"}))
    assert refusal(archive(path, {"a.npy": b""}))
    assert "has a compression" in refusal(archive(path, {"a.npy": npy()}, zipfile.ZIP_LZMA))
    data = bytearray(archive(path, {"a.npy": npy()}).read_bytes())
    for signature, place in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        data[data.index(signature) + place] |= 1
    path.write_bytes(data)
    assert "is encrypted" in refusal(path)
