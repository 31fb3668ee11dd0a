import type { DirectoryFragmentStore } from '../directory/directory-fragment-store.js';
import { ContainerDamaged, FragmentDamaged, FragmentUnreadable } from '../errors.js';
import type { FragmentName } from '../fragment-name.js';
import type { ChunkPlaces } from './chunk-places.js';
import type { ContainerFiles } from './containers/container-files.js';
import { ContainerReader } from './containers/container-reader.js';
import { IndexDamaged, type ChunkIndex } from './index/chunk-index.js';
import type { IndexHome } from './index/index-home.js';
import type { RecipeFiles } from './recipe-files.js';
import type { ReferenceRecord } from './references/reference-record.js';
import type { ReferenceLedger } from './references/reference-ledger.js';
import type { Reference } from './references/reference-state.js';
import type { References } from './references/references.js';

/** Recipes that a ledger takes in with one sync when it is made anew. */
const HELD_AT_ONCE = 1_000;

export interface OpenIndex {
  readonly index: ChunkIndex;
  readonly containers: readonly string[];
  /** Containers whose table cannot be read: nothing is known to be in them. */
  readonly damaged: readonly string[];
}

/**
 * Opens a volume's index and brings it up to the containers that are there. One that is damaged, that has a
 * container which is not there (then it has lost a change, or the volume a file), or counts for a holder
 * that is none any more, is put aside and made anew of all containers' tables. Throws `IndexDamaged` where
 * it turns out only then that it is: it is made anew the next time.
 */
export async function openIndex(
  home: IndexHome,
  files: ContainerFiles,
  isHolder: (fragmentId: string) => boolean,
): Promise<OpenIndex> {
  const there = new Set<string>();
  for await (const id of files.closed()) there.add(id);
  let index = await openOrPutAside(home);
  try {
    let known = await knownTo(index, isHolder);
    if (!known || [...known].some((id) => !there.has(id))) {
      await index.close();
      await home.putAside();
      index = await home.open();
      known = new Set();
    }
    const damaged: string[] = [];
    for (const id of there) {
      if (!known.has(id) && !(await addTo(index, { files, id }))) damaged.push(id);
    }
    const containers = [...there].filter((id) => !damaged.includes(id));
    return { index, containers, damaged };
  } catch (error) {
    await index.close();
    throw error;
  }
}

async function openOrPutAside(home: IndexHome): Promise<ChunkIndex> {
  try {
    return await home.open();
  } catch (error) {
    if (!(error instanceof IndexDamaged)) throw error;
    await home.putAside();
    return await home.open();
  }
}

/** The containers that it has; undefined for one that has to be made anew. */
async function knownTo(
  index: ChunkIndex,
  isHolder: (fragmentId: string) => boolean,
): Promise<Set<string> | undefined> {
  const known = new Set<string>();
  try {
    for await (const holder of index.holders()) if (!isHolder(holder)) return undefined;
    for await (const id of index.containers()) known.add(id);
    // Whatever is damaged of the counts would stop somebody later on.
    for (const id of known) await index.counts(id);
    return known;
  } catch (error) {
    if (!(error instanceof IndexDamaged)) throw error;
    return undefined;
  }
}

async function addTo(
  index: ChunkIndex,
  of: { files: ContainerFiles; id: string },
): Promise<boolean> {
  try {
    const reader = await ContainerReader.open(of.files, of.id);
    if (!reader) return false;
    await reader.close();
    const ids = reader.table.ids();
    await index.add({ id: reader.id, domain: reader.domain, ids });
    return true;
  } catch (error) {
    if (!(error instanceof ContainerDamaged)) throw error;
    return false;
  }
}

/**
 * Makes a ledger that is new, or that was lost, complete: it holds every recipe that lies on the
 * volume. If any does, or any container, then a recipe may have been lost with the ledger, and what
 * nobody names is kept until the catalog has said that it knows them all.
 */
