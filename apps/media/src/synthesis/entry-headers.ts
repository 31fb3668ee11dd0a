import type { ArchiveEntry } from '#archive/archive-entry.js';
import { PaxReader } from '#archive/pax-reader.js';
import { PaxWriter } from '#archive/pax-writer.js';
import { paddedToBlock } from '#archive/tar-block.js';
import { messageOf } from '#kernel/errors.js';
import { EntryDamaged, type ArchivePiece } from '../domain/synthetic-entry.js';
import type { ArchiveReader } from './archive-reader.js';

/** An entry under other names. Its content, where it has one, follows as it lies in the old archive. */
export interface RenamedEntry {
  readonly entry: ArchiveEntry;
  readonly header: Buffer;
  /** Bytes of content with padding, at the end of the old entry. */
  readonly contentBytes: number;
}

/** Reads an entry's header and writes it anew with another path or another target. @throws EntryDamaged */
export async function renamed(
  reader: ArchiveReader,
  { offset, length }: ArchivePiece,
  names: Partial<Pick<ArchiveEntry, 'path' | 'linkTarget'>>,
): Promise<RenamedEntry> {
  const entry = { ...(await headerAt(reader, offset, length)), ...names };
  const writer = new PaxWriter();
  writer.prepare(entry);
  const header = Buffer.alloc(writer.headerBytes);
  writer.write(header, 0);
  const contentBytes = paddedToBlock(writer.contentBytes);
  if (contentBytes < length) return { entry, header, contentBytes };
  throw new EntryDamaged('is shorter than its header says', offset);
}

async function headerAt(
  reader: ArchiveReader,
  offset: number,
  length: number,
): Promise<ArchiveEntry> {
  const pax = new PaxReader(offset);
  try {
    for await (const piece of reader.range(offset, length)) {
      for (const event of pax.push(piece)) if (event.kind === 'entry') return event.entry;
    }
  } catch (error) {
    if (error instanceof Error && error.constructor !== Error) throw error;
    throw new EntryDamaged(`cannot be read: ${messageOf(error)}`, offset);
  }
  throw new EntryDamaged('has no header', offset);
}
