"""Asks a SIP server once over UDP and prints the status of its final answer; nothing else is done with the answer.

    sip-status.py LOCAL-ADDRESS METHOD URI      the URI's host is an address, its port 5060
"""
import random
import re
import socket
import sys

TRIES, WAIT_S = 5, 1.0


def request(address, port, method, uri):
    """The request; an INVITE offers nothing, since it is to be refused."""
    token = f'{random.getrandbits(64):x}'
    return '\r\n'.join((
        f'{method} {uri} SIP/2.0', f'Via: SIP/2.0/UDP {address}:{port};rport;branch=z9hG4bK{token}',
        f'From: <sip:asks@{address}>;tag={token}', f'To: <{uri}>', f'Call-ID: {token}', f'CSeq: 1 {method}',
        f'Contact: <sip:asks@{address}:{port}>', 'Max-Forwards: 70', 'Content-Length: 0', '', '')).encode()


def ask(address, method, uri):
    """The status, or None if nobody answers."""
    host = re.sub(r'^sip:(.*@)?([^:;]*).*', r'\2', uri)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as link:
        link.bind((address, 0))
        link.settimeout(WAIT_S)
        message = request(address, link.getsockname()[1], method, uri)
        for _ in range(TRIES):
            link.sendto(message, (host, 5060))
            try:
                while True:
                    status = int(link.recv(65535).split(b' ', 2)[1])
                    if status >= 200:
                        return status
            except TimeoutError:
                continue
    return None


print(ask(*sys.argv[1:]))
