/**
 * Scalars as a TensorBoard event file: TFRecords of `tensorflow.Event` messages (tensorflow/core/util/event.proto,
 * example summary.proto). Each step is on disk when `step` returns, so that TensorBoard follows a run.
 *
 * tfjs-node's own `summaryFileWriter` keeps five tensors and an open file for every folder, without a way to close
 * them, and needs the native engine.
 */
import { closeSync, mkdirSync, openSync, readdirSync, rmSync } from "node:fs";
import * as path from "node:path";
import { BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import { writeAll } from "../util/durable";

// eslint-disable-next-line @typescript-eslint/no-require-imports -- this build of crc-32 has the types of the other one
const crc32c = require("crc-32/crc32c.js") as typeof import("crc-32");

/** A sink of scalars; `step` may leave out what a step did not measure. */
export interface ScalarSink {
  /** @param seconds since 1970 */
  step(step: number, values: Readonly<Record<string, number>>, seconds: number): void;
  /** @param ok whether what was logged came to its end */
  close(ok: boolean, seconds: number): void;
}

/** TFRecord's checksum: CRC-32C, rotated and shifted, so that a record of records is not its own checksum. */
export function maskedCrc(bytes: Uint8Array): number {
  const crc = crc32c.buf(bytes) >>> 0;
  return (((crc >>> 15) | (crc << 17)) + 0xa282ead8) >>> 0;
}

/** A TFRecord: length (8 bytes), its checksum, data, its checksum; little endian. */
export function tfRecord(data: Uint8Array): Uint8Array {
  const record = Buffer.alloc(data.length + 16);
  record.writeBigUInt64LE(BigInt(data.length), 0);
  record.writeUInt32LE(maskedCrc(record.subarray(0, 8)), 8);
  record.set(data, 12);
  record.writeUInt32LE(maskedCrc(data), 12 + data.length);
  return record;
}

function event(seconds: number, fill: (writer: BinaryWriter) => void): Uint8Array {
  const writer = new BinaryWriter().tag(1, WireType.Bit64).double(seconds);
  fill(writer);
  return tfRecord(writer.finish());
}

/**
 * Opens a new event file in a folder of its own for one training; files of an earlier one there are removed.
 * @param seconds now, since 1970: part of the name, as TensorBoard sorts files by it
 * @throws Error where the folder can't be written, naming the file
 */
export function openEventFile(folder: string, seconds: number): ScalarSink & { file: string } {
  mkdirSync(folder, { recursive: true });
  for (const name of readdirSync(folder)) if (name.startsWith("events.out.tfevents.")) rmSync(path.join(folder, name));
  const file = path.join(folder, `events.out.tfevents.${Math.floor(seconds)}.fine-r1.v2`);
  const descriptor = openSync(file, "wx");
  const write = (record: Uint8Array): void => writeAll(descriptor, record, file);
  write(event(seconds, (w) => w.tag(3, WireType.LengthDelimited).string("brain.Event:2")));
  return {
    file,
    step(step, values, now) {
      write(
        event(now, (w) => {
          w.tag(2, WireType.Varint).int64(step).tag(5, WireType.LengthDelimited).fork();
          for (const [tag, value] of Object.entries(values))
            w.tag(1, WireType.LengthDelimited)
              .fork()
              .tag(1, WireType.LengthDelimited)
              .string(tag)
              .tag(2, WireType.Bit32)
              .float(value)
              .join();
          w.join();
        }),
      );
    },
    close: () => closeSync(descriptor),
  };
}
