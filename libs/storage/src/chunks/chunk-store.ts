import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { assert } from '#kernel/assert.js';
import type { ConfirmedGrant } from '../confirmed-grant.js';
import {
  DirectoryFragmentStore,
  folderGate,
  VOLUME_RESERVE_BYTES,
} from '../directory/directory-fragment-store.js';
import { makeFolders, syncFolder } from '../directory/sync-folder.js';
import { VolumeUnusable } from '../errors.js';
import { checkFragmentName, type FragmentName } from '../fragment-name.js';
import type { FragmentStore, StoredFragment, TrashedFragment } from '../fragment-store.js';
import { lockFolder } from '../journal/folder-lock.js';
import { catchUp, completeLedger, openIndex } from './catch-up.js';
import {
  ChunkCollector,
  type Collected,
  type CollectOptions,
} from './collection/chunk-collector.js';
import { LookOver } from './collection/look-over.js';
import { UnfinishedCollection } from './collection/unfinished-collection.js';
import { domainOfImage } from './chunk-id.js';
import { ChunkPlaces } from './chunk-places.js';
import { ChunkSession } from './chunk-session.js';
import type { ChunkVolume } from './chunk-volume.js';
import { verifyContainers, type ContainerVerdict } from './collection/verify-containers.js';
import { Doubts } from './doubts.js';
import { giveUp } from './give-up.js';
import { ContainerFiles } from './containers/container-files.js';
import { PlainFragmentWriter } from './fragments/plain-fragment-writer.js';
import { RecipeFragmentReader } from './fragments/recipe-fragment-reader.js';
import { IndexDamaged } from './index/chunk-index.js';
import { levelHome, type IndexHome } from './index/index-home.js';
import type { ConfirmedOrphans } from './collection/orphan-grant.js';
import { RecipeFiles } from './recipe-files.js';
import { ReferenceLedger } from './references/reference-ledger.js';
import { References, type Between } from './references/references.js';

const ORPHANS_DOUBT =
  'the references were lost, and the catalog has not said that it misses no fragment here. It says so ' +
  'when it has compared itself with this media server, which it does now and then, and has found no ' +
  'difference ("holdfast catalog reconcile --dry-run" shows them)';

/** A collection leaves this part of the reserve free: else a full volume could not be emptied. */
const COLLECTING_SHARE = 4;

export interface ChunkStoreOptions {
  /** The volume's folder; must be there. */
  readonly folder: string;
  /** Default `VOLUME_RESERVE_BYTES`. */
  readonly reserveBytes?: number;
  /** Where the index lies; default: on disk, in the volume. */
  readonly index?: IndexHome;
  /** For tests that stop between two steps. */
  readonly between?: Between;
}

/**
 * A volume that deduplicates: fragments whose data are recipes, and the chunks that they name. Its laws,
 * beside those of `FragmentStore`:
 *
 * 1. A chunk that a sealed recipe names, in its place or in the trash, or that an open session was
 *    told is there, is never removed, whatever fails.
 * 2. Counts sink by `emptyTrash` alone, once for each fragment, whatever is repeated.
 * 3. A crash anywhere leaves chunks too many, never too few: a recipe's chunks are durable before it
 *    is, and count before it appears.
 * 4. `collect` needs no pause of anybody: sessions, readers and deletions run on.
 * 5. A lost index is made anew of the containers when the volume is opened, lost references of the
 *    recipes and the trash; `collect` removes nothing while that is not complete.
 * 6. What is read is what the client has computed ids of, or it is an error.
 */
export class ChunkStore implements FragmentStore {
  private collecting = false;
  private readonly unfinished = new UnfinishedCollection();
  /** Of this opening: what was compared before it was another volume. */
  private readonly doubtId: string = randomUUID();
  private turn: Promise<unknown> = Promise.resolve();

  private constructor(
    private readonly volume: ChunkVolume,
    /** In the order in which they are closed. */
    private readonly opened: readonly { close(): Promise<void> }[],
    private readonly doubts: Doubts,
  ) {}

