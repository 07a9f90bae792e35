"""Reads an export back with the tools that it was made for. Called by read-back.test.ts: python read_back.py TARGET FOLDER.

Prints one JSON object: rows by split, and what the caller compares with the ledger.
"""

import json
import os
import re
import sys

os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["HF_DATASETS_OFFLINE"] = "1"
os.environ.setdefault("HF_DATASETS_CACHE", os.path.join(sys.argv[2], ".cache"))


def split_files(folder):
    return {name[:-6]: os.path.join(folder, name) for name in sorted(os.listdir(folder)) if name.endswith(".jsonl") and name != "rejected-rows.jsonl"}


def call_of(messages):
    function = messages[0]["tool_calls"][0]["function"]
    return {"name": function["name"], "arguments": function["arguments"]}


# A chat template in small: what the templates of tool-calling models do with tools, calls and arguments.
TEMPLATE = """{%- for tool in tools or [] %}<tool>{{ tool | tojson }}</tool>{% endfor -%}
{%- for m in messages %}<{{ m.role }}>{{ m.content }}{% for c in m.tool_calls or [] %}<call>{{ c.function | tojson }}</call>{% endfor %}</{{ m.role }}>{% endfor %}
{%- if add_generation_prompt %}<assistant>{% endif %}"""


def trl(folder, sides):
    """What TRL's trainers do before they tokenize: each row must be a conversation, and a chat template must find exactly its calls."""
    from datasets import load_dataset
    from tokenizers import Tokenizer, models
    from transformers import PreTrainedTokenizerFast
    from trl.data_utils import apply_chat_template, is_conversational

    tokenizer = PreTrainedTokenizerFast(tokenizer_object=Tokenizer(models.WordLevel({"[UNK]": 0}, unk_token="[UNK]")), chat_template=TEMPLATE)
    # By its README: without it `datasets` fills the arguments of every call with those of all others, as nulls.
    data = load_dataset(folder)
    given = records(folder)
    calls = []
    for split, rows in data.items():
        for row, said in zip(rows, given[split], strict=True):
            assert is_conversational(row), "TRL takes it for plain text"
            rendered = apply_chat_template(row, tokenizer, tools=row["tools"])
            assert "<tool>" in rendered["prompt"] and rendered["prompt"].endswith("<assistant>"), rendered["prompt"]
            for side in sides:
                (call,) = re.findall(r"<call>(.*?)</call>", rendered[side])
                call = json.loads(call)
                assert call == said[side][0]["tool_calls"][0]["function"], f"the template sees {call}"
                calls.append(call)
    columns = sorted({name for split in data.values() for name in split.column_names})
    return {"rows": {name: len(split) for name, split in data.items()}, "calls": calls, "columns": columns}


def openai(folder):
    """The types of the OpenAI package for messages and tools. What fine-tuning adds to them (`weight`, the two outputs) has no type there."""
    from openai.types.chat import ChatCompletionMessageParam, ChatCompletionToolParam
    from pydantic import TypeAdapter

    message_type, tools_type = TypeAdapter(ChatCompletionMessageParam), TypeAdapter(list[ChatCompletionToolParam])
    found = records(folder)
    for row in (row for rows in found.values() for row in rows):
        given = row.get("input", row)
        assert tools_type.validate_python(given["tools"]) == given["tools"]
        named = {tool["function"]["name"] for tool in given["tools"]}
        for message in given["messages"] + row.get("preferred_output", []) + row.get("non_preferred_output", []):
            read = message_type.validate_python(message)
            # Pydantic looks into an iterable when it is read.
            if "tool_calls" in read:
                read["tool_calls"] = list(read["tool_calls"])
            assert read == {key: value for key, value in message.items() if key != "weight"}, f"OpenAI would read {read}"
            for call in message.get("tool_calls", []):
                assert re.fullmatch(r"[a-zA-Z0-9_-]{1,64}", call["function"]["name"]) and call["function"]["name"] in named
                assert isinstance(json.loads(call["function"]["arguments"]), dict)
        if "messages" in row:
            *earlier, last = [message["weight"] for message in row["messages"] if message["role"] == "assistant"]
            assert last == 1 and not any(earlier), "only the reviewed call is trained on"
        else:
            assert len(row["preferred_output"]) == len(row["non_preferred_output"]) == 1
    return {"rows": {split: len(rows) for split, rows in found.items()}}