export async function completeLedger(
  ledger: ReferenceLedger,
  volume: { recipeFiles: RecipeFiles; isEmpty: boolean },
): Promise<void> {
  if (ledger.state.begun) return;
  if (!volume.isEmpty) await ledger.add({ type: 'ORPHANS_KEPT' });
  let held: ReferenceRecord[] = [];
  const write = async () => {
    if (held.length > 0 && !ledger.state.orphansKept) held.unshift({ type: 'ORPHANS_KEPT' });
    await ledger.add(...held);
    held = [];
  };
  for await (const found of volume.recipeFiles.all()) {
    held.push({ type: 'HELD', ...found });
    if (held.length === HELD_AT_ONCE) await write();
  }
  await write();
  await ledger.add({ type: 'BEGUN' });
}

/** What the parts of a volume are for making up. */
export interface Behind {
  readonly ledger: ReferenceLedger;
  readonly places: ChunkPlaces;
  readonly references: References;
  readonly recipes: DirectoryFragmentStore;
  readonly recipeFiles: RecipeFiles;
}

/**
 * Makes up for what a crash, or the loss of the index, has left undone. Gives the fragments whose
 * chunks are not counted since their recipe cannot be read, or names chunks that are not there.
 */
export async function catchUp(behind: Behind): Promise<string[]> {
  const uncounted: string[] = [];
  for (const reference of behind.ledger.state.all()) {
    if (!(await settle(behind, reference))) uncounted.push(reference.fragmentId);
  }
  return uncounted;
}

/** False where its chunks are to count, and do not. Not while anything comes out of the trash. */
export async function settle(behind: Behind, reference: Reference): Promise<boolean> {
  const { fragmentId, tombstoneId } = reference;
  const isCounted = await behind.places.isHolder(fragmentId);
  if (tombstoneId === undefined) return settleHeld(behind, reference, isCounted);
  const path = await behind.recipeFiles.find(reference);
  if (path !== undefined && path !== behind.recipeFiles.trashedPath(reference, tombstoneId)) {
    // Its release may have failed as it was written, and then it was taken back: what lives counts.
    const { number, imageId, copy } = reference;
    await behind.ledger.add({ type: 'HELD', fragmentId, number, imageId, copy });
    return settleHeld(behind, reference, isCounted);
  }
  const isReleased = path === undefined || !isCounted;
  // What cannot be read counts too much, which loses nothing: whoever empties the trash hears of it.
  if (!isReleased && (await change(behind, reference, 'released')) === undefined) return true;
  await finishEmptying(behind, { fragmentId, tombstoneId });
  return true;
}

async function settleHeld(
  behind: Behind,
  reference: Reference,
  isCounted: boolean,
): Promise<boolean> {
  const missing = isCounted ? 0 : await change(behind, reference, 'held');
  if (!reference.shown && missing === 0) await finishSeal(behind, reference);
  return missing === 0;
}

/**
 * How many of its chunks are not there; undefined, and nothing has changed, if it cannot be read. It is
 * counted wholly or not at all: a container that is away may come back, and then its chunks count too.
 */
async function change(
  { places, references, recipeFiles }: Behind,
  reference: Reference,
  to: 'held' | 'released',
): Promise<number | undefined> {
  const map = places.hold();
  try {
    return await recipeFiles.read(reference, async (recipe) => {
      const missing = await references.hold(recipe, map);
      const isWhole = to === 'released' || missing === 0;
      if (isWhole) await places.change(reference.fragmentId, to, map);
      return missing;
    });
  } catch (error) {
    if (error instanceof FragmentDamaged || error instanceof FragmentUnreadable) return undefined;
    throw error;
  } finally {
    places.letGo(map);
  }
}

/** What is left of emptying a trash once its fragment's chunks do not count any more. */
export async function finishEmptying(
  { recipes, ledger }: Pick<Behind, 'recipes' | 'ledger'>,
  released: { fragmentId: string; tombstoneId: string },
): Promise<void> {
  await recipes.emptyTrash(released.tombstoneId);
  await ledger.add({ type: 'LOWERED', fragmentId: released.fragmentId });
}

/** All of it was durable before it was held, so it can appear now. */
async function finishSeal(
  { recipes, recipeFiles, ledger }: Behind,
  reference: Reference,
): Promise<void> {
  const { fragmentId, number, imageId, copy } = reference;
  if (imageId !== undefined && copy !== undefined) {
    const name: FragmentName = { fragmentId, number, imageId, copy };
    if (await recipeFiles.isBeforeItsManifest(name)) await recipes.appear(name);
    await recipes.settle(name);
  }
  await ledger.add({ type: 'SHOWN', fragmentId });
}
