/** Small copies of images for pages. */
import { uprightImage } from "../processor/image-decode";

/**
 * An image as a `data:` URL of a WebP file.
 * @param size of the square that it is fitted into, pixels; smaller images stay as they are
 * @throws Error where it cannot be read
 */
export async function thumbnail(file: string, size: number): Promise<string> {
  const image = (await uprightImage(file)).resize(size, size, { fit: "inside", withoutEnlargement: true });
  const bytes = await image.webp({ quality: 85 }).toBuffer();
  return `data:image/webp;base64,${bytes.toString("base64")}`;
}
