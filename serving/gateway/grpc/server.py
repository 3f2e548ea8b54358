"""The gRPC server: the protocol, its reflection and the standard health service, on the event loop of the gateway."""

from __future__ import annotations

import asyncio
from typing import Any

from contracts.errors import UsageError
from serving.gateway.grpc.protocol import SERVICE, protocol
from serving.gateway.grpc.servicer import Servicer
from serving.gateway.limits import Limits

_GRACE_SECONDS = 2.0
_LOOK_SECONDS = 0.5
_ENVELOPE_BYTES = 64 * 1024  # names and shapes around the values


class GrpcServer:
    """Started and stopped with the HTTP server.

    Args:
        address: host and port to listen on.
        shared: whether other workers listen there, too.
    """

    def __init__(self, servicer: Servicer, limits: Limits, address: str, *, shared: bool = False) -> None:
        self._shared = shared
        self._servicer, self._limits, self._address = servicer, limits, address
        self._server: Any = None

    async def start(self) -> None:
        """Begin to answer.

        Raises:
            UsageError: the port is taken.
        """
        import grpc
        from grpc_health.v1 import health_pb2, health_pb2_grpc
        from grpc_reflection.v1alpha import reflection

        most = self._limits.body_bytes + _ENVELOPE_BYTES
        # without the first, a second gateway on the same port would silently get half of the calls
        options = (
            ("grpc.so_reuseport", int(self._shared)),
            ("grpc.max_receive_message_length", most),
            ("grpc.max_send_message_length", -1),
        )
        server = self._server = grpc.aio.server(options=options)
        protocol().services.add_GRPCInferenceServiceServicer_to_server(self._servicer, server)
        health_pb2_grpc.add_HealthServicer_to_server(_Health(self._servicer, health_pb2), server)
        names = (SERVICE, health_pb2.DESCRIPTOR.services_by_name["Health"].full_name, reflection.SERVICE_NAME)
        reflection.enable_server_reflection(names, server)
        try:
            server.add_insecure_port(self._address)
        except RuntimeError:
            raise UsageError(f"The gateway cannot listen on {self._address} for gRPC.", "Choose another with --grpc-port.") from None
        await server.start()

    async def stop(self) -> None:
        """Answer what is under way and take nothing more."""
        if self._server is not None:
            await self._server.stop(_GRACE_SECONDS)


class _Health:
    """grpc.health.v1.Health, told by what can be answered now."""

    def __init__(self, servicer: Servicer, messages: Any) -> None:
        self._servicer, self._messages = servicer, messages

    def _told(self, service: str) -> Any:
        if service not in ("", SERVICE):
            return self._messages.HealthCheckResponse.SERVICE_UNKNOWN
        kind = self._messages.HealthCheckResponse
        return kind.SERVING if self._servicer.ready else kind.NOT_SERVING

    async def Check(self, request: Any, context: Any) -> Any:  # the protocol's name
        """Say how a service is now."""
        import grpc

        told = self._told(request.service)
        if told == self._messages.HealthCheckResponse.SERVICE_UNKNOWN:
            await context.abort(grpc.StatusCode.NOT_FOUND, f"There is no service {request.service[:80]!r} here.")
        return self._messages.HealthCheckResponse(status=told)

    async def Watch(self, request: Any, context: Any) -> None:  # the protocol's name
        """Say how a service is, and again whenever that changes."""
        said = None
        while True:
            told = self._told(request.service)
            if told != said:
                said = told
                await context.write(self._messages.HealthCheckResponse(status=told))
            await asyncio.sleep(_LOOK_SECONDS)
