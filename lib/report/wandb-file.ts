/**
 * A run in Weights & Biases' offline format, for `wandb sync`: a LevelDB log of `Record` messages
 * (wandb/sdk/internal/datastore.py and wandb_internal.proto of wandb 0.19). Nothing is sent anywhere, and no key is
 * read.
 */
import { closeSync, mkdirSync, openSync, writeSync } from "node:fs";
import * as path from "node:path";
import { BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import * as crc32 from "crc-32";
import type { ScalarSink } from "./event-file";

const BLOCK = 32768;
const HEADER = 7;
const KIND = { full: 1, first: 2, middle: 3, last: 4 } as const;

/** One piece of a record: checksum of kind and data (CRC-32), length, kind, data. */
function piece(kind: number, data: Uint8Array): Buffer {
  const out = Buffer.alloc(HEADER + data.length);
  out.writeInt32LE(crc32.buf(data, crc32.buf([kind])), 0);
  out.writeUInt16LE(data.length, 4);
  out[6] = kind;
  out.set(data, HEADER);
  return out;
}

/**
 * A record as it stands at `offset` of a log: pieces that end at block boundaries, zeros where not even a piece's
 * header fits. https://github.com/google/leveldb/blob/main/doc/log_format.md
 */
export function logRecord(data: Uint8Array, offset: number): Buffer {
  const out: Buffer[] = [];
  let room = BLOCK - (offset % BLOCK);
  if (room < HEADER) {
    out.push(Buffer.alloc(room));
    room = BLOCK;
  }
  for (let from = 0, isFirst = true; ; room = BLOCK, isFirst = false) {
    const to = Math.min(data.length, from + room - HEADER);
    const isLast = to === data.length;
    out.push(
      piece(isFirst ? (isLast ? KIND.full : KIND.first) : isLast ? KIND.last : KIND.middle, data.subarray(from, to)),
    );
    if (isLast) return Buffer.concat(out);
    from = to;
  }
}

/** Fields of wandb_internal.proto that are written here. */
const RECORD = { number: 1, history: 2, summary: 3, run: 17, exit: 18, header: 21 } as const;
const RUN = { id: 1, project: 3, config: 4, group: 6, name: 8, startTime: 17 } as const;
const ITEM = { key: 1, nestedKey: 2, json: 16 } as const;

const text = (w: BinaryWriter, field: number, value: string): BinaryWriter =>
  w.tag(field, WireType.LengthDelimited).string(value);
const inside = (w: BinaryWriter, field: number, fill: (w: BinaryWriter) => void): BinaryWriter => {
  w.tag(field, WireType.LengthDelimited).fork();
  fill(w);
  return w.join();
};

/** What a run is told. */
export interface WandbRun {
  /** Letters and digits; a sync of the same id writes to the same run. */
  id: string;
  project: string;
  group: string;
  name: string;
  config: Readonly<Record<string, unknown>>;
}

const stampOf = (seconds: number): string =>
  new Date(seconds * 1000).toISOString().replace(/[-:]/g, "").replace("T", "_").slice(0, 15);

/**
 * Opens `offline-run-<time>-<id>/run-<id>.wandb` below a folder.
 * @throws Error on an id that is no plain word, or where the file is there already
 */
export function openWandbFile(folder: string, run: WandbRun, begun: number): ScalarSink & { file: string } {
  if (!/^[a-z0-9]{1,64}$/.test(run.id))
    throw new Error(`W&B run id ${JSON.stringify(run.id)}: expected lower-case letters and digits`);
  const directory = path.join(folder, `offline-run-${stampOf(begun)}-${run.id}`);
  mkdirSync(path.join(directory, "files"), { recursive: true });
  const file = path.join(directory, `run-${run.id}.wandb`);
  const descriptor = openSync(file, "wx");
  let offset = 0;
  let records = 0;
  const write = (bytes: Uint8Array): void => void (offset += writeSync(descriptor, bytes));
  const record = (field: number, fill: (w: BinaryWriter) => void): void => {
    const w = new BinaryWriter().tag(RECORD.number, WireType.Varint).int64(++records);
    write(logRecord(inside(w, field, fill).finish(), offset));
  };
  const items = (w: BinaryWriter, values: Readonly<Record<string, unknown>>, key: number): void => {
    for (const [name, value] of Object.entries(values))
      inside(w, 1, (item) => void text(text(item, key, name), ITEM.json, JSON.stringify(value)));
  };

  const ident = Buffer.from(":W&B\0\0\0");
  ident.writeUInt16LE(0xbee1, 4);
  write(ident);
  record(RECORD.header, (w) => inside(w, 1, (version) => void text(text(version, 1, "0.19.11"), 2, "0.40.0"))); // producer, least consumer
  record(RECORD.run, (w) => {
    text(text(w, RUN.id, run.id), RUN.project, run.project);
    inside(w, RUN.config, (config) => items(config, run.config, ITEM.key));
    text(text(w, RUN.group, run.group), RUN.name, run.name);
    inside(
      w,
      RUN.startTime,
      (time) =>
        void time
          .tag(1, WireType.Varint)
          .int64(Math.floor(begun))
          .tag(2, WireType.Varint)
          .int32(Math.round((begun % 1) * 1e9)),
    );
  });
  return {
    file,
    step(step, values, seconds) {
      const row = { ...values, _timestamp: seconds, _runtime: seconds - begun, _step: step };
      record(RECORD.history, (w) => {
        items(w, row, ITEM.nestedKey);
        inside(w, 2, (number) => void number.tag(1, WireType.Varint).int64(step));
      });
      record(RECORD.summary, (w) => items(w, row, ITEM.nestedKey));
    },
    close(ok, seconds) {
      record(
        RECORD.exit,
        (w) =>
          void w
            .tag(1, WireType.Varint)
            .int32(ok ? 0 : 1)
            .tag(2, WireType.Varint)
            .int32(Math.round(seconds - begun)),
      );
      closeSync(descriptor);
    },
  };
}
