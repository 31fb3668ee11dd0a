import { imageId } from '#contracts/names.js';
import { UsageError } from '../exit-codes.js';

/** An argument that names an image. */
export function imageIdOf(text: string): string {
  if (imageId.safeParse(text).success) return text;
  throw new UsageError(
    `"${text}" is no image: one is called <client>_<unix time>. See: holdfast images`,
    'imageId',
  );
}
