import { closeSync, mkdirSync, openSync, readSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { compress } from '#archive/frames/zstd.js';
import { blake3 } from '#kernel/blake3.js';

import { emptyEntry, type ArchiveEntry } from '#archive/archive-entry.js';
import { compareArchivePaths } from '#archive/archive-order.js';
import { encodeFrameTable, type FrameRecord } from '#archive/frames/frame-table.js';
import { encodeIndexLine, type IndexLine } from '#archive/index-line.js';
import { nanosecondsText } from '#archive/nanoseconds.js';
import { PaxReader } from '#archive/pax-reader.js';
import { PaxWriter } from '#archive/pax-writer.js';
import { encodeSeekTable } from '#archive/frames/seek-table.js';
import { PermanentError } from '#kernel/errors.js';

import type {
  FragmentRead,
  FragmentReader,
  RestoreFragment,
  RestoreImage,
} from '../restore-source.js';

const FRAME_BYTES = 2 ** 20;

/** Reads fragments from files named after them, and counts. */
export class FolderReader implements FragmentReader {
  dataBytes = 0;
  indexBytes = 0;
  reads = 0;

  constructor(readonly folder: string) {}

  async *read({ fragmentId, object, offset, length }: FragmentRead): AsyncGenerator<Buffer> {
    this.reads++;
    if (object === 'data') this.dataBytes += length;
    else this.indexBytes += length;
    const fd = this.#open(fragmentFile(this.folder, fragmentId, object));
    try {
      for (let at = 0; at < length;) {
        const piece = Buffer.allocUnsafe(Math.min(300_000, length - at));
        const got = readSync(fd, piece, 0, piece.length, offset + at);
        if (got === 0) throw new PermanentError(85, 'the file ends early');
        at += got;
        yield piece.subarray(0, got);
        await new Promise((resolve) => setImmediate(resolve));
      }
    } finally {
      closeSync(fd);
    }
  }

  #open(path: string): number {
    try {
      return openSync(path, 'r');
    } catch {
      throw new PermanentError(85, 'the fragment is lost');
    }
  }
}

export function fragmentFile(folder: string, id: string, object: 'data' | 'index'): string {
  return join(folder, `${id}.${object === 'data' ? 'tar' : 'idx'}.zst`);
}

export interface ImageParts {
  readonly imageId: string;
  /** A whole tar archive. */
  readonly archive: Buffer;
  /** Paths that are gone since the image before. */
  readonly deleted?: readonly string[];
  /** Archive bytes in one fragment. */
  readonly fragmentBytes?: number;
  /** Changes a line of the index, for indexes that lie. */
  readonly change?: (line: IndexLine) => IndexLine;
}

/** Cuts an archive into fragments with indexes as docs/formats.md says, and writes them into a folder. */
export async function writeImage(folder: string, parts: ImageParts): Promise<RestoreImage> {
  mkdirSync(folder, { recursive: true });
  const { archive, imageId, fragmentBytes = 64 * FRAME_BYTES } = parts;
  const lines = indexLines(parts);
  const fragments: RestoreFragment[] = [];
  for (let from = 0; from < archive.length; from += fragmentBytes) {
    const part = archive.subarray(from, from + fragmentBytes);
    const until = from + part.length;
    const mine = lines.filter(({ at }) => at >= from && at < until).map(({ text }) => text);
    const number = fragments.length + 1;
    const fragmentId = `${imageId}-${number}`;
    const frames = await framesOf(part);
    const data = Buffer.concat([...frames.map(({ stored }) => stored), encodeSeekTable(frames)]);
    const index = Buffer.concat([...(await indexFrames(mine)), encodeFrameTable(frames)]);
    writeFileSync(fragmentFile(folder, fragmentId, 'data'), data);
    writeFileSync(fragmentFile(folder, fragmentId, 'index'), index);
    const sizes = { storedBytes: data.length, indexBytes: index.length };
    const indexDigest = blake3(index).toString('hex');
    fragments.push({
      number,
      sources: [{ fragmentId, copy: 1, mediaId: 'media1' }],
      archiveOffset: from,
      archiveBytes: part.length,
      ...sizes,
      indexDigest,
    });
  }
  return { imageId, fragments };
}

