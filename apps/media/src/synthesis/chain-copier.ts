import { mergeIndexes, type IndexItem } from '#archive/chain/index-merge.js';
import { encodeIndexLine } from '#archive/index-line.js';
import { ARCHIVE_END_BYTES } from '#archive/tar-block.js';
import { toPathText } from '#archive/path-text.js';
import {
  EntryDamaged,
  LinkedData,
  linkEntry,
  movedLine,
  plainEntry,
  type ArchivePiece,
  type LinkEntry,
  type NewPlace,
} from '../domain/synthetic-entry.js';
import type { ArchiveReader } from './archive-reader.js';
import { ArchiveReaders } from './archive-readers.js';
import type { ChainImage } from './chain-image.js';
import { renamed } from './entry-headers.js';
import { ImageCursor } from './image-cursor.js';
import type { SyntheticArchive } from './synthetic-archive.js';

/** Frames (1 MiB each) that are on their way while one is worked on. */
const FRAMES_AHEAD = 3;
/** Neighbouring entries are copied as one piece up to about this. */
const PIECE_BYTES_MAX = 32 * 1024 * 1024;
/** Of so long a piece whole frames are taken as they are, at the price of one that is not full. */
const WHOLE_FRAMES_BYTES_MIN = 4 * 1024 * 1024;

type Each = (item: IndexItem) => Promise<void> | void;

export interface CopyTotals {
  /** Entries. */
  readonly files: number;
  /** Content of regular files; the real size of sparse ones. */
  readonly bytes: number;
}

export interface ChainCopierOptions {
  /** Opens an image of the chain for one reader. */
  readonly open: (image: number) => ChainImage;
  readonly images: number;
  readonly archive: SyntheticArchive;
  readonly expectGoOn: () => void;
  readonly onProgress: (totals: CopyTotals, path: string) => void;
}

/**
 * Copies what exists after the newest image of a chain into a new archive, entry by entry in archive order. What it
 * cannot copy because an image is not what it has to be is thrown as `ImageDamaged`. Memory: about 1 MiB of lines
 * for each image of the chain, some 60 MiB of frames, and the links that `LinkedData` keeps.
 */
export class ChainCopier {
  private readonly inOrder: ArchiveReaders;
  /** Links point back, in any order. */
  private readonly outOfOrder: ArchiveReaders;
  private readonly linked = new LinkedData();
  /** Where the next entry begins in the new archive. */
  private planned = 0;
  private pending: ArchivePiece | undefined;
  private files = 0;
  private bytes = 0;

  constructor(private readonly options: ChainCopierOptions) {
    this.inOrder = new ArchiveReaders(options.open, FRAMES_AHEAD);
    this.outOfOrder = new ArchiveReaders(options.open, 0);
  }

  /** @throws what a source, the volume or the end of the attempt threw. */
  async copy(): Promise<CopyTotals> {
    try {
      await this.merged((item) => {
        if (item.type === 'h') this.linked.want(linkEntry(item));
      });
      await this.merged((item) => this.add(item));
      await this.flush();
      const { archive } = this.options;
      await archive.write(Buffer.alloc(ARCHIVE_END_BYTES));
      await archive.end();
      return { files: this.files, bytes: this.bytes };
    } finally {
      await this.inOrder.close();
      await this.outOfOrder.close();
    }
  }

  private async merged(each: Each): Promise<void> {
    const { images, open } = this.options;
    const cursors = Array.from({ length: images }, (_, n) => new ImageCursor(open(n), n));
    try {
      for await (const items of mergeIndexes(cursors)) {
        this.options.expectGoOn();
        await this.batch(items, each);
      }
    } finally {
      for (const cursor of cursors) await cursor.close();
    }
  }

  private async batch(items: readonly IndexItem[], each: Each): Promise<void> {
    for (const item of items) {
      try {
        const work = each(item);
        if (work) await work;
      } catch (error) {
        throw error instanceof EntryDamaged ? this.damaged(item, error) : error;
      }
    }
  }

  private damaged({ image, path }: IndexItem, { message, offset = NaN }: EntryDamaged) {
    return this.options.open(image).damagedAt(offset, `/${toPathText(path)} ${message}`);
  }

