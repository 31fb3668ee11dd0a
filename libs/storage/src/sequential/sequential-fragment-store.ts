import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { assert } from '#kernel/assert.js';
import type { ConfirmedGrant } from '../confirmed-grant.js';
import { DirectoryFragmentStore } from '../directory/directory-fragment-store.js';
import { syncFolder } from '../directory/sync-folder.js';
import { FragmentUnreadable } from '../errors.js';
import {
  checkFragmentName,
  copyFolder,
  fileName,
  isFragmentId,
  PARTIAL_SUFFIX,
  type FragmentName,
} from '../fragment-name.js';
import type {
  FragmentPlan,
  FragmentStore,
  FragmentWriter,
  SealedFragmentReader,
  StoredFragment,
  TrashedFragment,
} from '../fragment-store.js';
import { volumeState, type FragmentOnVolume } from '../library-books/library-state.js';
import type { SequentialLibrary } from './sequential-library.js';
import { SequentialFragmentReader } from './sequential-fragment-reader.js';
import { SequentialFragmentWriter } from './sequential-fragment-writer.js';
import { Spool, type SpoolOptions, type SpoolPlace } from './spool.js';

export interface SequentialStoreOptions {
  readonly library: SequentialLibrary;
  /** A folder for fragments on their way to the medium; must be there. */
  readonly spoolFolder: string;
  /** Left free on the file system of the spool. */
  readonly spoolReserveBytes: number;
  /** Data that the spool may hold in all. */
  readonly spoolBytesMax: number;
  /** See `SpoolOptions`. */
  readonly onWait?: SpoolOptions['onWait'];
  /** Called when the last fragment of a volume is gone, so that it may begin anew. */
  readonly onScratch?: () => void;
}

/**
 * Fragments on the volumes of a library. A fragment is gathered in the spool, and its seal writes it
 * to a volume in one run; it is there when its position is in the ledger. What lies where is said by
 * the ledger, with no volume mounted; reading mounts the volume. Removal and the way back are changes
 * of the ledger: the bytes lie where they are until the volume begins anew.
 */
export class SequentialFragmentStore implements FragmentStore {
  private readonly spooled: DirectoryFragmentStore;
  private readonly spool: Spool;

  private constructor(private readonly options: SequentialStoreOptions) {
    const { spoolFolder: folder, spoolReserveBytes: reserveBytes, onWait } = options;
    // A seal reads the files again behind their writer.
    const spooled = new DirectoryFragmentStore({ folder, reserveBytes, isReadSoon: true });
    this.spooled = spooled;
    this.spool = new Spool({
      ...{ folder, bytesMax: options.spoolBytesMax },
      freeBytes: () => spooled.freeBytes(),
      ...(onWait && { onWait }),
    });
  }

  /** Takes what an earlier process has left in the spool into account. */
  static async open(options: SequentialStoreOptions): Promise<SequentialFragmentStore> {
    const store = new SequentialFragmentStore(options);
    for await (const found of store.spooled.list()) {
      if (store.find(found.name)) await store.drop(found.name);
      else if (found.state === 'partial') store.spool.addLeft(found.dataBytes);
    }
    return store;
  }

  async create(name: FragmentName): Promise<FragmentWriter> {
    return this.begin(name, this.spool.place(0));
  }

  async createInTurn(name: FragmentName, plan: FragmentPlan): Promise<FragmentWriter> {
    return this.begin(name, await this.spool.enter(plan.bytesMax, plan.signal));
  }

  private async begin(name: FragmentName, place: SpoolPlace): Promise<FragmentWriter> {
    const { library, spoolFolder } = this.options;
    try {
      checkFragmentName(name);
      if (await this.stat(name)) throw new Error(`Fragment ${name.fragmentId} is there already`);
      const inner = await this.spooled.create(name);
      const drop = () => this.drop(name);
      return new SequentialFragmentWriter({ inner, library, spoolFolder, place, drop });
    } catch (error) {
      place.leave('nothing');
      throw error;
    }
  }

  async open(name: FragmentName): Promise<SealedFragmentReader> {
    checkFragmentName(name);
    const found = this.find(name);
    if (!found || found.trash) throw new FragmentUnreadable(name.fragmentId, 'is not there');
    return new SequentialFragmentReader(found, this.options.library);
  }

