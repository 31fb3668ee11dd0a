import { statfs } from 'node:fs/promises';
import { join } from 'node:path';
import { messageOf } from '#kernel/errors.js';
import type { ConfirmedGrant } from '../confirmed-grant.js';
import { FragmentUnreadable, readError, VolumeFull, writeError } from '../errors.js';
import {
  checkFragmentName,
  copyFolder,
  fileName,
  isImageId,
  PARTIAL_SUFFIX,
  parseCopyFolder,
  parseFileName,
  type ContentFile,
  type FragmentName,
} from '../fragment-name.js';
import type {
  FragmentStore,
  SealedFragmentReader,
  StoredFragment,
  TrashedFragment,
} from '../fragment-store.js';
import { isShortOfInodes } from '../inodes.js';
import { readManifestOnDisk } from '../manifest-check.js';
import { SpaceGate } from '../space-gate.js';
import { DirectoryFragmentReader } from './directory-fragment-reader.js';
import { appearAsSealed, DirectoryFragmentWriter } from './directory-fragment-writer.js';
import { DirectoryTrash } from './directory-trash.js';
import { namesIn, readIfThere, Unread } from './read-folder.js';
import { DurableFolders, type MadeFolder } from './durable-folders.js';
import { isFolder, statIfThere, syncFolders } from './sync-folder.js';

/** Left free for the journal and for a person to work with. */
export const VOLUME_RESERVE_BYTES = 256 * 1024 * 1024;

export interface DirectoryStoreOptions {
  /** The volume's folder; must be there. */
  readonly folder: string;
  /** Default `VOLUME_RESERVE_BYTES`. */
  readonly reserveBytes?: number;
  /** What the data of all its fragments lies in; default `data`. For `recipe` see `ChunkStore`. */
  readonly content?: ContentFile;
  /** What is written is read again soon: see `AppendFile.create`. */
  readonly isReadSoon?: boolean;
}

/** Fragments in a folder of a local file system, laid out as docs/formats.md says. */
export class DirectoryFragmentStore implements FragmentStore {
  private readonly folder: string;
  private readonly content: ContentFile;
  private readonly isReadSoon: boolean;
  private readonly gate: SpaceGate;
  private readonly bin: DirectoryTrash;
  /** Those that it makes and removes. */
  readonly folders = new DurableFolders();

  constructor(options: DirectoryStoreOptions) {
    this.folder = options.folder;
    this.content = options.content ?? 'data';
    this.isReadSoon = options.isReadSoon ?? false;
    this.bin = new DirectoryTrash(options.folder, this.folders);
    this.gate = folderGate(options);
  }

  /** @param beforeVisible See `WriterOptions`. */
  async create(
    name: FragmentName,
    beforeVisible?: () => Promise<void>,
  ): Promise<DirectoryFragmentWriter> {
    checkFragmentName(name);
    return this.folders.use(async () => {
      const { folder, isNew } = await this.placeOf(name);
      if (!isNew && (await this.stat(name))) {
        throw new Error(`Fragment ${name.fragmentId} is there already`);
      }
      try {
        const { gate, content, isReadSoon } = this;
        const removeEmpty = () => this.folders.removeEmpty(this.folder, copyFolder(name));
        const options = { gate, content, isReadSoon, beforeVisible, removeEmpty };
        return await DirectoryFragmentWriter.create(name, folder, options);
      } catch (error) {
        throw writeError(this.folder, error);
      }
    });
  }

  private async placeOf(name: FragmentName): Promise<MadeFolder> {
    try {
      await this.gate.take(0);
      if (await isShortOfInodes(this.folder)) throw VolumeFull.ofInodes(this.folder);
      return await this.folders.make(this.folder, copyFolder(name));
    } catch (error) {
      throw writeError(this.folder, error);
    }
  }

  async open(name: FragmentName): Promise<SealedFragmentReader> {
    checkFragmentName(name);
    return DirectoryFragmentReader.open(name, this.folderOf(name), this.content);
  }

  /** Goes on with a seal that a crash has cut off behind `beforeVisible`. */
  async appear(name: FragmentName): Promise<void> {
    checkFragmentName(name);
    try {
      await appearAsSealed(name, this.folderOf(name), this.content);
    } catch (error) {
      throw writeError(this.folder, error);
    }
  }

