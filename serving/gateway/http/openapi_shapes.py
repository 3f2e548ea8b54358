"""Bodies that are sent and given, as JSON Schema."""

from __future__ import annotations

_ANY = {"type": ["number", "integer", "string", "boolean", "null"]}
_NAMED = {"type": "object", "additionalProperties": {"type": "number"}}
_TENSOR = {
    "type": "object",
    "required": ["name", "datatype", "shape"],
    "properties": {
        "name": {"type": "string", "description": "The column."},
        "datatype": {
            "enum": ["BOOL", *(f"{sign}INT{size}" for sign in ("", "U") for size in (8, 16, 32, 64)), "FP16", "FP32", "FP64", "BYTES"]
        },
        "shape": {"type": "array", "items": {"type": "integer"}, "description": "[n] or [n, 1]; [n, columns] where one input holds all."},
        "data": {
            "type": "array",
            "description": "One value for each row; null is a missing value. Absent where the values follow the JSON as bytes.",
            "items": {"anyOf": [_ANY, {"type": "array", "items": _ANY}]},
        },
        "parameters": {
            "type": ["object", "null"],
            "properties": {"binary_data_size": {"type": "integer", "minimum": 0, "description": "How many bytes behind the JSON it has."}},
        },
    },
}
INFER = {
    "type": "object",
    "required": ["inputs"],
    "properties": {
        "id": {"type": ["string", "null"], "description": "The request's id, for feedback; made where absent."},
        "parameters": {
            "type": ["object", "null"],
            "properties": {
                "event_time": {
                    "description": "When the rows happened, RFC 3339: one for all, or a list with one for each; now where absent."
                },
                "binary_data_output": {"type": "boolean", "description": "Outputs as raw bytes behind the JSON."},
                "timeout": {
                    "type": ["integer", "null"],
                    "minimum": 0,
                    "description": "Microseconds the caller waits, as Triton has it; 0 for no limit.",
                },
                "unit": {"description": "Who is assigned in an A/B stage: one for all, or a list with one for each."},
            },
        },
        "inputs": {"type": "array", "minItems": 1, "items": _TENSOR},
        "outputs": {
            "type": ["array", "null"],
            "items": {
                "type": "object",
                "required": ["name"],
                "properties": {
                    "name": {"type": "string"},
                    "parameters": {"type": ["object", "null"], "properties": {"binary_data": {"type": "boolean"}}},
                },
            },
        },
    },
}
ANSWER = {
    "type": "object",
    "required": ["model_name", "model_version", "id", "outputs"],
    "properties": {
        "model_name": {"type": "string"},
        "model_version": {"type": "string", "description": "The version that answered."},
        "id": {"type": "string"},
        "outputs": {"type": "array", "items": _TENSOR},
        "parameters": {
            "type": "object",
            "description": "Only where rows went to several versions.",
            "properties": {
                "versions": {"type": "array", "items": {"type": "string"}, "description": "For each row the version that answered it."}
            },
        },
    },
}
SCORING = {
    "type": "object",
    "description": "Exactly one of the four forms.",
    "properties": {
        "dataframe_split": {"type": "object", "required": ["columns", "data"]},
        "dataframe_records": {"type": "array", "items": {"type": "object"}},
        "instances": {"type": "array"},
        "inputs": {"type": ["object", "array"]},
        "params": {
            "type": ["object", "null"],
            "properties": {"output": {"enum": ["probability", "label"], "description": "Of a classifier chances, or classes."}},
        },
    },
}
_FEEDBACK_ITEM = {
    "type": "object",
    "required": ["id"],
    "properties": {
        "id": {"type": "string", "description": "The request's id; unknown ones are joined later."},
        "row": {"type": "integer", "minimum": 0, "default": 0},
        "label": _ANY,
        "reward": {"anyOf": [{"type": ["number", "null"]}, _NAMED], "description": "A number, or several by name."},
        "observed_at": {"type": ["string", "null"], "format": "date-time"},
    },
}
FEEDBACK = {
    "type": "object",
    "required": ["feedback"],
    "properties": {"feedback": {"type": "array", "minItems": 1, "items": _FEEDBACK_ITEM}},
}
ERROR = {"type": "object", "required": ["error"], "properties": {"error": {"type": "string"}}}
_TIME = {"type": ["string", "null"], "format": "date-time"}
_PART = {"type": ["object", "null"]}
STATUS = {
    "type": "object",
    "required": ["gateway", "ledger", "pipelines"],
    "properties": {
        "gateway": {"type": "object", "properties": {"id": {"type": "string"}, "started_at": _TIME, "now": _TIME}},
        "ledger": {
            "type": "object",
            "properties": {"up": {"type": "boolean"}, "route_from": {"type": ["string", "null"]}, "read_at": _TIME},
        },
        "pipelines": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["pipeline", "gateway"],
                "properties": {
                    "pipeline": {"type": "string"},
                    "champion": _PART,
                    "candidate": _PART,
                    "previous": _PART,
                    "phase": {"type": ["string", "null"]},
                    "route": _PART,
                    "evidence": {"type": ["array", "null"], "items": {"type": "object"}},
                    "decisions": {"type": ["array", "null"], "items": {"type": "object"}},
                    "gateway": _PART | {"description": "What this gateway serves: version, epoch, arms, engine, latency_ms."},
                },
            },
        },
    },
}
