"""What engines that merge models must agree on, and their memory."""

import glob
import re

from safetensors import safe_open

NAME = "model.layers.0.mlp.down_proj.weight"


def mean_move(folder, out):
    """The mean magnitude of one tensor's move."""

    def tensor(place):
        for path in glob.glob(f"{place}/*.safetensors"):
            with safe_open(path, framework="pt") as file:
                if NAME in file.keys():
                    return file.get_tensor(NAME).double()
        raise FileNotFoundError(f"{place} holds no {NAME}")

    return (tensor(out) - tensor(f"{folder}/base")).abs().mean().item()


def peak_megabytes():
    """The largest resident set of this process, by the kernel's own mark."""
    with open("/proc/self/status") as status:
        return int(re.search(r"VmHWM:\s+(\d+) kB", status.read())[1]) * 1024 / 1e6
