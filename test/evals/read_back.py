"""Reads an export back with the tools that it was made for. Called by read-back.test.ts: python read_back.py TARGET FOLDER.

Prints one JSON object: rows by split, and what the caller compares with the ledger.
"""

import json
import os
import sys

os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["HF_DATASETS_OFFLINE"] = "1"
os.environ.setdefault("HF_DATASETS_CACHE", os.path.join(sys.argv[2], ".cache"))


def split_files(folder):
    return {name[:-6]: os.path.join(folder, name) for name in sorted(os.listdir(folder)) if name.endswith(".jsonl") and name != "rejected-rows.jsonl"}


def without_nulls(value):
    """Arrow gives every row the union of all keys; those that a row never had are null."""
    if isinstance(value, dict):
        return {key: without_nulls(inner) for key, inner in value.items() if inner is not None}
    if isinstance(value, list):
        return [without_nulls(inner) for inner in value]
    return value


def call_of(messages):
    function = messages[0]["tool_calls"][0]["function"]
    return {"name": function["name"], "arguments": without_nulls(function["arguments"])}


def trl(folder, side):
    from datasets import load_dataset

    data = load_dataset("json", data_files=split_files(folder))
    calls = [call_of(row[side]) for split in data.values() for row in split]
    columns = sorted({name for split in data.values() for name in split.column_names})
    return {"rows": {name: len(split) for name, split in data.items()}, "calls": calls, "columns": columns}


def hugging_face(folder):
    from datasets import load_dataset

    found = {}
    for config in ("examples", "preference", "kto", "sft", "cases"):
        data = load_dataset(folder, config)
        found[config] = {name: len(split) for name, split in data.items()}
    chosen = [call_of(json.loads(row["chosen"])) for split in load_dataset(folder, "preference").values() for row in split]
    return {"rows": found, "calls": [{**call, "arguments": call["arguments"]} for call in chosen]}


def inspect(folder):
    from inspect_ai.dataset import json_dataset

    rows, calls = {}, []
    for split, path in split_files(folder).items():
        data = json_dataset(path)
        rows[split] = len(data)
        for sample in data:
            assert isinstance(sample.input, list), "the input is a conversation"
            if sample.metadata["kind"] == "should_call":
                calls.append(json.loads(sample.target)[0])
    return {"rows": rows, "calls": calls}


def pandas(folder):
    import pandas as pd

    if os.path.exists(os.path.join(folder, "reviewed-examples.parquet")):
        frame = pd.read_parquet(os.path.join(folder, "reviewed-examples.parquet"))
        return {"rows": {"all": len(frame)}, "decisions": frame["decision"].value_counts().to_dict(), "columns": list(frame.columns)}
    return {"rows": {split: len(pd.read_json(path, lines=True)) for split, path in split_files(folder).items()}}


READERS = {
    "trl-preference": lambda folder: trl(folder, "chosen"),
    "trl-kto": lambda folder: trl(folder, "completion"),
    "trl-sft": lambda folder: trl(folder, "completion"),
    "huggingface": hugging_face,
    "inspect": inspect,
}

target, folder = sys.argv[1:]
print(json.dumps(READERS.get(target, pandas)(folder)))
