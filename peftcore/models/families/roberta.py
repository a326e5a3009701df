"""RoBERTa, XLM-RoBERTa and CamemBERT: BERT whose positions begin behind the padding's number."""

from __future__ import annotations

from dataclasses import replace

from peftcore.models.architectures import declare
from peftcore.models.families.bert import BERT

declare(
    replace(BERT, positions_after_padding=True),
    {"roberta": "RoBERTa", "xlm-roberta": "XLM-RoBERTa", "camembert": "CamemBERT"},
)
