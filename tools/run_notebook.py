"""Runs one notebook in a real Jupyter kernel and reports each event as one line of JSON on stdout.

    python tools/run_notebook.py SOURCE DESTINATION

The executed copy is written to DESTINATION (temporary name, then rename); of a run that fails, to NAME.failed.ipynb
beside it. Exit code 1 when a cell failed. Driven by tools/notebooks/run.ts, which draws the progress.
"""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, DeadKernelError
from nbformat.sign import NotebookNotary

KERNEL = "tslab-fine-r1"


def report(event, **fields):
    print(json.dumps({"event": event, **fields}), flush=True)


def save(notebook, path):
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    nbformat.write(notebook, temporary)
    temporary.replace(path)


class ReportingClient(NotebookClient):
    """Reports streams and displayed text while cells run."""

    def process_message(self, msg, cell, cell_index):
        kind, content = msg["msg_type"], msg["content"]
        if kind == "stream":
            report("stream", cell=cell_index, name=content["name"], text=content["text"])
        elif kind in ("display_data", "update_display_data"):
            text = content["data"].get("text/plain")
            if isinstance(text, str) and content.get("transient", {}).get("display_id"):
                report("progress", cell=cell_index, text=text)
        elif kind == "error":
            report("error", cell=cell_index, traceback=content["traceback"])
        return super().process_message(msg, cell, cell_index)


def main(source, destination):
    notebook = nbformat.read(source, as_version=4)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    written = len(notebook.cells)
    # A last, hidden cell, so that a promise which rejects after the last real one fails the run too.
    notebook.cells.append(nbformat.v4.new_code_cell("await new Promise((resolve) => setTimeout(resolve, 50));"))

    client = ReportingClient(
        notebook,
        kernel_name=KERNEL,
        timeout=None,
        startup_timeout=120,
        # By default nbclient waits 4 s for the outputs that follow a cell's reply, then drops the rest without a word.
        iopub_timeout=600,
        raise_on_iopub_timeout=True,
        store_widget_state=False,
        record_timing=False,
        shutdown_kernel="graceful",
        resources={"metadata": {"path": os.getcwd()}},
        on_cell_execute=lambda cell, cell_index: report("start", cell=cell_index),
        on_cell_executed=lambda cell, cell_index, execute_reply: report("end", cell=cell_index),
    )
    destination = Path(destination)
    failed = destination.with_suffix(".failed.ipynb")
    failure = None
    try:
        # Node would make a shared standard output non-blocking, and then part of what is reported here is lost.
        client.execute(stdout=subprocess.DEVNULL)
    except CellExecutionError as error:
        failure = {"ename": error.ename, "evalue": error.evalue}
    except DeadKernelError:
        failure = {"ename": "DeadKernelError", "evalue": "the kernel died (killed for memory?)"}
    del notebook.cells[written:]
    # Its outputs were made here: JupyterLab may show their styles, as of a notebook that was run in it.
    NotebookNotary().sign(notebook)
    save(notebook, failed if failure else destination)
    if failure:
        report("failed", path=str(failed), **failure)
        return 1
    failed.unlink(missing_ok=True)
    report("saved", path=str(destination))
    return 0


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # unwinds, so that the kernel is shut down
    sys.exit(main(sys.argv[1], sys.argv[2]))
