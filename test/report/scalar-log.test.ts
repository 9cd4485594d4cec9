/** Event files and W&B files read back byte by byte with readers of their own. */
import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import * as path from "node:path";
import { crc32 } from "node:zlib";
import { BinaryReader } from "@bufbuild/protobuf/wire";
import { afterAll, beforeEach, describe, expect, it } from "vitest";
import { maskedCrc, openEventFile, tfRecord } from "../../lib/report/event-file";
import { scalarsOf, withScalarLog } from "../../lib/report/scalar-log";
import { logRecord, openWandbFile } from "../../lib/report/wandb-file";

const folder = mkdtempSync(path.join(tmpdir(), "scalars-"));
beforeEach(() => rmSync(folder, { recursive: true, force: true }));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** CRC-32C bit by bit: the polynomial 0x1EDC6F41, reflected. */
function crc32c(bytes: Uint8Array): number {
  let crc = 0xffffffff;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0x82f63b78 : crc >>> 1;
  }
  return ~crc >>> 0;
}

/** Fields of a message in order: number, and a number or bytes. */
function fields(bytes: Uint8Array, read: Record<number, (r: BinaryReader) => unknown> = {}): [number, unknown][] {
  const reader = new BinaryReader(bytes);
  const out: [number, unknown][] = [];
  while (reader.pos < reader.len) {
    const [field, wire] = reader.tag();
    out.push([
      field,
      read[field]
        ? read[field](reader)
        : wire === 2
          ? reader.bytes()
          : wire === 0
            ? Number(reader.int64())
            : wire === 1
              ? reader.double()
              : reader.float(),
    ]);
  }
  return out;
}
const message = (bytes: unknown, read?: Record<number, (r: BinaryReader) => unknown>): [number, unknown][] =>
  fields(bytes as Uint8Array, read);
const text = (value: unknown): string => Buffer.from(value as Uint8Array).toString();
const field = (of: [number, unknown][], number: number): unknown => of.find(([n]) => n === number)?.[1];

/** Records of a TFRecord file, their checksums verified. */
function readTfRecords(file: string): Uint8Array[] {
  const bytes = readFileSync(file);
  const out: Uint8Array[] = [];
  const check = (data: Uint8Array, at: number): void => {
    const rotated = (bytes.readUInt32LE(at) - 0xa282ead8) >>> 0;
    expect(((rotated >>> 17) | (rotated << 15)) >>> 0).toBe(crc32c(data));
  };
  for (let at = 0; at < bytes.length;) {
    const length = Number(bytes.readBigUInt64LE(at));
    check(bytes.subarray(at, at + 8), at + 8);
    check(bytes.subarray(at + 12, at + 12 + length), at + 12 + length);
    out.push(bytes.subarray(at + 12, at + 12 + length));
    at += length + 16;
  }
  return out;
}

/** Records of a W&B file, their checksums and padding verified. */
function readLog(bytes: Buffer, start: number): { kinds: number[]; records: Buffer[] } {
  const kinds: number[] = [];
  const records: Buffer[] = [];
  let open: Buffer[] = [];
  for (let at = start; at < bytes.length;) {
    const room = 32768 - (at % 32768);
    if (room < 7) {
      expect(bytes.subarray(at, at + room)).toEqual(Buffer.alloc(room));
      at += room;
      continue;
    }
    const [length, kind] = [bytes.readUInt16LE(at + 4), bytes[at + 6]];
    expect(length + 7).toBeLessThanOrEqual(room);
    expect(bytes.readUInt32LE(at)).toBe(crc32(bytes.subarray(at + 6, at + 7 + length)));
    kinds.push(kind);
    open.push(bytes.subarray(at + 7, at + 7 + length));
    if (kind === 1 || kind === 4) {
      records.push(Buffer.concat(open));
      open = [];
    }
    at += 7 + length;
  }
  expect(open).toEqual([]);
  return { kinds, records };
}