async function framesOf(part: Buffer): Promise<(FrameRecord & { stored: Buffer })[]> {
  const frames: (FrameRecord & { stored: Buffer })[] = [];
  for (let at = 0; at < part.length; at += FRAME_BYTES) {
    const bytes = part.subarray(at, at + FRAME_BYTES);
    const stored = await compress(bytes, 1);
    const sizes = { storedBytes: stored.length, archiveBytes: bytes.length };
    frames.push({ stored, digest: blake3(stored), ...sizes });
  }
  return frames;
}

async function indexFrames(lines: readonly string[]): Promise<Buffer[]> {
  const frames: Buffer[] = [];
  for (let at = 0; at < lines.length; at += 500) {
    frames.push(await compress(Buffer.from(lines.slice(at, at + 500).join(''), 'latin1'), 3));
  }
  return frames;
}

/** The lines of an archive's index with the places where their entries begin. */
function indexLines({ archive, deleted = [], change }: ImageParts): { at: number; text: string }[] {
  const lines = linesOf(archive);
  for (const path of deleted) lines.push({ ...lineOf(emptyEntry(), 0, 0), type: 'x', path });
  lines.sort((a, b) => compareArchivePaths(a.path, b.path));
  let at = 0;
  return lines.map((line) => {
    if (line.type !== 'x') at = line.own.offset;
    return { at, text: encodeIndexLine(change?.(line) ?? line) };
  });
}

function linesOf(archive: Buffer): IndexLine[] {
  const lines: IndexLine[] = [];
  const places = new Map<string, IndexLine>();
  let entry: ArchiveEntry = emptyEntry();
  let offset = 0;
  for (const event of new PaxReader().push(archive)) {
    if (event.kind === 'entry') {
      entry = event.entry;
      offset = event.archiveOffset;
    } else if (event.kind === 'done') {
      const own = lineOf(entry, offset, event.archiveEnd - offset);
      const data = entry.type === 'h' ? places.get(entry.linkTarget) : undefined;
      const line =
        data === undefined
          ? own
          : { ...own, size: data.size, offset: data.offset, length: data.length };
      places.set(entry.path, line);
      lines.push(line);
    }
  }
  return lines;
}

function lineOf(entry: ArchiveEntry, offset: number, length: number): IndexLine {
  return {
    type: entry.type,
    path: entry.path,
    size: entry.size,
    mtimeNs: nanosecondsText(entry.mtimeSeconds, entry.mtimeNanos),
    mode: entry.mode,
    uid: entry.uid,
    gid: entry.gid,
    offset,
    length,
    flags: entry.sparse ? 's' : '',
    target: entry.type === 'h' ? entry.linkTarget : '',
    own: { offset, length },
    deviceMajor: entry.deviceMajor,
    deviceMinor: entry.deviceMinor,
  };
}

/** A file for an archive that is made by hand. */
export const file = (path: string, content = `content of ${path}`) => ({
  entry: { path, type: 'f' as const, mode: 0o644 },
  content,
});
/** A folder likewise. */
export const dir = (path: string) => ({ entry: { path, type: 'd' as const, mode: 0o755 } });

/** An archive of entries made by hand. */
export function archiveOf(
  entries: readonly { entry: Partial<ArchiveEntry>; content?: string }[],
): Buffer {
  const parts: Buffer[] = [];
  const header = new PaxWriter();
  for (const { entry, content = '' } of entries) {
    const bytes = Buffer.from(content);
    header.prepare({ ...emptyEntry(), mode: 0o644, ...entry, size: bytes.length });
    const block = Buffer.alloc(header.entryBytes);
    header.write(block, 0);
    bytes.copy(block, header.headerBytes);
    parts.push(block);
  }
  return Buffer.concat([...parts, Buffer.alloc(1024)]);
}
