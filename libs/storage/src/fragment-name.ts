import { InvalidInput } from '#kernel/errors.js';

/** What names a fragment on a volume. */
export interface FragmentName {
  readonly imageId: string;
  readonly copy: number;
  readonly number: number;
  readonly fragmentId: string;
}

/**
 * A fragment's number has five digits in its file name, so that a shell's `*` sorts by it. What that means for
 * large images, see `fragmentBytesMaxAt`.
 */
export const FRAGMENT_NUMBER_MAX = 99_999;
export const COPY_MAX = 10;
/** What a file has behind its name until its fragment is sealed. */
export const PARTIAL_SUFFIX = '.partial';

const IMAGE_ID = /^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/;
const UUID = '[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}';
const FRAGMENT_ID = new RegExp(`^${UUID}$`);
const FILE = new RegExp(
  `^(\\d{5})-(${UUID})(\\.tar\\.zst|\\.recipe\\.zst|\\.idx\\.zst|\\.json)(\\.partial)?$`,
);
const COPY_FOLDER = /^c([1-9]\d?)$/;

/** What a fragment's content lies in: its archive bytes, or the recipe of the chunks that make them. */
export type ContentFile = 'data' | 'recipe';
export type FragmentFile = ContentFile | 'index' | 'manifest';
const SUFFIXES = {
  data: '.tar.zst',
  recipe: '.recipe.zst',
  index: '.idx.zst',
  manifest: '.json',
} as const;
const FILE_OF = new Map(Object.entries(SUFFIXES).map(([file, suffix]) => [suffix, file]));

/** Throws `InvalidInput` for a name that could lead out of its volume or that no image can have. */
export function checkFragmentName(name: FragmentName): void {
  if (!isImageId(name.imageId)) throw new InvalidInput('is not an image id', 'imageId');
  if (!isBetween(name.copy, 1, COPY_MAX)) throw new InvalidInput('is not a copy', 'copy');
  if (!isBetween(name.number, 1, FRAGMENT_NUMBER_MAX)) {
    throw new InvalidInput(`is not a fragment number (1 to ${FRAGMENT_NUMBER_MAX})`, 'number');
  }
  if (!isFragmentId(name.fragmentId)) {
    throw new InvalidInput('is not a fragment id (a lower-case UUID)', 'fragmentId');
  }
}

/** A lower-case UUID, as fragments and tombstones have. */
export function isFragmentId(text: string): boolean {
  return FRAGMENT_ID.test(text);
}

export function isImageId(text: string): boolean {
  return IMAGE_ID.test(text);
}

/** The folder of a copy below the volume's folder. */
export function copyFolder(name: Pick<FragmentName, 'imageId' | 'copy'>): string[] {
  return ['images', name.imageId, `c${name.copy}`];
}

/** The copy that a folder name stands for, if it is one. */
export function parseCopyFolder(folder: string): number | undefined {
  const copy = Number(COPY_FOLDER.exec(folder)?.[1] ?? 0);
  return isBetween(copy, 1, COPY_MAX) ? copy : undefined;
}

export function fileName(
  name: Pick<FragmentName, 'number' | 'fragmentId'>,
  file: FragmentFile,
): string {
  return `${String(name.number).padStart(5, '0')}-${name.fragmentId}${SUFFIXES[file]}`;
}

export interface ParsedFileName {
  readonly number: number;
  readonly fragmentId: string;
  readonly file: FragmentFile;
  readonly partial: boolean;
}

/** Reads a file name of a copy's folder; undefined for a file that is not ours. */
export function parseFileName(text: string): ParsedFileName | undefined {
  const match = FILE.exec(text);
  if (!match) return undefined;
  const [, number, fragmentId, suffix, partial] = match;
  const file = FILE_OF.get(suffix as (typeof SUFFIXES)[FragmentFile]) as FragmentFile;
  return { number: Number(number), fragmentId: fragmentId!, file, partial: partial !== undefined };
}

function isBetween(value: number, min: number, max: number): boolean {
  return Number.isInteger(value) && value >= min && value <= max;
}
