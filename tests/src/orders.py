"""A service and a client of gRPC, made with grpcio: `serve PORT`, or `call ADDRESS HOST METHOD [NAME=VALUE...]`."""

import concurrent.futures
import json
import sys

import grpc


class Orders(grpc.GenericRpcHandler):
    """Says what metadata reached it: `List` once, `Watch` three times. Messages are JSON, so that no definition is needed."""

    def service(self, call):
        said = json.dumps({"method": call.method, "metadata": [list(pair) for pair in call.invocation_metadata]}).encode()
        if call.method.endswith("/List"):
            return grpc.unary_unary_rpc_method_handler(lambda request, context: said)
        if call.method.endswith("/Watch"):
            return grpc.unary_stream_rpc_method_handler(lambda request, context: iter([said] * 3))
        return None


def serve(port):
    server = grpc.server(concurrent.futures.ThreadPoolExecutor(4), handlers=[Orders()])
    server.add_insecure_port(f"127.0.0.1:{port}")
    server.start()
    print("ready", flush=True)
    server.wait_for_termination()


def call(address, host, method, *metadata):
    options = [("grpc.default_authority", host), ("grpc.enable_http_proxy", 0)]
    with grpc.insecure_channel(address, options=options) as channel:
        # One answer is a stream of one.
        ask = channel.unary_stream(method)
        answers = ask(b"", metadata=[tuple(pair.split("=", 1)) for pair in metadata], timeout=15, wait_for_ready=True)
        messages = []
        try:
            messages += map(json.loads, answers)
        except grpc.RpcError:
            pass
        pairs = lambda found: [[name, value if isinstance(value, str) else value.decode("latin-1")] for name, value in found or ()]
        print(json.dumps({
            "code": answers.code().name, "details": answers.details(), "messages": messages,
            "initial": pairs(answers.initial_metadata()), "trailing": pairs(answers.trailing_metadata())}))


{"serve": serve, "call": call}[sys.argv[1]](*sys.argv[2:])
