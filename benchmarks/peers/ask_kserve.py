"""KServe's REST and gRPC clients ask a gateway; runs in the environment of KServe: the task as JSON on stdin, what was seen on stdout."""

from __future__ import annotations

import asyncio
import json
import logging
import sys
from typing import Any

import grpc
import httpx
import numpy as np
from google.protobuf.json_format import MessageToDict
from kserve import InferenceGRPCClient, InferenceRESTClient, InferInput, InferRequest, InferResponse, RESTConfig
from kserve.protocol.grpc.grpc_predict_v2_pb2 import ModelMetadataRequest
from kserve.protocol.grpc.grpc_predict_v2_pb2_grpc import GRPCInferenceServiceStub
from kserve.protocol.infer_type import RequestedOutput
from kserve.protocol.rest.v2_datamodels import ModelMetadataResponse

_DTYPES = {"FP64": np.float64, "FP32": np.float32, "INT64": np.int64, "INT16": np.int16, "BYTES": np.object_}


def _request(model: str, tensors: dict[str, list[Any]], binary: bool, wanted: dict[str, bool] | None = None) -> InferRequest:
    """Return KServe's request of named columns, each [datatype, shape, values].

    Args:
        wanted: the outputs that are asked for, and whether in binary; all of them where there is none.
    """
    inputs = [InferInput(name, shape, datatype) for name, (datatype, shape, _) in tensors.items()]
    for one, (datatype, shape, values) in zip(inputs, tensors.values(), strict=True):
        one.set_data_from_numpy(np.array(values, dtype=_DTYPES[datatype]).reshape(shape), binary_data=binary)
    outputs = [RequestedOutput(name, {"binary_data": raw}) for name, raw in (wanted or {}).items()]
    return InferRequest(model, inputs, request_id="by-kserve", request_outputs=outputs)


def _seen(answer: InferResponse) -> dict[str, Any]:
    outputs = {one.name: [one.datatype, list(one.shape), one.as_numpy().tolist()] for one in answer.outputs}
    return {"id": answer.id, "model": answer.model_name, "version": answer.model_version, "outputs": outputs}


async def _over_rest(task: dict[str, Any]) -> dict[str, Any]:
    url, model = task["rest"], task["model"]
    async with InferenceRESTClient(RESTConfig(protocol="v2")) as client, httpx.AsyncClient() as plain:
        told = await plain.get(f"{url}/v2/models/{model}")  # the client has no call for it, only the model of its answer
        seen = {
            "live": await client.is_server_live(url),
            "ready": await client.is_server_ready(url),
            "model_ready": [await client.is_model_ready(url, model), await client.is_model_ready(url, "nobody")],
            "metadata": ModelMetadataResponse.model_validate_json(told.content).model_dump(),
        }
        asked = {name: _request(model, *one) for name, one in task["asked"].items()}
        seen["answers"] = {name: _seen(await client.infer(url, one, model_name=model)) for name, one in asked.items()}
        try:
            await client.infer(url, _request(model, *task["refused"]), model_name=model)
        except httpx.HTTPStatusError as error:
            seen["refused"] = [error.response.status_code, str(error)]
    return seen


async def _over_grpc(task: dict[str, Any]) -> dict[str, Any]:
    target, model = task["grpc"], task["model"]
    async with InferenceGRPCClient(target) as client, grpc.aio.insecure_channel(target) as channel:
        told = await GRPCInferenceServiceStub(channel).ModelMetadata(ModelMetadataRequest(name=model))
        seen = {
            "live": await client.is_server_live(),
            "ready": await client.is_server_ready(),
            "model_ready": [await client.is_model_ready(model), await _unknown_is_ready(client)],
            "metadata": MessageToDict(told, preserving_proto_field_name=True),
        }
        asked = {name: _request(model, *one) for name, one in task["asked"].items()}
        seen["answers"] = {name: _seen(await client.infer(one)) for name, one in asked.items()}
        try:
            await client.infer(_request(model, *task["refused"]))
        except grpc.RpcError as error:
            seen["refused"] = [error.code().name, error.details()]
    return seen


async def _unknown_is_ready(client: InferenceGRPCClient) -> bool | str:
    try:
        return await client.is_model_ready("nobody")
    except grpc.RpcError as error:
        return str(error.code().name)


async def _both(task: dict[str, Any]) -> dict[str, Any]:
    return {"rest": await _over_rest(task), "grpc": await _over_grpc(task)}


if __name__ == "__main__":
    logging.disable()  # the client logs each refusal with its traceback
    json.dump(asyncio.run(_both(json.load(sys.stdin))), sys.stdout)