  async stat(name: FragmentName): Promise<StoredFragment | undefined> {
    checkFragmentName(name);
    try {
      return await this.look(name);
    } catch (error) {
      const failure = readError(name.fragmentId, 'cannot be looked at', error);
      if (!(failure instanceof FragmentUnreadable)) throw failure;
      // What cannot be read is there, as far as anybody knows.
      const reason = `its files cannot be read: ${messageOf(error)}`;
      return { state: 'damaged', name, reason, isUnreadable: true };
    }
  }

  private async look(name: FragmentName): Promise<StoredFragment | undefined> {
    const path = join(this.folderOf(name), fileName(name, this.content));
    const data = (await statIfThere(path)) ?? (await statIfThere(path + PARTIAL_SUFFIX));
    const text = await readIfThere(join(this.folderOf(name), fileName(name, 'manifest')));
    if (text === undefined) {
      return data && { state: 'partial', name, dataBytes: Number(data.size) };
    }
    const found = readManifestOnDisk(text, name, this.content);
    if (typeof found === 'string') return { state: 'damaged', name, reason: found };
    const { manifest, fileBytes } = found;
    const index = await statIfThere(join(this.folderOf(name), fileName(name, 'index')));
    if (data?.size !== fileBytes || index?.size !== manifest.indexBytes) {
      return { state: 'damaged', name, reason: 'its files are missing or have other sizes' };
    }
    return { state: 'sealed', name, manifest };
  }

  async settle(name: FragmentName): Promise<void> {
    checkFragmentName(name);
    await this.folders.use(async () => {
      if (await isFolder(this.folderOf(name))) await syncFolders(this.folder, copyFolder(name));
    });
  }

  async *list(known = (_fragmentId: string) => false): AsyncIterable<StoredFragment> {
    const unread = new Unread();
    for (const imageId of (await namesIn(join(this.folder, 'images'))).filter(isImageId)) {
      const folders = await unread.pass(() => namesIn(join(this.folder, 'images', imageId)));
      const copies = (folders ?? []).map(parseCopyFolder).filter((copy) => copy !== undefined);
      for (const copy of copies.sort((a, b) => a - b)) {
        const files = await unread.pass(() => namesIn(this.folderOf({ imageId, copy })));
        yield* this.listCopy({ imageId, copy }, files ?? [], known);
      }
    }
    unread.expectNone();
  }

  /** None where only the reserve of inodes is left. */
  async freeBytes(): Promise<number> {
    return (await isShortOfInodes(this.folder)) ? 0 : this.gate.freeBytes();
  }

  async remove(grant: ConfirmedGrant, name: FragmentName): Promise<void> {
    checkFragmentName(name);
    await this.bin.remove(grant, name);
  }

  trash(tombstoneId?: string): AsyncIterable<TrashedFragment> {
    return this.bin.list(tombstoneId);
  }

  async takeBack(tombstoneId: string, name: FragmentName): Promise<void> {
    checkFragmentName(name);
    await this.bin.takeBack(tombstoneId, name);
  }

  emptyTrash(tombstoneId: string): Promise<void> {
    return this.bin.empty(tombstoneId);
  }

  private async *listCopy(
    { imageId, copy }: Pick<FragmentName, 'imageId' | 'copy'>,
    files: readonly string[],
    known: (fragmentId: string) => boolean,
  ): AsyncIterable<StoredFragment> {
    let before = '';
    for (const text of files) {
      const parsed = parseFileName(text);
      if (!parsed || parsed.fragmentId === before) continue;
      before = parsed.fragmentId;
      if (known(parsed.fragmentId)) continue;
      const { number, fragmentId } = parsed;
      const found = await this.stat({ imageId, copy, number, fragmentId });
      if (found) yield found;
    }
  }

  private folderOf(name: Pick<FragmentName, 'imageId' | 'copy'>): string {
    return join(this.folder, ...copyFolder(name));
  }
}

/** Keeps a reserve of a folder's file system free. */
export function folderGate(options: DirectoryStoreOptions): SpaceGate {
  const { folder, reserveBytes = VOLUME_RESERVE_BYTES } = options;
  const measure = async () => {
    const { bavail, bsize } = await statfs(folder);
    return bavail * bsize;
  };
  return new SpaceGate(folder, measure, reserveBytes);
}
