"""Gemma 1 to 3: Llama whose words are scaled by the root of the width as they enter."""

from __future__ import annotations

from peftcore.models.architectures import declare, refuse
from peftcore.models.families.llama import HEAD_NORMS, LLAMA

declare(LLAMA, {"gemma": "Gemma 1", "gemma2": "Gemma 2"})
declare(HEAD_NORMS, {"gemma3_text": "Gemma 3 (text)"})
refuse(
    "it reads images too, and only models of text are taken in; its text part alone, of the family "
    "gemma3_text, works",
    {"gemma3": "Gemma 3 with images"},
)