  /** Nothing is awaited where an entry only prolongs the piece that is copied next. */
  private add(item: IndexItem): Promise<void> | undefined {
    if (item.type === 'h') return this.addLink(item);
    const entry = plainEntry(item);
    const offset = this.planned;
    this.count(entry.size, item);
    const { path } = item;
    this.linked.placed(entry, { path, offset, length: entry.length });
    this.options.archive.line(offset, movedLine(entry, offset));
    this.planned += entry.length;
    return this.piece(entry);
  }

  private count(size: number, { type, path }: Pick<IndexItem, 'type' | 'path'>): void {
    this.files += 1;
    // Sparse files can come to more than a message may say.
    if (type === 'f') this.bytes = Math.min(this.bytes + size, Number.MAX_SAFE_INTEGER);
    this.options.onProgress({ files: this.files, bytes: this.bytes }, path);
  }

  private async addLink(item: IndexItem): Promise<void> {
    const link = linkEntry(item);
    const data = this.linked.find(link.data);
    if (data === undefined) return this.linkAsFile(link);
    this.count(0, item);
    const own = { offset: this.planned, length: link.own.length };
    if (data.path === link.line.target) {
      this.lineOfLink(link, data, own);
      this.planned += own.length;
      await this.piece(link.own);
      return;
    }
    const reader = await this.outOfOrder.of(link.own.image);
    const { header } = await renamed(reader, link.own, { linkTarget: data.path });
    this.lineOfLink(link, data, { ...own, length: header.length });
    this.planned += header.length;
    await this.flush();
    await this.options.archive.write(header);
  }

  private lineOfLink(link: LinkEntry, data: NewPlace, own: { offset: number; length: number }) {
    const { offset, length, path: target } = data;
    const line = encodeIndexLine({ ...link.line, offset, length, target, own });
    this.options.archive.line(own.offset, line);
  }

  /** The path with the data is not there any more: the first link takes its place, whatever kind of file it is. */
  private async linkAsFile({ line, data }: LinkEntry): Promise<void> {
    const { archive } = this.options;
    const reader = await this.outOfOrder.of(data.image);
    const { entry, header, contentBytes } = await renamed(reader, data, { path: line.path });
    const { type, linkTarget: target, deviceMajor, deviceMinor } = entry;
    if (type === 'h' || type === 'd') throw new EntryDamaged(`is a link to a ${type}`, data.offset);
    const own = { offset: this.planned, length: header.length + contentBytes };
    this.count(line.size, { type, path: line.path });
    const now = { type, target, deviceMajor, deviceMinor };
    archive.line(own.offset, encodeIndexLine({ ...line, ...now, ...own, own }));
    this.linked.placed(data, { path: line.path, ...own });
    this.planned += own.length;
    await this.flush();
    await archive.write(header);
    await this.copyPiece(reader, data.offset + data.length - contentBytes, contentBytes);
  }

  private piece(next: ArchivePiece): Promise<void> | undefined {
    const last = this.pending;
    const isNext = last?.image === next.image && last.offset + last.length === next.offset;
    if (last && isNext && last.length < PIECE_BYTES_MAX) {
      this.pending = { ...last, length: last.length + next.length };
      return undefined;
    }
    if (!last) {
      this.pending = next;
      return undefined;
    }
    return this.flush().then(() => {
      this.pending = next;
    });
  }

  private async flush(): Promise<void> {
    const { pending } = this;
    if (!pending) return;
    this.pending = undefined;
    const reader = await this.inOrder.of(pending.image);
    await this.copyPiece(reader, pending.offset, pending.length);
  }

  private async copyPiece(reader: ArchiveReader, offset: number, length: number): Promise<void> {
    const { archive, expectGoOn } = this.options;
    const end = offset + length;
    for (let at = offset + archive.passOver(length); at < end;) {
      expectGoOn();
      const frame = await reader.frameAt(at);
      const frameEnd = frame.archiveOffset + frame.archiveBytes;
      const isWhole = frame.archiveOffset === at && frameEnd <= end;
      const isWorthIt = archive.isAtFrame || end - at >= WHOLE_FRAMES_BYTES_MIN;
      if (isWhole && archive.takesStored && isWorthIt) {
        await archive.endFrame();
        await archive.frame(await reader.stored(frame), frame);
      } else {
        const bytes = await reader.bytes(frame);
        await archive.write(bytes.subarray(at - frame.archiveOffset, end - frame.archiveOffset));
        if (frameEnd <= end) reader.letGo();
      }
      at = Math.min(end, frameEnd);
    }
  }
}