  /**
   * Throws `VolumeUnusable` where another process has the volume open. Takes long where the index has
   * to be made anew.
   */
  static async open(options: ChunkStoreOptions): Promise<ChunkStore> {
    try {
      return await ChunkStore.openOnce(options);
    } catch (error) {
      // What was not noticed until it was used is put aside now.
      if (error instanceof IndexDamaged) return await ChunkStore.openOnce(options);
      throw error;
    }
  }

  private static async openOnce(options: ChunkStoreOptions): Promise<ChunkStore> {
    const { folder, between = async () => undefined } = options;
    const chunks = await makeFolders(folder, ['chunks']);
    // Whoever made it may have died before its name was durable.
    await syncFolder(folder);
    const lock = await lockFolder(chunks);
    const opened: { close(): Promise<void> }[] = [{ close: () => lock.release() }];
    try {
      const files = new ContainerFiles(chunks);
      await files.settle();
      const ledger = await ReferenceLedger.openOrPutAside(join(chunks, 'references'));
      opened.unshift(ledger);
      const home = options.index ?? levelHome(join(chunks, 'index'));
      const { index, containers, damaged } = await openIndex(home, files, (id) =>
        ledger.state.mayHold(id),
      );
      opened.unshift(index);
      const recipes = new DirectoryFragmentStore({ ...options, content: 'recipe' });
      const recipeFiles = new RecipeFiles(folder);
      const isEmpty = containers.length + damaged.length === 0;
      await completeLedger(ledger, { recipeFiles, isEmpty });
      const places = new ChunkPlaces(index, containers);
      const references = new References(ledger, places, between);
      const common = { ledger, places, references, recipes, recipeFiles };
      const uncounted = await catchUp(common);
      const { reserveBytes = VOLUME_RESERVE_BYTES } = options;
      const collectingGate = folderGate({ folder, reserveBytes: reserveBytes / COLLECTING_SHARE });
      const gate = folderGate({ folder, reserveBytes });
      const lookOver = new LookOver({ files, places });
      const writing = new Set<string>();
      const volume = {
        ...common,
        files,
        gate,
        collectingGate,
        between,
        lookOver,
        writing,
        unread: damaged,
      };
      return new ChunkStore(volume, opened, new Doubts(volume, uncounted));
    } catch (error) {
      for (const one of opened) await one.close();
      throw error;
    }
  }

  /** Set when it cannot go on: nothing more is accepted until it is opened again. */
  get failure(): Error | undefined {
    return this.volume.ledger.failure ?? this.volume.places.failure;
  }

  /** Takes chunks of archives. */
  readonly chunks = { session: (domain: string) => this.session(domain) };

  /** Begins a session for a domain; `end` it. */
  session(domain: string): ChunkSession {
    return new ChunkSession(this.volume, domain);
  }

  /** The data of what is not sealed yet are the recipe's. */
  async create(name: FragmentName): Promise<PlainFragmentWriter> {
    checkFragmentName(name);
    const session = new ChunkSession(this.volume, domainOfImage(name.imageId), true);
    return PlainFragmentWriter.create(session, name);
  }

  async open(name: FragmentName): Promise<RecipeFragmentReader> {
    return RecipeFragmentReader.open(this.volume, await this.volume.recipes.open(name));
  }

  stat(name: FragmentName): Promise<StoredFragment | undefined> {
    return this.volume.recipes.stat(name);
  }

  settle(name: FragmentName): Promise<void> {
    return this.volume.recipes.settle(name);
  }

  list(known?: (fragmentId: string) => boolean): AsyncIterable<StoredFragment> {
    return this.volume.recipes.list(known);
  }

  freeBytes(): Promise<number> {
    return this.volume.recipes.freeBytes();
  }

  /** See `FragmentStore.remove`. Its chunks stay. */
  remove(grant: ConfirmedGrant, name: FragmentName): Promise<void> {
    return this.volume.recipes.remove(grant, name);
  }

  trash(tombstoneId?: string): AsyncIterable<TrashedFragment> {
    return this.volume.recipes.trash(tombstoneId);
  }