def hugging_face(folder):
    from datasets import load_dataset

    found = {}
    for config in ("examples", "preference", "kto", "sft", "cases"):
        data = load_dataset(folder, config)
        found[config] = {name: len(split) for name, split in data.items()}
    chosen = [call_of(json.loads(row["chosen"])) for split in load_dataset(folder, "preference").values() for row in split]
    return {"rows": found, "calls": [{**call, "arguments": call["arguments"]} for call in chosen]}


def inspect(folder):
    """Every sample as Inspect reads it: a conversation where the transcript was there, else one text."""
    from inspect_ai.dataset import json_dataset

    rows = {}
    found = records(folder)
    for split, given in found.items():
        data = json_dataset(split_files(folder)[split])
        rows[split] = len(data)
        for sample, row in zip(data, given, strict=True):
            assert (sample.id, sample.target, sample.metadata) == (row["id"], row["target"], row["metadata"])
            assert isinstance(sample.input, list) == (row["metadata"]["tools"] is not None), "a transcript is a conversation"
            if isinstance(sample.input, str):
                assert sample.input == row["input"]
                continue
            for message, said in zip(sample.input, row["input"], strict=True):
                calls = [(call.function, call.arguments) for call in getattr(message, "tool_calls", None) or []]
                assert (message.role, message.text) == (said["role"], said["content"])
                assert calls == [(call["function"], call["arguments"]) for call in said.get("tool_calls", [])]
    return {"rows": rows, "conversations": sum(isinstance(row["input"], list) for given in found.values() for row in given)}


def records(folder):
    """Rows by split, as JSON."""
    found = {}
    for split, path in split_files(folder).items():
        with open(path, encoding="utf-8") as lines:
            found[split] = [json.loads(line) for line in lines]
    return found


def langsmith(folder):
    """The model that `create_examples` makes of each dict, and what it would send."""
    import warnings

    from langsmith.schemas import ExampleCreate

    # `outputs` is the name on the wire and in older clients; newer ones also call it reference_outputs.
    warnings.simplefilter("ignore", DeprecationWarning)
    known = {field.serialization_alias or name for name, field in ExampleCreate.model_fields.items()}
    found = records(folder)
    for row in (row for rows in found.values() for row in rows):
        assert set(row) <= known, f"LangSmith knows no {set(row) - known}"
        sent = ExampleCreate(**row).model_dump(mode="json", by_alias=True, include=None, exclude={"created_at"}, exclude_unset=True)
        assert sent == row, f"LangSmith would send {sent}"
    return {"rows": {split: len(rows) for split, rows in found.items()}}


def langfuse(folder):
    """The request of `POST /api/public/dataset-items`."""
    from langfuse.api import CreateDatasetItemRequest
    from langfuse.api.core.pydantic_utilities import parse_obj_as

    found = records(folder)
    for row in (row for rows in found.values() for row in rows):
        request = parse_obj_as(CreateDatasetItemRequest, row)
        assert not request.model_extra, f"Langfuse knows no {set(request.model_extra)}"
        assert json.loads(request.json(exclude_unset=True)) == row, f"Langfuse would send {request.json()}"
        # Ids are unique in a project and at most this long.
        assert len(row["id"]) <= 255
    assert len({row["id"] for rows in found.values() for row in rows}) == sum(len(rows) for rows in found.values())
    return {"rows": {split: len(rows) for split, rows in found.items()}}


def braintrust(folder):
    """Each row through `dataset.insert`; what the SDK would upload stays in its memory logger."""
    from braintrust import logger

    found = records(folder)
    dataset = logger.ObjectMetadata(id="dataset", name="d", full_info={})
    project = logger.ObjectMetadata(id="project", name="p", full_info={})
    lazy = logger.LazyValue(lambda: logger.ProjectDatasetMetadata(project=project, dataset=dataset), use_mutex=False)
    lazy.get()
    with logger._internal_with_memory_background_logger() as memory:
        into = logger.Dataset(lazy, state=logger._internal_get_global_state())
        for row in (row for rows in found.values() for row in rows):
            assert into.insert(**row) == row["id"]
        uploaded = {event["id"]: event for event in memory.pop()}
    for row in (row for rows in found.values() for row in rows):
        sent = {key: uploaded[row["id"]][key] for key in row}
        assert sent == row, f"Braintrust would upload {sent}"
    return {"rows": {split: len(rows) for split, rows in found.items()}}