  async stat(name: FragmentName): Promise<StoredFragment | undefined> {
    checkFragmentName(name);
    const found = this.find(name);
    if (found && !found.trash) return { state: 'sealed', name, manifest: found.manifest };
    return found ? undefined : this.spooled.stat(name);
  }

  async settle(name: FragmentName): Promise<void> {
    checkFragmentName(name);
  }

  async *list(known = (_fragmentId: string) => false): AsyncIterable<StoredFragment> {
    const found: StoredFragment[] = [];
    for (const { manifest, trash } of this.options.library.state.fragments.values()) {
      if (trash || known(manifest.fragmentId)) continue;
      const { imageId, copy, number, fragmentId } = manifest;
      found.push({ state: 'sealed', name: { imageId, copy, number, fragmentId }, manifest });
    }
    for await (const partial of this.spooled.list(known)) {
      if (!this.find(partial.name)) found.push(partial);
    }
    yield* found.sort(byName);
  }

  async freeBytes(): Promise<number> {
    return (await this.options.library.room()).freeBytes;
  }

  async remove(grant: ConfirmedGrant, name: FragmentName): Promise<void> {
    checkFragmentName(name);
    assert(grant.fragmentId === name.fragmentId, 'a grant for another fragment');
    assert(isFragmentId(grant.tombstoneId), 'a tombstone whose id is none');
    const found = this.find(name);
    if (!found || found.trash) return;
    const { fragmentId, tombstoneId } = grant;
    const { library } = this.options;
    const at = library.now().toISOString();
    await library.ledger.add({ type: 'TRASHED', fragmentId, tombstoneId, at });
  }

  async *trash(only?: string): AsyncIterable<TrashedFragment> {
    for (const { manifest, trash } of this.options.library.state.trash(only)) {
      if (!trash) continue;
      const { fragmentId, number } = manifest;
      const { tombstoneId } = trash;
      yield { tombstoneId, fragmentId, number, since: new Date(trash.since), manifest };
    }
  }

  async takeBack(tombstoneId: string, name: FragmentName): Promise<void> {
    checkFragmentName(name);
    const { fragmentId } = name;
    if (this.find(name)?.trash?.tombstoneId !== tombstoneId) return;
    await this.options.library.ledger.add({ type: 'TAKEN_BACK', fragmentId });
  }

  /** A fragment that is gone stays so; when the last one is, its volume may begin anew. */
  async emptyTrash(tombstoneId: string): Promise<void> {
    const { library, onScratch } = this.options;
    const { ledger, state } = library;
    const gone = state.trash(tombstoneId);
    const records = gone.map(({ manifest: { fragmentId } }) => {
      return { type: 'GONE', fragmentId } as const;
    });
    await ledger.add(...records);
    const volumes = gone.flatMap(({ volumeId }) => state.volumes.get(volumeId) ?? []);
    if (volumes.some((volume) => volumeState(volume) === 'scratch')) onScratch?.();
  }

  private find(name: FragmentName): FragmentOnVolume | undefined {
    const found = this.options.library.state.fragments.get(name.fragmentId);
    const { imageId, copy, number } = found?.manifest ?? {};
    const isSame = imageId === name.imageId && copy === name.copy && number === name.number;
    return isSame ? found : undefined;
  }

  /** Gives up what the spool has of a fragment that is durable on its volume, by the ledger. */
  private async drop(name: FragmentName): Promise<void> {
    assert(this.find(name), 'a fragment that is on no volume is dropped from the spool');
    const { folders } = this.spooled;
    const parts = copyFolder(name);
    const folder = join(this.spool.folder, ...parts);
    await folders.use(async () => {
      for (const file of ['data', 'index'] as const) {
        await rm(join(folder, fileName(name, file) + PARTIAL_SUFFIX), { force: true });
      }
      await syncFolder(folder);
    });
    await folders.removeEmpty(this.spool.folder, parts);
  }
}

function byName({ name: a }: StoredFragment, { name: b }: StoredFragment): number {
  if (a.imageId !== b.imageId) return a.imageId < b.imageId ? -1 : 1;
  return a.copy - b.copy || a.number - b.number || (a.fragmentId < b.fragmentId ? -1 : 1);
}
