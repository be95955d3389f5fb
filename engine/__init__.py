"""The model's side of Lacuna: tokens, canvas, denoising. It knows nothing of editors."""

from .engine import Engine, default_model_folder
from .formats import Format
from .prompt import Cell, Fill, FillOptions, Finish, Mode, Prompt, Step, Timings

__all__ = [
    "Cell",
    "Engine",
    "Fill",
    "FillOptions",
    "Finish",
    "Format",
    "Mode",
    "Prompt",
    "Step",
    "Timings",
    "default_model_folder",
]
