import { compress } from '#archive/frames/zstd.js';
import { blake3 } from '#kernel/blake3.js';
import { emptyEntry, type ArchiveEntry } from '#archive/archive-entry.js';
import { encodeFrameTable } from '#archive/frames/frame-table.js';
import { encodeIndexLine, type IndexLine } from '#archive/index-line.js';
import { PaxReader } from '#archive/pax-reader.js';
import { PaxWriter } from '#archive/pax-writer.js';
import { ARCHIVE_END_BYTES, paddedToBlock } from '#archive/tar-block.js';
import type { SampleFragment } from './sample-backup.js';

const FRAME_BYTES = 2 ** 20;

/** A file, a link of one (`link`), a folder, or what is gone (`gone`). */
export interface SampleEntry {
  readonly path: string;
  readonly content?: Buffer;
  readonly link?: string;
  readonly folder?: true;
  readonly gone?: true;
}

/** Where an entry lies, and the size of its content. */
interface Place {
  readonly offset: number;
  readonly length: number;
  readonly size: number;
}

/** An image of these entries, which are in archive order, in fragments of so many frames. */
export async function sampleImage(
  entries: readonly SampleEntry[],
  framesEach: number,
): Promise<SampleFragment[]> {
  const parts: Buffer[] = [];
  const lines: { at: number; text: string }[] = [];
  const places = new Map<string, Place>();
  let position = 0;
  for (const entry of entries) {
    const { line, bytes } = laidOut(entry, position, places);
    lines.push({ at: position, text: encodeIndexLine(line) });
    parts.push(bytes);
    position += bytes.length;
  }
  const archive = Buffer.concat([...parts, Buffer.alloc(ARCHIVE_END_BYTES)]);
  const fragments: SampleFragment[] = [];
  const step = framesEach * FRAME_BYTES;
  for (let from = 0; from < archive.length; from += step) {
    const part = archive.subarray(from, from + step);
    const until = from + part.length;
    const own = lines.filter(({ at }) => at >= from && at < until).map(({ text }) => text);
    const last = until === archive.length;
    const place = { number: fragments.length + 1, archiveOffset: from, last };
    fragments.push(await fragmentOf(part, own.join(''), place));
  }
  return fragments;
}

function laidOut(
  { path, content, link, folder, gone }: SampleEntry,
  offset: number,
  places: Map<string, Place>,
): { line: IndexLine; bytes: Buffer } {
  const type = gone ? 'x' : folder ? 'd' : link === undefined ? 'f' : 'h';
  const common = {
    ...{
      path,
      size: content?.length ?? places.get(link ?? '')?.size ?? 0,
      mtimeNs: '0',
      mode: 0o644,
      uid: 0,
      gid: 0,
    },
    ...{ flags: '', target: link ?? '', deviceMajor: 0, deviceMinor: 0 },
  };
  if (type === 'x') {
    const nowhere = { offset: -1, length: -1 };
    return { line: { ...common, type, ...nowhere, own: nowhere }, bytes: Buffer.alloc(0) };
  }
  const entry: ArchiveEntry = {
    ...{ ...emptyEntry(), type, path, mode: 0o644, linkTarget: link ?? '' },
    size: content?.length ?? 0,
  };
  const writer = new PaxWriter();
  writer.prepare(entry);
  const bytes = Buffer.alloc(writer.headerBytes + paddedToBlock(writer.contentBytes));
  writer.write(bytes, 0);
  content?.copy(bytes, writer.headerBytes);
  const own = { offset, length: bytes.length };
  places.set(path, { ...own, size: common.size });
  const { offset: dataOffset, length } = link === undefined ? own : places.get(link)!;
  const data = { offset: dataOffset, length };
  return { line: { ...common, type, ...data, own }, bytes };
}

async function fragmentOf(
  archive: Buffer,
  lines: string,
  place: { number: number; archiveOffset: number; last: boolean },
): Promise<SampleFragment> {
  const frames = [];
  for (let at = 0; at < archive.length; at += FRAME_BYTES) {
    const part = archive.subarray(at, at + FRAME_BYTES);
    const bytes = await compress(part, 3);
    frames.push({ archiveLength: part.length, digest: blake3(bytes), bytes });
  }
  const records = frames.map(({ archiveLength, digest, bytes }) => ({
    ...{ storedBytes: bytes.length, archiveBytes: archiveLength, digest },
  }));
  const text = lines === '' ? [] : [await compress(Buffer.from(lines, 'latin1'), 3)];
  const index = [...text, encodeFrameTable(records)].map((bytes) => {
    return { bytes, digest: blake3(bytes) };
  });
  const claim = { ...place, archiveBytes: archive.length, frames: frames.length };
  return { archive, frames, index, claim };
}

/** What an archive holds: type and target, or the content's digest, of each path. */
export function contentOf(archive: Buffer): Record<string, string> {
  const found: Record<string, string> = {};
  let path = '';
  let pieces: Buffer[] = [];
  for (const event of new PaxReader().push(archive)) {
    if (event.kind === 'entry') {
      path = event.entry.path;
      pieces = [];
      found[path] = `${event.entry.type} ${event.entry.linkTarget}`;
    } else if (event.kind === 'data') pieces.push(event.bytes);
    else if (event.kind === 'done' && pieces.length > 0) {
      found[path] = `f ${blake3(Buffer.concat(pieces)).toString('hex')}`;
    }
  }
  return found;
}
