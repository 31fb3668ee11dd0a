import { mkdir, open, readFile, rename, statfs } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { z } from 'zod';
import { assert } from '#kernel/assert.js';
import type { OrphanDoubt } from '#contracts/media.js';
import type { Clock } from '#kernel/clock.js';
import { codeOf, messageOf, PermanentError, Unavailable } from '#kernel/errors.js';
import { uuidv7 } from '#kernel/ids.js';
import { STATUS } from '#kernel/status.js';
import { ChunkStore } from '#storage/chunks/chunk-store.js';
import type { Collected, CollectOptions } from '#storage/chunks/collection/chunk-collector.js';
import { confirmOrphans } from '#storage/chunks/collection/orphan-grant.js';
import { DirectoryFragmentStore } from '#storage/directory/directory-fragment-store.js';
import { syncFolder } from '#storage/directory/sync-folder.js';
import { JournalDamaged, VolumeUnusable } from '#storage/errors.js';
import type { FragmentStore } from '#storage/fragment-store.js';
import { Ledger } from './ledger.js';
import { forgetRemoved, recoverSeals, recoverTrash, type Leftovers } from './recovery.js';
import { LOOK_MS_MAX, SharedLook } from './shared-look.js';
import { expectKind, type StoreKind } from './store-kind.js';

const IDENTITY_FILE = 'volume.json';

const identity = z.object({
  version: z.literal(1),
  volumeId: z.uuid(),
  /** Missing for `directory`, and for libraries of earlier releases. */
  kind: z.enum(['chunks', 'library']).optional(),
  /** The media server that it belongs to, for as long as it lives, on whatever host it is. */
  mediaId: z.string().min(1),
});

export interface VolumeOptions {
  readonly path: string;
  /** The storage pool that it is part of. */
  readonly pool: string;
  readonly mediaId: string;
  /** Left free on the file system. */
  readonly reserveBytes: number;
  readonly clock: Clock;
  /** Default `directory`. */
  readonly kind?: StoreKind;
  /** Opens what holds the fragments, where that is not the folder itself: for a `library`. */
  readonly openStore?: () => Promise<OpenedStore>;
}

/** A store that has something to close, and may fail for good. */
export interface OpenedStore {
  readonly store: FragmentStore;
  readonly failure: Error | undefined;
  /** Where fragments share chunks: their store. */
  readonly chunks?: ChunkStore;
  close(): Promise<void>;
}

/**
 * A folder that holds fragments (or the books of a library that does), with its journal: both belong
 * together and to one media server.
 */
export class Volume {
  readonly mediaId: string;
  readonly pool: string;
  private readonly looks = new SharedLook(() => this.look());

  private constructor(
    readonly path: string,
    readonly volumeId: string,
    { mediaId, pool }: VolumeOptions,
    private readonly opened: OpenedStore,
    readonly ledger: Ledger,
    /** What lay there when it was opened. */
    readonly leftovers: Leftovers,
    /** What could not be read or finished when it was opened, in words: see `recoverTrash`. */
    readonly unsettled: readonly string[],
  ) {
    this.mediaId = mediaId;
    this.pool = pool;
  }

  get store(): FragmentStore {
    return this.opened.store;
  }

  /** True where chunks are shared, so that there is something to collect. */
  get shares(): boolean {
    return this.opened.chunks !== undefined;
  }

  /** Removes chunks that nobody needs any more. Throws `VolumeUnusable` while that is not certain. */
  async collect(options: CollectOptions): Promise<Collected> {
    assert(this.opened.chunks, 'a collection where nothing is shared');
    return this.opened.chunks.collect(options);
  }

  /** Set while chunks stay that no fragment names, since one of those that did may have been lost. */
  get orphanDoubt(): OrphanDoubt | undefined {
    const doubtId = this.opened.chunks?.orphanDoubtId;
    return doubtId === undefined ? undefined : { volumeId: this.volumeId, doubtId };
  }

  /**
   * Takes the catalog's word for it that no fragment of this volume is missing. False, and nothing has
   * changed, if it is about another doubt than that in which the volume is.
   */
  async releaseOrphans(word: OrphanDoubt): Promise<boolean> {
    const { orphanDoubt } = this;
    const granted = orphanDoubt && confirmOrphans(orphanDoubt, word);
    if (granted) await this.opened.chunks!.releaseOrphans(granted);
    return granted !== undefined;
  }

  /** Set when a journal could not be written: nothing more is accepted until it is opened again. */
  get failure(): Error | undefined {
    return this.ledger.failure ?? this.opened.failure;
  }

  /**
   * Opens the volume in a folder, and makes a new one of an empty folder (the folder too, if its
   * parent is there). Replays its journal, and finishes what the process was at when it died: seals
   * that were not written down, ways to the trash and back. Throws `VolumeUnusable` with the reason.
   */
  static async open(options: VolumeOptions): Promise<Volume> {
    const path = resolve(options.path);
    const volumeId = await identify(path, options);
    const ledger = await openLedger(path);
    let opened: OpenedStore | undefined;
    let leftovers: Leftovers;
    let unsettled: string[];
    try {
      opened = await (options.openStore ?? (() => openFolder(path, options)))();
      const { store } = opened;
      leftovers = await recoverSeals({ store, ledger }, options.clock);
      unsettled = await recoverTrash({ store, ledger });
      await forgetRemoved({ store, ledger });
      await ledger.condense();
    } catch (error) {
      await opened?.close();
      await ledger.close();
      throw error;
    }
    return new Volume(path, volumeId, options, opened, ledger, leftovers, unsettled);
  }

