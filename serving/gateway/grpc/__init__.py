"""The Open Inference Protocol over gRPC, beside HTTP, on a port of its own."""
