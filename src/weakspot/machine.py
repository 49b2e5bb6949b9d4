"""What the machine that computes is called, as records and pages have it."""

import platform
from pathlib import Path

import torch

CPUINFO = Path("/proc/cpuinfo")


def device_name(device: torch.device) -> str:
    """The GPU's name; of a CPU the architecture and, where the system tells it, the model: `x86_64, AMD EPYC`."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return ", ".join(part for part in (platform.machine(), _cpu_model()) if part)


def _cpu_model() -> str:
    """As Linux lists it, the first one's; "" where it lists none, as on other systems and on ARM."""
    try:
        listed = CPUINFO.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return ""
    models = (line.partition(":")[2].strip() for line in listed if line.startswith("model name"))
    return next(models, "")
