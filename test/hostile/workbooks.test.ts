/** Workbooks of a few bytes that would hold the process for minutes or fill its memory. */
import { strToU8, zipSync } from "fflate";
import { describe, expect, it } from "vitest";
import { sheetFields } from "../../lib/export/xlsx";
import { SHEET, STRINGS } from "../../lib/export/workbook";

const EXCELS_ROWS = 1_048_576;

const workbook = (sheet: string, strings?: string): Uint8Array =>
  zipSync({ [SHEET]: strToU8(sheet), ...(strings === undefined ? {} : { [STRINGS]: strToU8(strings) }) });

/** The zip's end alone, in its 64-bit form: it claims `count` entries. */
function endOnly(count: number): Buffer {
  const record = Buffer.alloc(56);
  record.writeUInt32LE(0x06064b50, 0);
  record.writeUInt32LE(44, 4);
  record.writeUInt32LE(count, 32);
  const locator = Buffer.alloc(20);
  locator.writeUInt32LE(0x07064b50, 0);
  const end = Buffer.alloc(22);
  end.writeUInt32LE(0x06054b50, 0);
  end.writeUInt16LE(1, 8);
  return Buffer.concat([record, locator, end]);
}

/** A zip of one file whose entry is listed so often. */
function listed(times: number): Buffer {
  const zip = Buffer.from(workbook("<row/>"));
  const end = zip.length - 22;
  const start = zip.readUInt32LE(end + 16);
  const tail = Buffer.from(zip.subarray(end));
  tail.writeUInt16LE(times, 8);
  const entries = Array<Buffer>(times).fill(zip.subarray(start, end));
  return Buffer.concat([zip.subarray(0, start), ...entries, tail]);
}

/** What is thrown, within two seconds. */
function refusal(bytes: Uint8Array): string {
  const start = Date.now();
  try {
    sheetFields(bytes);
  } catch (error) {
    expect(Date.now() - start).toBeLessThan(2000);
    return (error as Error).message;
  }
  return "";
}

describe("a zip", () => {
  it("of 98 bytes that claims 4,294,967,295 entries is refused at once", () => {
    const bytes = endOnly(0xffffffff);
    expect(bytes).toHaveLength(98);
    expect(refusal(bytes)).toBe("the zip has more than 10000 entries; save the workbook anew");
  });

  it("that lists the sheet many times is refused at the second", () => {
    expect(sheetFields(listed(1))).toEqual([[]]);
    expect(refusal(listed(65_535))).toBe(`${SHEET} is there twice; save the workbook anew`);
  });
});

describe("a sheet", () => {
  it("may have Excel's number of rows", () => {
    expect(sheetFields(workbook(`<s>${"<row/>".repeat(EXCELS_ROWS)}</s>`))).toHaveLength(EXCELS_ROWS);
  }, 60_000);

  it("of more rows is refused, though they are empty", () => {
    const bytes = workbook(`<s>${"<row/>".repeat(EXCELS_ROWS + 1)}</s>`);
    expect(() => sheetFields(bytes)).toThrow(`${SHEET}: more than ${EXCELS_ROWS} rows; split the workbook`);
  }, 60_000);

  it("of more shared texts is refused", () => {
    const bytes = workbook("<row/>", `<sst>${"<si/>".repeat(EXCELS_ROWS + 1)}</sst>`);
    expect(() => sheetFields(bytes)).toThrow(`${STRINGS}: more than ${EXCELS_ROWS} shared texts; split the workbook`);
  }, 60_000);
});