describe("TensorBoard event files", () => {
  it("have TFRecord's checksum", () => {
    // RFC 3720, B.4: CRC-32C of 32 zero bytes is 0x8a9136aa; rotated right by 15 and shifted by 0xa282ead8
    expect(crc32c(new Uint8Array(32))).toBe(0x8a9136aa);
    expect(maskedCrc(new Uint8Array(32))).toBe((((0x8a9136aa >>> 15) | (0x8a9136aa << 17)) + 0xa282ead8) >>> 0);
    expect(tfRecord(Buffer.from("abc"))).toHaveLength(19);
  });

  it("give back version, steps, times, tags and values", () => {
    const log = openEventFile(folder, 1000.25);
    log.step(1, { loss: 0.5, reward: -2 }, 1001.5);
    log.step(40, { loss: 0.25 }, 1002);
    log.close(true, 1003);
    expect(path.basename(log.file)).toBe("events.out.tfevents.1000.fine-r1.v2");
    const [first, ...events] = readTfRecords(log.file).map((record) => message(record));
    expect([field(first, 1), text(field(first, 3))]).toEqual([1000.25, "brain.Event:2"]);
    const read = events.map((event) => [
      field(event, 1),
      field(event, 2),
      message(field(event, 5)).map(([n, value]) =>
        (expect(n).toBe(1), message(value)).map(([, part]) => (typeof part === "number" ? part : text(part))),
      ),
    ]);
    expect(read).toEqual([
      [
        1001.5,
        1,
        [
          ["loss", 0.5],
          ["reward", -2],
        ],
      ],
      [1002, 40, [["loss", 0.25]]],
    ]);
  });

  it("take the place of an earlier training's, and of nothing else", () => {
    openEventFile(folder, 1).close(true, 1);
    writeFileSync(path.join(folder, "notes.txt"), "");
    openEventFile(folder, 2).close(true, 2);
    expect(readdirSync(folder).sort()).toEqual(["events.out.tfevents.2.fine-r1.v2", "notes.txt"]);
  });
});

describe("W&B's log", () => {
  it.each([0, 1, 100, 32761, 32762, 70000, 98304])("splits %i bytes at blocks, and joins to what it was", (length) => {
    const data = Buffer.from(Array.from({ length }, (_, i) => i % 251));
    for (const offset of [0, 7, 32768 - 8, 32768 - 7, 32768 - 6, 32768 - 1]) {
      const written = logRecord(data, offset);
      const read = readLog(Buffer.concat([Buffer.alloc(offset), written]), offset);
      expect(read.records).toEqual([data]);
      expect(read.kinds.join("")).toMatch(/^(1|23*4)$/);
    }
  });

  it("says which piece is which", () => {
    // 70000 bytes from 0: 32761 + 32761 + 4478
    expect(readLog(logRecord(Buffer.alloc(70000), 0), 0).kinds).toEqual([2, 3, 4]);
    expect(readLog(logRecord(Buffer.alloc(5), 0), 0).kinds).toEqual([1]);
  });

  it("holds header, run, history, summary and exit", () => {
    const log = openWandbFile(
      folder,
      { id: "ab12", project: "fine-r1", group: "main", name: "tapo", config: { seed: 3, rl: { steps: 2 } } },
      Date.UTC(2026, 10, 24, 9, 5, 7) / 1000,
    );
    log.step(2, { loss: 0.5 }, Date.UTC(2026, 10, 24, 9, 5, 9) / 1000);
    log.close(false, Date.UTC(2026, 10, 24, 9, 5, 17) / 1000);
    expect(path.relative(folder, log.file)).toBe("offline-run-20261124_090507-ab12/run-ab12.wandb");
    const bytes = readFileSync(log.file);
    expect(bytes.subarray(0, 7)).toEqual(Buffer.from([0x3a, 0x57, 0x26, 0x42, 0xe1, 0xbe, 0]));
    const records = readLog(bytes, 7).records.map((record) => message(record));
    expect(records.map(([[, number], [kind]]) => [number, kind])).toEqual([
      [1, 21],
      [2, 17],
      [3, 2],
      [4, 3],
      [5, 18],
    ]);
    const run = message(records[1][1][1]);
    expect([1, 3, 6, 8].map((n) => text(field(run, n)))).toEqual(["ab12", "fine-r1", "main", "tapo"]);
    expect(message(field(run, 4)).map(([, item]) => message(item).map(([, value]) => text(value)))).toEqual([
      ["seed", "3"],
      ["rl", '{"steps":2}'],
    ]);
    const history = message(records[2][1][1]);
    const items = history
      .filter(([n]) => n === 1)
      .map(([, item]) => message(item).map(([n, value]) => [n, text(value)]));
    expect(items.slice(0, 1)).toEqual([
      [
        [2, "loss"],
        [16, "0.5"],
      ],
    ]);
    expect(items.slice(2)).toEqual([
      [
        [2, "_runtime"],
        [16, "2"],
      ],
      [
        [2, "_step"],
        [16, "2"],
      ],
    ]);
    expect(message(field(history, 2))).toEqual([[1, 2]]);
    expect(message(records[4][1][1])).toEqual([
      [1, 1],
      [2, 10],
    ]);
  });

  it("refuses an id that is no plain word", () =>
    expect(() => openWandbFile(folder, { id: "../x", project: "", group: "", name: "", config: {} }, 0)).toThrow(
      /run id "\.\.\/x"/,
    ));
});

