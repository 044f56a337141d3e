"""The client outlives whatever a service does."""

from __future__ import annotations

import contextlib
import socket
import threading
import time

import pytest

from harness.client import BODY_CAP, Client, NoAnswer
from harness.errors import SubmissionError


@contextlib.contextmanager
def service(behave):
    """A raw socket server on loopback that treats one connection as `behave` says."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def run():
            connection, _ = listener.accept()
            with connection:
                connection.recv(65536)
                with contextlib.suppress(OSError):  # the client hung up, as it should
                    behave(connection)

        threading.Thread(target=run, daemon=True).start()
        with Client(f"http://127.0.0.1:{listener.getsockname()[1]}", seconds=1.0) as client:
            yield client


def test_an_endless_answer_is_cut_at_the_cap():
    def endless(connection):
        connection.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: 2147483648\r\n\r\n")
        for _ in range(4096):
            connection.sendall(b"0" * 2**20)

    with service(endless) as client:
        reply = client.get("/", seconds=20)
    assert reply.truncated
    assert len(reply.body) == BODY_CAP
    with pytest.raises(SubmissionError, match="cut off"):
        reply.json()


def test_a_body_that_drips_meets_the_deadline():
    def drip(connection):
        connection.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n")
        for _ in range(100):
            connection.sendall(b"x")
            time.sleep(0.2)

    with service(drip) as client, pytest.raises(NoAnswer, match="no whole answer within 1 s"):
        client.get("/")


def test_silence_a_reset_and_garbage_are_no_answers():
    with service(lambda c: time.sleep(3)) as client, pytest.raises(NoAnswer, match="no answer within 1 s"):
        client.get("/")
    with service(lambda c: None) as client, pytest.raises(NoAnswer):
        client.get("/")
    with service(lambda c: c.sendall(b"\x00\xff garbage\r\n\r\n")) as client, pytest.raises(NoAnswer):
        client.get("/")


def test_a_connection_that_is_closed_after_an_answer_is_not_held_against_the_service():
    """As uvicorn does after a failure: the client learns of it only by using the connection again."""
    answer = b"HTTP/1.1 500 Internal Server Error\r\ncontent-length: 0\r\n\r\n"
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def run():
            for _ in range(3):
                connection, _ = listener.accept()
                with connection:
                    connection.recv(65536)
                    connection.sendall(answer)
                    connection.recv(1)  # the next request is on its way: close without an answer to it

        threading.Thread(target=run, daemon=True).start()
        with Client(f"http://127.0.0.1:{listener.getsockname()[1]}", seconds=1.0) as client:
            assert [client.get("/").status for _ in range(3)] == [500] * 3


def test_a_connection_whose_body_was_refused_is_not_used_again():
    """As gunicorn may do: it loses the request that follows a body which it has not read."""
    refused, answered = (f"HTTP/1.1 {status}\r\ncontent-length: 0\r\n\r\n".encode() for status in ("415 No", "200 OK"))
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def run():
            for answer in (refused, answered):
                connection, _ = listener.accept()
                connection.recv(65536)
                connection.sendall(answer)
                kept.append(connection)

        kept = []
        threading.Thread(target=run, daemon=True).start()
        with Client(f"http://127.0.0.1:{listener.getsockname()[1]}", seconds=2.0) as client:
            assert client.request("POST", "/", body=b"<rows/>").status == 415
            assert client.get("/").status == 200
    for connection in kept:
        connection.close()


def test_a_request_that_broke_on_a_new_connection_is_not_sent_again():
    asked = []

    def hang_up(connection):
        asked.append(connection)

    with service(hang_up) as client, pytest.raises(NoAnswer):
        client.get("/")
    assert len(asked) == 1


def test_an_answer_that_is_not_json_says_how_it_starts():
    with service(lambda c: c.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\n<html>")) as client:
        reply = client.get("/")
    with pytest.raises(SubmissionError, match="starts '<html>'"):
        reply.json()


def test_json_nested_too_deeply_is_an_answer_that_is_not_json():
    body = b"[" * 200_000
    head = f"HTTP/1.1 200 OK\r\ncontent-length: {len(body)}\r\n\r\n".encode()
    with service(lambda c: c.sendall(head + body)) as client:
        reply = client.get("/")
    with pytest.raises(SubmissionError, match="not JSON"):
        reply.json()