def mlflow(folder):
    """MLflow's own store on SQLite: merged into an evaluation dataset, and read from it again."""
    import dataclasses
    import tempfile

    os.environ["GIT_PYTHON_REFRESH"] = "quiet"
    import mlflow
    from mlflow.entities.dataset_record import DatasetRecord
    from mlflow.genai import datasets

    found = records(folder)
    # merge_records drops in silence what it does not know.
    known = {field.name for field in dataclasses.fields(DatasetRecord)}
    for row in (row for rows in found.values() for row in rows):
        assert set(row) <= known, f"MLflow knows no {set(row) - known}"
    with tempfile.TemporaryDirectory() as work:
        mlflow.set_tracking_uri(f"sqlite:///{os.path.join(work, 'mlflow.db')}")
        mlflow.set_experiment("read back")
        rows = {}
        for split, given in found.items():
            datasets.create_dataset(name=split).merge_records([dict(row) for row in given])
            kept = datasets.search_datasets(filter_string=f"name = '{split}'")[0].to_df()
            rows[split] = len(kept)
            by_id = {tags["example_id"]: (inputs, expectations, tags) for tags, inputs, expectations in zip(kept["tags"], kept["inputs"], kept["expectations"])}
            for row in given:
                inputs, expectations, tags = by_id[row["tags"]["example_id"]]
                # MLflow adds tags of its own.
                assert (inputs, expectations) == (row["inputs"], row["expectations"]), "MLflow keeps what it was given"
                assert {name: tags.get(name) for name in row["tags"]} == row["tags"], f"MLflow keeps the tags {tags}"
    return {"rows": rows}


def phoenix(folder):
    """Each split through `create_dataset`, to a server that keeps what the client uploads."""
    import threading
    from http.server import BaseHTTPRequestHandler, HTTPServer

    from phoenix.client import Client

    uploads = []

    class Keep(BaseHTTPRequestHandler):
        def do_POST(self):
            uploads.append(json.loads(self.rfile.read(int(self.headers["content-length"]))))
            self.send_response(507)
            self.end_headers()

        def log_message(self, *args):
            pass

    server = HTTPServer(("127.0.0.1", 0), Keep)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    client = Client(base_url=f"http://127.0.0.1:{server.server_port}")
    found = records(folder)
    for split, rows in found.items():
        before = len(uploads)
        try:
            client.datasets.create_dataset(name=split, examples=rows)
        except Exception as error:  # the refusal of the server above; a row that the client refuses is never uploaded
            if len(uploads) == before:
                raise error
        sent = uploads[-1]
        assert [dict(zip(("input", "output", "metadata"), row)) for row in zip(sent["inputs"], sent["outputs"], sent["metadata"])] == rows
    server.shutdown()
    return {"rows": {split: len(rows) for split, rows in found.items()}}


def pandas(folder):
    import pandas as pd

    if os.path.exists(os.path.join(folder, "reviewed-examples.parquet")):
        frame = pd.read_parquet(os.path.join(folder, "reviewed-examples.parquet"))
        return {"rows": {"all": len(frame)}, "decisions": frame["decision"].value_counts().to_dict(), "columns": list(frame.columns)}
    return {"rows": {split: len(pd.read_json(path, lines=True)) for split, path in split_files(folder).items()}}


READERS = {
    "trl-preference": lambda folder: trl(folder, ("chosen", "rejected")),
    "trl-kto": lambda folder: trl(folder, ("completion",)),
    "trl-sft": lambda folder: trl(folder, ("completion",)),
    "huggingface": hugging_face,
    "openai-sft": openai,
    "openai-dpo": openai,
    "inspect": inspect,
    "langsmith": langsmith,
    "langfuse": langfuse,
    "braintrust": braintrust,
    "mlflow": mlflow,
    "phoenix": phoenix,
}

target, folder = sys.argv[1:]
print(json.dumps(READERS.get(target, pandas)(folder)))
