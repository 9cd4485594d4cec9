/**
 * What `tools/teacher` leaves for the vision tower's pre-training: icons, and the features that a pre-trained image
 * network has of them and of the benchmark's pre-training drawings.
 */
import { existsSync, readFileSync, statSync } from "node:fs";
import * as path from "node:path";
import { readJson } from "../../lib/util/files";

/** Images whose concept is not known, and the teacher's view of all. */
export interface TeacherData {
  /** D, length of a feature */
  dimensions: number;
  /** Pixels of the icons, `size * size * 3` bytes each. */
  icons: Uint8Array;
  iconCount: number;
  /** `iconCount * D` */
  iconFeatures: Float32Array;
  /** `style/id` of a drawing to its feature, D numbers. */
  drawingFeature: (key: string) => Float32Array;
}

const DIMENSIONS = 128;

function floats(file: string, count: number): Float32Array {
  const bytes = readFileSync(file);
  if (bytes.length !== count * DIMENSIONS * 4)
    throw new Error(
      `${file}: ${bytes.length} bytes; ${count} features of ${DIMENSIONS} float32 are ${count * DIMENSIONS * 4}`,
    );
  return new Float32Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length));
}

/** @throws Error where a file is missing (with the command that makes them) or of another size than its list says */
export function readTeacher(folder: string, size: number): TeacherData {
  const file = (name: string): string => path.join(folder, name);
  const missing = ["drawings.json", "drawings.f32", "icons.json", "icons.f32", "icons.u8"].find(
    (name) => !existsSync(file(name)),
  );
  if (missing !== undefined)
    throw new Error(
      `${file(missing)}: is missing; \`npm run teacher\` makes the icons and the teacher's features (about half an hour)`,
    );
  const drawings = readJson(file("drawings.json")) as { style: string; id: string }[];
  const iconCount = (readJson(file("icons.json")) as unknown[]).length;
  const expected = iconCount * size * size * 3;
  if (statSync(file("icons.u8")).size !== expected)
    throw new Error(
      `${file("icons.u8")}: ${statSync(file("icons.u8")).size} bytes; ${iconCount} images of ${size} x ${size} are ${expected}`,
    );
  const features = floats(file("drawings.f32"), drawings.length);
  const index = new Map(drawings.map(({ style, id }, i) => [`${style}/${id}`, i]));
  return {
    dimensions: DIMENSIONS,
    icons: readFileSync(file("icons.u8")),
    iconCount,
    iconFeatures: floats(file("icons.f32"), iconCount),
    drawingFeature: (key) => {
      const i = index.get(key);
      if (i === undefined)
        throw new Error(`${file("drawings.json")}: has no drawing ${key}; run \`npm run teacher\` again`);
      return features.subarray(i * DIMENSIONS, (i + 1) * DIMENSIONS);
    },
  };
}