describe("withScalarLog", () => {
  const options = (wandb: string): Parameters<typeof withScalarLog>[0] => ({
    folder,
    stage: "tapo",
    run: "main",
    name: "tapo, seed 0",
    config: { seed: 0 },
    wandb,
    now: () => 5,
  });
  const events = (): string[] => readdirSync(path.join(folder, "tensorboard/tapo"));

  it("writes each row as it comes, W&B's only when asked, and returns what the training does", async () => {
    const result = await withScalarLog<{ step: number; loss: number; kl: number | null }, string>(
      options(""),
      (write) => {
        write({ step: 1, loss: 0.5, kl: null });
        expect(readTfRecords(path.join(folder, "tensorboard/tapo", events()[0]))).toHaveLength(2);
        return Promise.resolve("trained");
      },
    );
    expect(result).toBe("trained");
    expect(readdirSync(folder)).toEqual(["tensorboard"]);
    await withScalarLog(options("offline"), (write) => Promise.resolve(write({ step: 1 })));
    expect(readdirSync(path.join(folder, "wandb"))).toEqual([
      expect.stringMatching(/^offline-run-19700101_000005-[0-9a-f]{8}$/),
    ]);
    expect(events()).toHaveLength(1);
  });

  it("closes its files where the training fails, and passes the error on", async () => {
    const training = withScalarLog<{ step: number; loss: number }, void>(options("offline"), (write) => {
      write({ step: 1, loss: 2 });
      return Promise.reject(new Error("the loss is NaN"));
    });
    await expect(training).rejects.toThrow("the loss is NaN");
    const [run] = readdirSync(path.join(folder, "wandb"));
    const file = readdirSync(path.join(folder, "wandb", run)).find((name) => name.endsWith(".wandb"))!;
    const records = readLog(readFileSync(path.join(folder, "wandb", run, file)), 7).records;
    expect(message(message(records[records.length - 1])[1][1])).toEqual([
      [1, 1],
      [2, 0],
    ]);
  });

  it("leaves nothing where the training is refused before its first row", async () => {
    const refused = withScalarLog(options("offline"), () => Promise.reject(new Error("refused")));
    await expect(refused).rejects.toThrow("refused");
    expect(existsSync(folder)).toBe(false);
  });

  it("refuses another mode before anything is written", async () => {
    await expect(withScalarLog(options("online"), () => Promise.resolve())).rejects.toThrow(
      'FINE_R1_WANDB is "online": expected offline',
    );
    expect(() => readdirSync(folder)).toThrow();
  });

  it("takes the numbers of a row, the step aside", () => {
    expect(scalarsOf({ step: 3, loss: 1, kl: null, bad: NaN, far: Infinity, note: "x", zero: 0 })).toEqual({
      loss: 1,
      zero: 0,
    });
  });
});
