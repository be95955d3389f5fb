"""What a measurement was taken on, said with every result."""

from __future__ import annotations

import os
import platform
import time
from contextlib import suppress
from importlib import metadata
from pathlib import Path
from typing import Any

from engine.runtime import physical_cores

FLAGS = ("avx2", "avx512_vnni", "avx512_bf16", "amx_int8", "amx_bf16")
"""What an int8 or bf16 product is fast or slow by."""
PACKAGES = ("onnxruntime", "onnxruntime-gpu", "llama-cpp-python", "transformers", "torch")
"""What the systems run on."""


def described() -> dict[str, Any]:
    """The machine and how busy it is at this moment."""
    cpu = _cpu()
    return {
        "time": time.strftime("%Y-%m-%d %H:%M"),
        "cpu": _name(cpu),
        "flags": [flag for flag in FLAGS if flag in cpu.get("flags", "").split()],
        "cores": physical_cores(),
        "memory_gb": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30),
        "system": f"{platform.system()} {platform.release().split('-')[0]}",
        "python": platform.python_version(),
        "load": round(load(), 1),
    }


def comparable() -> dict[str, Any]:
    """As much of it as has to be the same for figures to go into one table; and the versions of
    what is installed of `PACKAGES`."""
    versions = {}
    for name in PACKAGES:
        with suppress(metadata.PackageNotFoundError):
            versions[name] = metadata.version(name)
    machine = described()
    return {**{name: machine[name] for name in ("cpu", "flags", "cores", "python")}, **versions}


def load() -> float:
    """Threads that were running or waiting to, averaged over the last minute."""
    return os.getloadavg()[0]


def _name(cpu: dict[str, str]) -> str:
    """With its numbers, where it has any: virtual machines tell no more than "AMD EPYC"."""
    name = cpu.get("model name", platform.processor() or platform.machine())
    numbers = [f"{key} {cpu[key]}" for key in ("cpu family", "model") if key in cpu]
    return ", ".join([name, *numbers])


def _cpu() -> dict[str, str]:
    """What Linux says of the first processor; nothing elsewhere."""
    path = Path("/proc/cpuinfo")
    if not path.exists():
        return {}
    lines = path.read_text().split("\n\n")[0].splitlines()
    pairs = (line.partition(":") for line in lines)
    return {name.strip(): value.strip() for name, _, value in pairs}
