"""Starts the kernel, interrupts an endless loop, and checks that the loop has ended and the kernel answers."""

import time

from jupyter_client.manager import start_new_kernel

LOOP = """
import { yieldToEventLoop } from "./lib/report/progress";
let turns = 0;
for (;;) { turns++; await yieldToEventLoop(); }
"""
CHECK = """
const before = (globalThis as any).turns;
await new Promise((resolve) => setTimeout(resolve, 200));
console.log((globalThis as any).turns === before ? "still" : "running");
"""

manager, client = start_new_kernel(kernel_name="tslab-fine-r1")
try:
    request = client.execute(LOOP.replace("let turns = 0;", "(globalThis as any).turns = 0;").replace("turns++", "(globalThis as any).turns++"))
    time.sleep(3)
    manager.interrupt_kernel()
    message = client.get_shell_msg(timeout=60)
    while message["parent_header"].get("msg_id") != request:
        message = client.get_shell_msg(timeout=60)
    reply = message["content"]
    time.sleep(0.5)  # after an error the kernel drops what was queued behind it
    texts = []
    second = client.execute_interactive(CHECK, timeout=60, output_hook=lambda m: texts.append(m["content"].get("text", "")))
    stopped = "".join(texts).strip() == "still"
    print(
        f"interrupted: {'yes' if reply['status'] == 'error' and 'nterrupted' in reply['evalue'] else reply}, "
        f"loop stopped: {'yes' if stopped else texts}, "
        f"kernel alive: {'yes' if second['content']['status'] == 'ok' else second['content']}"
    )
finally:
    client.stop_channels()
    manager.shutdown_kernel(now=True)
