/** Execute requests one after another, and which of them a failure takes along (Jupyter's message protocol). */
"use strict";

/** What Jupyter sent before a failure may still be on its way into this process; it was queued all the same. */
const ARRIVAL_MS = 10;

const arrived = async () => {
  await new Promise((resolve) => setTimeout(resolve, ARRIVAL_MS));
  await new Promise((resolve) => setImmediate(resolve));
};

class ExecutionQueue {
  constructor() {
    this.waiting = [];
    this.isRunning = false;
  }

  /**
   * Adds a request. Its reply is sent by `finish`, before the next one runs.
   *
   * @param run answers with { status, … }
   * @param finish takes that answer, or { status: "aborted" } where an earlier request failed
   * @param stopOnError whether a failure of this one aborts those that are waiting then
   */
  add({ run, finish, stopOnError }) {
    return new Promise((resolve, reject) => {
      this.waiting.push({ run, finish, stopOnError, resolve, reject });
      if (!this.isRunning) void this.work();
    });
  }

  async work() {
    this.isRunning = true;
    for (let request = this.waiting.shift(); request; request = this.waiting.shift()) {
      const answer = await request.run().then(
        (value) => ({ value }),
        (error) => ({ error }),
      );
      let aborted = [];
      if (request.stopOnError && answer.value?.status !== "ok") {
        await arrived();
        aborted = this.waiting.splice(0);
      }
      if (answer.error) request.reject(answer.error);
      else request.resolve(request.finish(answer.value));
      for (const { finish, resolve } of aborted) resolve(finish({ status: "aborted" }));
    }
    this.isRunning = false;
  }
}

module.exports = { ExecutionQueue };