  /**
   * Throws `Unavailable` (83) where the folder does not hold this volume any more (its file system may have
   * been unmounted) or cannot be read: what is not found there then is not missing, and what was written
   * there would lie elsewhere. Waits for as long as the folder does not answer.
   */
  requireThere(): Promise<void> {
    return this.looks.take();
  }

  /** Throws what `requireThere` does, and `Unavailable` (83) too where the folder does not answer within 3 s. */
  async requireAnswer(): Promise<void> {
    if (await this.looks.takeInTime()) return;
    const what = `the volume ${this.path} of pool "${this.pool}"`;
    throw new Unavailable(
      `${what} has not answered for ${LOOK_MS_MAX / 1_000} s`,
      STATUS.mediaOpenError,
    );
  }

  /** Whether it is there and answers. */
  answers(): Promise<boolean> {
    return this.requireAnswer().then(
      () => true,
      () => false,
    );
  }

  private async look(): Promise<void> {
    const { path, pool, volumeId } = this;
    const text = await readIdentity(path).catch((error: unknown) => {
      throw new Unavailable(
        `the volume ${path} of pool "${pool}": ${messageOf(error)}`,
        STATUS.mediaOpenError,
      );
    });
    if (text?.includes(volumeId)) return;
    throw new Unavailable(
      `the volume ${volumeId} of pool "${pool}" is not there: see ${path} (is it mounted?)`,
      STATUS.mediaOpenError,
    );
  }

  /** What its file system has, the reserve included. Throws what `requireThere` does. */
  async room(): Promise<{ freeBytes: number; totalBytes: number }> {
    await this.requireThere();
    const { bavail, blocks, bsize } = await statfs(this.path);
    return { freeBytes: bavail * bsize, totalBytes: blocks * bsize };
  }

  /** Resolves when the journal is durable and its lock is free. */
  async close(): Promise<void> {
    await this.opened.close();
    await this.ledger.close();
  }
}

async function openFolder(folder: string, options: VolumeOptions): Promise<OpenedStore> {
  const { reserveBytes } = options;
  if (options.kind === 'chunks') return openChunks(folder, reserveBytes);
  const store = new DirectoryFragmentStore({ folder, reserveBytes });
  return { store, failure: undefined, close: async () => undefined };
}

async function openChunks(folder: string, reserveBytes: number): Promise<OpenedStore> {
  const store = await ChunkStore.open({ folder, reserveBytes });
  return {
    store,
    chunks: store,
    get failure() {
      return store.failure;
    },
    close: () => store.close(),
  };
}

async function identify(path: string, options: VolumeOptions): Promise<string> {
  try {
    await mkdir(path, { mode: 0o700 }).catch((error: unknown) => {
      if (codeOf(error) !== 'EEXIST') throw error;
    });
    const text = await readIdentity(path);
    if (text === undefined) {
      await expectKind(path, undefined, options);
      return await writeIdentity(path, options);
    }
    const found = parseIdentity(path, text);
    const { volumeId, mediaId } = found;
    if (mediaId === options.mediaId) {
      await expectKind(path, found, options);
      return volumeId;
    }
    throw new VolumeUnusable(
      path,
      `it belongs to media server "${mediaId}", this one is "${options.mediaId}". ` +
        `Start this one as "${mediaId}" (--media-id, HOLDFAST_MEDIA_ID), or give it a folder of its own. A volume ` +
        `keeps the name that it was made under: if "${mediaId}" was a slip, and nothing is stored yet, begin ` +
        'anew on another data folder (--data).',
    );
  } catch (error) {
    if (error instanceof VolumeUnusable) throw error;
    const hint = 'It has to be a folder that this process may write to.';
    throw new VolumeUnusable(path, `${messageOf(error)}. ${hint}`);
  }
}

async function readIdentity(path: string): Promise<string | undefined> {
  try {
    return await readFile(join(path, IDENTITY_FILE), 'utf8');
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined;
    throw error;
  }
}

function parseIdentity(path: string, text: string): z.output<typeof identity> {
  try {
    return identity.parse(JSON.parse(text));
  } catch (error) {
    const file = join(path, IDENTITY_FILE);
    const why = text.trim() === '' ? 'is empty' : `is damaged (${firstIssue(error)})`;
    throw new VolumeUnusable(
      path,
      `its file ${file} ${why}. It says which volume this is: put back a copy of it, or write it ` +
        'anew as docs/formats.md describes it.',
    );
  }
}

function firstIssue(error: unknown): string {
  const [issue] = error instanceof z.ZodError ? error.issues : [];
  return issue ? `${issue.path.join('.')}: ${issue.message}` : messageOf(error);
}

async function writeIdentity(path: string, options: VolumeOptions): Promise<string> {
  const volumeId = uuidv7(options.clock.now());
  const partial = join(path, `${IDENTITY_FILE}.partial`);
  const handle = await open(partial, 'w', 0o600);
  try {
    const { mediaId, kind } = options;
    const isPlain = kind === undefined || kind === 'directory';
    const content = { version: 1, volumeId, mediaId, ...(!isPlain && { kind }) };
    await handle.writeFile(`${JSON.stringify(content)}\n`);
    await handle.datasync();
  } finally {
    await handle.close();
  }
  await rename(partial, join(path, IDENTITY_FILE));
  await syncFolder(path);
  return volumeId;
}

async function openLedger(path: string): Promise<Ledger> {
  const folder = join(path, 'journal');
  try {
    return await Ledger.open(folder);
  } catch (error) {
    if (error instanceof JournalDamaged) {
      throw new VolumeUnusable(
        error.file,
        `${error.reason}. Move the folder ${folder} to another place, keep it, and start the media server ` +
          'again: "holdfast catalog reconcile" takes the fragments of the volume in again.',
      );
    }
    if (error instanceof PermanentError) throw error;
    throw new VolumeUnusable(path, messageOf(error));
  }
}
