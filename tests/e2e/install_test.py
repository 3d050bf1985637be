"""The installed tree is whole: it runs after a move, with an empty environment, from its own libraries."""

import os
import shutil
import subprocess

import pytest

from conftest import BOUND_S, program


def test_an_installed_tree_runs_from_wherever_it_is_moved(tmp_path):
    build = os.path.dirname(program())
    if not os.path.exists(os.path.join(build, "cmake_install.cmake")):
        pytest.skip(f"{build} is no build folder")
    first, second = tmp_path / "first", tmp_path / "second"
    subprocess.run(["cmake", "--install", build, "--prefix", str(first)], check=True, stdout=subprocess.DEVNULL,
                   timeout=BOUND_S)
    shutil.move(first, second)
    installed = second / "bin" / "lockstep"
    libraries = subprocess.run(["ldd", str(installed)], check=True, stdout=subprocess.PIPE, text=True, timeout=BOUND_S)
    arrow = [line for line in libraries.stdout.splitlines() if "libarrow" in line or "libparquet" in line]
    assert len(arrow) >= 2
    assert all(str(second) in line for line in arrow), arrow
    done = subprocess.run([str(installed), "version"], env={}, check=True, stdout=subprocess.PIPE, text=True,
                          timeout=BOUND_S)
    assert "lockstep" in done.stdout
    assert (second / "share" / "doc" / "lockstep" / "LICENSE").exists()
