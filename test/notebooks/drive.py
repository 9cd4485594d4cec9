"""Drives one kernel through jupyter_client: steps as JSON on standard input, what came of them as JSON on standard output.

A step is one of
  {"cells": [{"code": ..., "stop_on_error": true}, ...]}   sent at once, without waiting for replies
  {"interrupt": code, "when": text}                        interrupted once the cell has printed the text, or, where it
                                                           is empty, two seconds after it has begun
  {"kill": code, "when": text}                             its kernel killed by SIGKILL once it has printed the text; a
                                                           new one takes its place, as JupyterLab starts one
  {"inspect": code} or {"complete": code}                  the cursor stands at "|", which is taken out
  {"comm": {"type": ..., "content": ..., "buffers": [base64, ...]}}
                                                           what comes of a comm message until the kernel is idle again;
                                                           {"comm_id": {"model": "ButtonModel"}} is the last one opened
  {"shell": {"type": ..., "content": ...}}                 the content of a request's reply
  {"raw": [base64, ...]}                                   frames as they are, on the shell socket; nothing is waited for
A cell may have the "id" that JupyterLab would send with it.
"""

import base64
import json
import signal
import subprocess
import sys
import time

from jupyter_client.manager import start_new_kernel

TIMEOUT = 120


class Cell:
    """What came back for one request."""

    def __init__(self):
        self.result = {"text": "", "data": [], "traceback": [], "ename": "", "evalue": "", "status": "", "number": None}
        self.begun = self.replied = self.idle = False

    def take(self, message):
        kind, content = message["msg_type"], message["content"]
        if kind == "stream":
            self.result["text"] += content["text"]
        elif kind in ("execute_result", "display_data", "update_display_data"):
            self.result["data"].append({"kind": kind, **content["data"]})
        elif kind in ("error", "execute_reply"):
            for field in ("status", "ename", "evalue", "traceback"):
                if field in content:
                    self.result[field] = content[field]
            if kind == "execute_reply":
                self.result["number"] = content.get("execution_count")
                self.replied = True
        elif kind == "execute_input":
            self.begun = True
        elif kind == "status" and content["execution_state"] == "idle":
            self.idle = True


opened = {}
"""Ids of the widgets that the kernel opened, by the name of their model."""


def note_opened(message):
    if message["msg_type"] == "comm_open":
        content = message["content"]
        opened.setdefault(content["data"].get("state", {}).get("_model_name"), []).append(content["comm_id"])


def collect(client, cells, until):
    """Hands messages to the cells they answer until `until()` holds."""
    deadline = time.time() + TIMEOUT
    while not until():
        if time.time() > deadline:
            raise TimeoutError(f"no answer in {TIMEOUT} s: {[c.result for c in cells.values()]}")
        for channel in (client.iopub_channel, client.shell_channel):
            while channel.msg_ready():
                message = channel.get_msg()
                note_opened(message)
                cell = cells.get(message["parent_header"].get("msg_id"))
                if cell:
                    cell.take(message)
        time.sleep(0.005)


def done(cells):
    return all(c.replied and c.idle for c in cells.values())


def run_cells(client, requests):
    cells = {}
    for request in requests:
        message = client.session.msg(
            "execute_request",
            {
                "code": request["code"],
                "silent": False,
                "store_history": True,
                "user_expressions": {},
                "allow_stdin": False,
                "stop_on_error": request.get("stop_on_error", True),
            },
            metadata={"cellId": request["id"]} if "id" in request else {},
        )
        cells[message["header"]["msg_id"]] = Cell()
        client.shell_channel.send(message)
    collect(client, cells, lambda: done(cells))
    return [c.result for c in cells.values()]


def interrupt(manager, client, code, when):
    cells = {client.execute(code): Cell()}
    [cell] = cells.values()
    collect(client, cells, lambda: cell.begun and when in cell.result["text"])
    if when == "":
        time.sleep(2)
    begun = time.time()
    manager.interrupt_kernel()
    collect(client, cells, lambda: done(cells))
    return {**cell.result, "seconds": time.time() - begun}


def with_ids(content):
    model = content.get("comm_id")
    return {**content, "comm_id": opened[model["model"]][-1]} if isinstance(model, dict) else content


def comm(client, request):
    """Everything that is published until the kernel has dealt with the message."""
    message = client.session.msg(request["type"], with_ids(request["content"]))
    buffers = [base64.b64decode(b) for b in request.get("buffers", [])]
    client.session.send(client.shell_channel.socket, message, buffers=buffers)
    own, answers = message["header"]["msg_id"], []
    while True:
        answer = client.get_iopub_msg(timeout=TIMEOUT)
        note_opened(answer)
        is_own = answer["parent_header"].get("msg_id") == own
        answers.append(
            {
                "type": answer["msg_type"],
                "own": is_own,
                "content": answer["content"],
                "metadata": answer["metadata"],
                "buffers": [base64.b64encode(b).decode() for b in answer["buffers"]],
            }
        )
        if is_own and answer["content"].get("execution_state") == "idle":
            return answers


def shell(client, request):
    message = client.session.msg(request["type"], request["content"])
    client.shell_channel.send(message)
    while True:
        reply = client.get_shell_msg(timeout=TIMEOUT)
        if reply["parent_header"].get("msg_id") == message["header"]["msg_id"]:
            return reply["content"]


def kill(manager, client, code, when):
    cells = {client.execute(code): Cell()}
    [cell] = cells.values()
    collect(client, cells, lambda: cell.begun and when in cell.result["text"])
    manager.signal_kernel(signal.SIGKILL)
    manager.restart_kernel(now=True)
    client.wait_for_ready(timeout=TIMEOUT)
    return cell.result


def at_cursor(method, code):
    position = code.index("|")
    return method(code[:position] + code[position + 1 :], position, reply=True, timeout=TIMEOUT)["content"]


def main():
    steps = json.load(sys.stdin)
    begun = time.time()
    # The kernel must not have this process's output: Node makes it non-blocking, and then part of an answer is lost.
    manager, client = start_new_kernel(kernel_name="tslab-fine-r1", startup_timeout=TIMEOUT, stdout=subprocess.DEVNULL)
    results = [{"started": time.time() - begun}]
    try:
        for step in steps:
            if "cells" in step:
                results.append(run_cells(client, step["cells"]))
            elif "interrupt" in step:
                results.append(interrupt(manager, client, step["interrupt"], step["when"]))
            elif "comm" in step:
                results.append(comm(client, step["comm"]))
            elif "shell" in step:
                results.append(shell(client, step["shell"]))
            elif "raw" in step:
                client.shell_channel.socket.send_multipart([base64.b64decode(frame) for frame in step["raw"]])
                results.append(None)
            elif "kill" in step:
                results.append(kill(manager, client, step["kill"], step["when"]))
            elif "inspect" in step:
                results.append(at_cursor(client.inspect, step["inspect"])["data"].get("text/plain", ""))
            else:
                results.append(at_cursor(client.complete, step["complete"])["matches"])
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)
    json.dump(results, sys.stdout)


main()