  /**
   * See `FragmentStore.takeBack`. Where the emptying of the trash has begun, it is too late; where that is
   * not known, since its record failed, it throws until the volume is opened again.
   */
  async takeBack(tombstoneId: string, name: FragmentName): Promise<void> {
    checkFragmentName(name);
    await this.alone(async () => {
      if (this.failure) throw this.failure;
      const { ledger, recipes, recipeFiles } = this.volume;
      const reference = ledger.state.get(name.fragmentId);
      if (reference?.tombstoneId !== undefined) return this.empty(reference.tombstoneId);
      const isThere = await recipeFiles.isInTrash(name, tombstoneId);
      assert(reference ?? !isThere, 'a recipe in the trash whose chunks nobody counts');
      if (reference && reference.imageId === undefined) {
        // It was found in the trash when the ledger was made anew; from now on it is looked for there.
        const { fragmentId, number, imageId, copy } = name;
        await ledger.add({ type: 'HELD', fragmentId, number, imageId, copy });
      }
      await recipes.takeBack(tombstoneId, name);
    });
  }

  /**
   * See `FragmentStore.emptyTrash`. The chunks of what lies there do not count any more from then on.
   * Throws, and gives up nothing, if its recipe is there and cannot be read: what to lower is then not
   * known. A recipe that is gone, and one that counts nothing, holds up nobody.
   */
  emptyTrash(tombstoneId: string): Promise<void> {
    return this.alone(() => this.empty(tombstoneId));
  }

  /**
   * Removes chunks that nobody needs, also where the volume is at its reserve. Throws `VolumeUnusable`
   * while it is not certain which these are; what was begun and never closed goes all the same. One at a time; one that was cut
   * is gone on with by the next.
   */
  async collect(options: CollectOptions = {}): Promise<Collected> {
    assert(!this.collecting, 'two collections at once');
    this.collecting = true;
    try {
      await this.dropUnclosed();
      const doubt = this.orphanDoubtId ? ORPHANS_DOUBT : await this.doubt();
      if (doubt !== undefined) {
        throw new VolumeUnusable(this.volume.files.folder, `nothing can be collected: ${doubt}`);
      }
      return await new ChunkCollector(this.volume, this.unfinished, options).run();
    } finally {
      this.collecting = false;
    }
  }

  /** Set while the references were lost and nobody has said yet that no recipe is missing. */
  get orphanDoubtId(): string | undefined {
    return this.volume.ledger.state.orphansKept ? this.doubtId : undefined;
  }

  /** From here on chunks that no recipe names may go, after the references were lost. */
  async releaseOrphans(grant: ConfirmedOrphans): Promise<void> {
    assert(grant.doubtId === this.orphanDoubtId, 'a grant for another doubt');
    await this.volume.ledger.add({ type: 'ORPHANS_GRANTED' });
  }

  /** Reads everything that the containers hold and checks it. */
  verify(): AsyncIterable<ContainerVerdict> {
    return verifyContainers(this.volume);
  }

  /** Nobody may use it any more. */
  async close(): Promise<void> {
    await this.volume.lookOver.close();
    await this.volume.places.settled();
    for (const one of this.opened) await one.close();
  }

  private async doubt(): Promise<string | undefined> {
    return this.doubts.isNone ? undefined : this.alone(() => this.doubts.first());
  }

  /** What a crash or a failure left; nothing was ever read from it. */
  private async dropUnclosed(): Promise<void> {
    const { files, writing } = this.volume;
    for await (const id of files.unclosed()) if (!writing.has(id)) await files.dropUnclosed(id);
  }

  private async empty(tombstoneId: string): Promise<void> {
    const { recipes, ledger } = this.volume;
    for await (const { fragmentId } of recipes.trash(tombstoneId)) {
      const reference = ledger.state.get(fragmentId);
      if (reference) await giveUp(this.volume, reference, tombstoneId);
    }
    await recipes.emptyTrash(tombstoneId);
  }

  /** What comes out of the trash, either way, comes one at a time. */
  private alone<T>(work: () => Promise<T>): Promise<T> {
    const result = this.turn.then(work);
    this.turn = result.catch(() => undefined);
    return result;
  }
}
