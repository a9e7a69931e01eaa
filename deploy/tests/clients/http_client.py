"""Requests with http.client to the edge at the address that is given; ends with an exception when one goes wrong."""

import http.client
import sys

HOST = {"Host": "www.customer.test"}


class Edge:
    """One connection, which must last."""

    def __init__(self, address):
        self.connection = http.client.HTTPConnection(address, timeout=60)
        self.connection.connect()
        self.socket = self.connection.sock

    def ask(self, method, target, body=None, encode_chunked=False, **fields):
        fields = {name.replace("_", "-"): value for name, value in fields.items()}
        self.connection.request(
            method, target, body, {**HOST, **fields}, encode_chunked=encode_chunked
        )
        response = self.connection.getresponse()
        response.content = response.read()
        assert self.connection.sock is self.socket, f"{method} {target}: a connection that ended"
        return response


def told(response):
    return response.getheader("Cache-Status", "")


def expect(response, status, *texts):
    assert response.status == status, (response.status, response.getheaders())
    for text in texts:
        assert text in told(response), (text, told(response))


def persistent(edge):
    """RFC 9112 section 9.3, RFC 9111 section 5.1: a hit has the same content, and its age."""
    target = "/bytes/1000/persistent?max-age=60&age=7"
    first = edge.ask("GET", target)
    expect(first, 200, "fwd=uri-miss", "stored")
    assert first.version == 11 and len(first.content) == 1000
    for _ in range(20):
        again = edge.ask("GET", target)
        expect(again, 200, "; hit", "ttl=")
        assert again.content == first.content
        assert int(again.getheader("Age")) >= 7, again.getheaders()
        for name in ("Date", "Content-Type", "Cache-Control"):
            assert again.getheader(name) == first.getheader(name), name
    chunked = edge.ask("GET", "/bytes/200K/chunked?chunked=1&cache-control=no-store")
    assert len(chunked.content) == 200_000, chunked.getheaders()


def uploads(edge):
    """RFC 9112 section 7.1: content in chunks, also empty, also one octet at a time."""
    octets = bytes(range(256)) * 4000
    parts = [octets[at : at + 60_000] for at in range(0, len(octets), 60_000)]
    for body, is_chunked in (
        (octets, False),
        (iter(parts), True),
        (iter([b"%c" % octet for octet in octets[:300]]), True),
        (iter([]), True),
        (b"", False),
    ):
        fields = {"Transfer-Encoding": "chunked"} if is_chunked else {}
        sent = b"".join(body := list(body)) if is_chunked else body
        echo = edge.ask("POST", "/echo", iter(body) if is_chunked else body, is_chunked, **fields)
        expect(echo, 200, "fwd=method")
        assert echo.content == sent, (len(echo.content), len(sent))
    put = edge.ask("PUT", "/echo", b"put")
    expect(put, 200)
    assert put.content == b"put"


def conditions(edge):
    """RFC 9110 section 13: 304 has no content, and the fields that a cache updates."""
    target = "/bytes/1000/condition?max-age=60&etag=v1&last-modified=@1000000000"
    whole = edge.ask("GET", target)
    tag, date = whole.getheader("ETag"), whole.getheader("Last-Modified")
    assert tag == '"v1"' and date == "Sun, 09 Sep 2001 01:46:40 GMT", whole.getheaders()
    for fields, status in (
        ({"If-None-Match": tag}, 304),
        ({"If-None-Match": f'"x", W/{tag}'}, 304),
        ({"If-None-Match": "*"}, 304),
        ({"If-None-Match": '"x"'}, 200),
        ({"If-Modified-Since": date}, 304),
        ({"If-Modified-Since": "Sat, 08 Sep 2001 01:46:40 GMT"}, 200),
        ({"If-None-Match": '"x"', "If-Modified-Since": date}, 200),
    ):
        response = edge.ask("GET", target, **fields)
        expect(response, status, "; hit")
        assert response.content == (whole.content if status == 200 else b""), fields
        for name in ("ETag", "Cache-Control", "Date"):
            assert response.getheader(name) == whole.getheader(name), (fields, name)


def ranges(edge):
    """RFC 9110 section 14."""
    target = "/bytes/1000/range?max-age=60&etag=v1"
    whole = edge.ask("GET", target).content
    for value, start, end in (
        ("bytes=0-0", 0, 1),
        ("bytes=10-19", 10, 20),
        ("bytes=990-", 990, 1000),
        ("bytes=-3", 997, 1000),
    ):
        part = edge.ask("GET", target, Range=value)
        expect(part, 206, "; hit")
        assert part.getheader("Content-Range") == f"bytes {start}-{end - 1}/1000", value
        assert part.content == whole[start:end], value
    expect(edge.ask("GET", target, Range="bytes=1000-"), 416)
    for tag, status in (('"v1"', 206), ('"v2"', 200)):
        expect(edge.ask("GET", target, Range="bytes=1-2", If_Range=tag), status, "; hit")


def heads(edge):
    """RFC 9110 section 9.3.2: http.client would take content after a HEAD for the next response."""
    target = "/bytes/1000/head?max-age=60"
    for method in ("HEAD", "GET", "HEAD"):
        response = edge.ask(method, target)
        expect(response, 200)
        assert response.getheader("Content-Length") == "1000", response.getheaders()
        assert len(response.content) == (1000 if method == "GET" else 0)
    expect(edge.ask("HEAD", target), 200, "; hit")


def errors(edge):
    """After an error the connection goes on, and the next answer is the next request's."""
    for target, fields, status in (
        ("/bytes/50/e?status=404", {}, 404),
        ("/bytes/50/e?status=500&chunked=1", {}, 500),
        ("/bytes/50/e?abort=close", {}, 502),
        ("/bytes/50/none?max-age=60", {"Cache-Control": "only-if-cached"}, 504),
        ("/bytes/0/e?status=204", {}, 204),
        ("/bytes/0/e?status=304", {}, 304),
    ):
        expect(edge.ask("GET", target, **fields), status)
        after = edge.ask("GET", "/bytes/100/after?max-age=60")
        expect(after, 200)
        assert len(after.content) == 100, target


def main(address):
    edge = Edge(address)
    for case in (persistent, uploads, conditions, ranges, heads, errors):
        print(case.__name__, flush=True)
        case(edge)
    # Whoever says close is told so, and gets an end.
    edge.connection.request("GET", "/bytes/10", headers={**HOST, "Connection": "close"})
    last = edge.connection.getresponse()
    assert last.getheader("Connection").lower() == "close" and len(last.read()) == 10
    assert edge.socket.fileno() == -1 or edge.socket.recv(1) == b""
    print("all is well")


main(sys.argv[1])
