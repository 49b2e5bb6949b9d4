"""The machine's name is what its system says, and never an error."""

import platform

import torch

from weakspot import machine


def test_a_cpu_is_named_by_architecture_and_by_the_first_model_that_is_listed(tmp_path, monkeypatch):
    listed = tmp_path / "cpuinfo"
    listed.write_text("processor\t: 0\nmodel name\t: Abacus 9: fast\nprocessor\t: 1\nmodel name\t: Other\n")
    monkeypatch.setattr(machine, "CPUINFO", listed)
    assert machine.device_name(torch.device("cpu")) == f"{platform.machine()}, Abacus 9: fast"


def test_without_a_list_or_a_model_the_architecture_is_left(tmp_path, monkeypatch):
    monkeypatch.setattr(machine, "CPUINFO", tmp_path / "none")
    assert machine.device_name(torch.device("cpu")) == platform.machine()
    (tmp_path / "arm").write_bytes(b"processor\t: 0\nBogoMIPS\t: 50\xff\n")
    monkeypatch.setattr(machine, "CPUINFO", tmp_path / "arm")
    assert machine.device_name(torch.device("cpu")) == platform.machine()
