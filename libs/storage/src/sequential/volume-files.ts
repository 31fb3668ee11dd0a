import { open } from 'node:fs/promises';
import { Blake3Hasher } from '@napi-rs/blake-hash';
import type { Manifest } from '#archive/manifest.js';
import { FragmentDamaged } from '../errors.js';
import { readInto } from '../read-range.js';
import { BlockUnreadable } from './sequential-errors.js';
import { BLOCK_BYTES_MAX, type SequentialMedium } from './sequential-medium.js';
import {
  blocksOf,
  encodeHeader,
  encodeManifest,
  FIRST_POSITION,
  headerOf,
  layoutOf,
  parseHeader,
  parseManifestBytes,
  type FragmentHeader,
} from './volume-format.js';

/** A fragment that lies whole on a volume. */
export interface FoundFragment {
  readonly manifest: Manifest;
  readonly position: number;
  readonly manifestBytes: number;
}

/**
 * Writes a fragment in one run: header, data, index, manifest, mark. `onWritten` is called when only
 * the mark is missing. @returns where it lies; when it has resolved, that is durable. Throws
 * `FragmentDamaged`, with no mark behind it, where a file does not have the bytes of the manifest: nobody
 * has synced it, so the system may have lost of it what it could not write to the disk, and told nobody.
 */
export async function writeFragment(
  medium: SequentialMedium,
  manifest: Manifest,
  from: { readonly data: string; readonly index: string; readonly onWritten: () => void },
): Promise<Omit<FoundFragment, 'manifest'>> {
  await endUnfinished(medium);
  const position = medium.endOfData;
  const text = encodeManifest(manifest);
  await medium.append(encodeHeader(headerOf(manifest, text.length)));
  const { storedBytes, digest, indexBytes, indexDigest } = manifest;
  for (const [part, expected] of [
    ['data', { bytes: storedBytes, digest }],
    ['index', { bytes: indexBytes, digest: indexDigest }],
  ] as const) {
    const { bytes, digest } = await streamFile(medium, from[part]);
    if (bytes === expected.bytes && digest === expected.digest) continue;
    const reason =
      bytes === expected.bytes
        ? `has ${part} in the spool with another digest than its manifest`
        : `has ${bytes} bytes of ${part} in the spool, its manifest says ${expected.bytes}`;
    throw new FragmentDamaged(manifest.fragmentId, reason);
  }
  for (let at = 0; at < text.length; at += BLOCK_BYTES_MAX) {
    await medium.append(text.subarray(at, at + BLOCK_BYTES_MAX));
  }
  from.onWritten();
  await medium.mark();
  return { position, manifestBytes: text.length };
}

/** The first block of a volume; undefined for a blank one. */
export async function readLabel(medium: SequentialMedium): Promise<Buffer | undefined> {
  if (medium.endOfData === 0) return undefined;
  await medium.locate(0);
  const first = await medium.next();
  return first.type === 'block' ? first.bytes : Buffer.alloc(0);
}

/** What lies on a volume from a position on, file by file. */
export interface VolumeScan {
  /** Those that are whole. */
  readonly fragments: FoundFragment[];
  /** Positions of files of which nobody can say what they are. */
  readonly unreadable: number[];
}

/**
 * Looks over a volume from a position on. What a crash or the end of the medium has left unfinished is
 * nothing.
 */
export async function scanVolume(
  medium: SequentialMedium,
  from = FIRST_POSITION,
): Promise<VolumeScan> {
  const scan: VolumeScan = { fragments: [], unreadable: [] };
  for (let position = from; position < medium.endOfData;) {
    const found = await fragmentAt(medium, position);
    if (found === 'unreadable') scan.unreadable.push(position);
    else if (found) scan.fragments.push(found.fragment);
    const isFound = found !== undefined && found !== 'unreadable';
    position = isFound ? found.next : await behindMark(medium, position);
  }
  return scan;
}

/** A range of a part of a fragment, whose first block is at `position`. */
export async function readPart(
  medium: SequentialMedium,
  range: { readonly position: number; readonly offset: number; readonly length: number },
): Promise<Buffer> {
  const { position, offset, length } = range;
  if (length === 0) return Buffer.alloc(0);
  const first = Math.floor(offset / BLOCK_BYTES_MAX);
  const last = Math.floor((offset + length - 1) / BLOCK_BYTES_MAX);
  const pieces: Buffer[] = [];
  await medium.locate(position + first);
  for (let block = first; block <= last; block += 1) {
    const record = await medium.next();
    if (record.type !== 'block') {
      throw new BlockUnreadable(medium.barcode, position + block, 'is no block of data');
    }
    pieces.push(record.bytes);
  }
  const begin = offset - first * BLOCK_BYTES_MAX;
  const bytes = Buffer.concat(pieces).subarray(begin, begin + length);
  if (bytes.length === length) return bytes;
  throw new BlockUnreadable(medium.barcode, position + last, 'is shorter than it should be');
}

/** What is left of a fragment that was not finished gets a mark of its own, and no more. */
async function endUnfinished(medium: SequentialMedium): Promise<void> {
  await medium.locate(medium.endOfData - 1);
  const last = await medium.next().catch((error: unknown) => {
    if (error instanceof BlockUnreadable) return { type: 'block' as const };
    throw error;
  });
  if (last.type === 'block') await medium.mark();
}

/** @returns how many bytes were written, and their BLAKE3 (hex) */
async function streamFile(
  medium: SequentialMedium,
  path: string,
): Promise<{ bytes: number; digest: string }> {
  const handle = await open(path, 'r');
  const hash = new Blake3Hasher();
  let bytes = 0;
  try {
    for (;;) {
      const block = Buffer.allocUnsafe(BLOCK_BYTES_MAX);
      const length = await readInto(block, handle, bytes);
      if (length === 0) return { bytes, digest: hash.digest('hex') };
      hash.update(block.subarray(0, length));
      await medium.append(block.subarray(0, length));
      bytes += length;
    }
  } finally {
    await handle.close();
  }
}

async function fragmentAt(
  medium: SequentialMedium,
  position: number,
): Promise<{ fragment: FoundFragment; next: number } | 'unreadable' | undefined> {
  try {
    await medium.locate(position);
    const header = parseHeader(await medium.next());
    if (!header) return undefined;
    const { mark } = layoutOf(header);
    if (position + mark >= medium.endOfData) return undefined;
    const manifest = await manifestAt(medium, position, header);
    const end = await medium.next();
    if (!manifest || end.type !== 'mark') return undefined;
    const { manifestBytes } = header;
    return { fragment: { manifest, position, manifestBytes }, next: position + mark + 1 };
  } catch (error) {
    if (error instanceof BlockUnreadable) return 'unreadable';
    throw error;
  }
}

async function manifestAt(
  medium: SequentialMedium,
  position: number,
  header: FragmentHeader,
): Promise<Manifest | undefined> {
  const { manifestBytes: length } = header;
  const at = position + layoutOf(header).manifest;
  const manifest = parseManifestBytes(await readPart(medium, { position: at, offset: 0, length }));
  await medium.locate(at + blocksOf(length));
  const isSame = manifest?.fragmentId === header.fragmentId;
  return isSame && manifest.storedBytes === header.dataBytes ? manifest : undefined;
}

async function behindMark(medium: SequentialMedium, from: number): Promise<number> {
  for (let position = from; position < medium.endOfData; position += 1) {
    await medium.locate(position);
    const record = await medium.next().catch((error: unknown) => {
      if (error instanceof BlockUnreadable) return { type: 'block' as const };
      throw error;
    });
    if (record.type === 'mark') return position + 1;
  }
  return medium.endOfData;
}
