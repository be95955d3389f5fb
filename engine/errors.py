"""Every error the engine raises.

LacunaError
├── ModelFolderError      no folder, a file missing, altered or cut short, a card that is wrong
├── RuntimeMissingError   onnxruntime is not installed
├── PromptError           a prompt or option that cannot be served
│   └── FormatError         a format that is no expression, too large, or that nothing can satisfy
├── EngineFailedError     the runtime failed in the middle of a request
└── CancelledError        the caller asked to stop; not a failure
"""

from __future__ import annotations


class LacunaError(Exception):
    """Base of all errors of Lacuna; its text says what happened, where, and what to do."""


class ModelFolderError(LacunaError):
    """The model folder is missing, damaged or of an unknown version."""


class RuntimeMissingError(LacunaError):
    """ONNX Runtime is not installed in this environment."""


class PromptError(LacunaError):
    """The prompt or an option cannot be served."""


class FormatError(PromptError):
    """A format is no expression that can be used, is too large, or nothing can satisfy it here."""


class EngineFailedError(LacunaError):
    """The runtime raised in the middle of a request; the next request may work."""


class CancelledError(LacunaError):
    """The caller cancelled the request before a forward pass."""
