"""The far end of ``floor-zmq.ts``: answers each message with the same bytes and does nothing else."""

import sys

import zmq


def main() -> None:
    """Answer until an empty message comes."""
    address, answer_bytes = sys.argv[1], int(sys.argv[2])
    with zmq.Context() as context, context.socket(zmq.DEALER) as socket:
        socket.setsockopt(zmq.IDENTITY, b"floor")
        socket.connect(address)
        answer = bytes(answer_bytes)
        socket.send(answer)
        while socket.recv():
            socket.send(answer)


if __name__ == "__main__":
    main()
