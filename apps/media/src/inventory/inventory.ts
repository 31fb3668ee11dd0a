import type { Manifest } from '#archive/manifest.js';
import type { BytesState, InventoryEntry } from '#contracts/media.js';
import { messageOf } from '#kernel/errors.js';
import { Turns } from '#service/turns.js';
import { hostError } from '#storage/errors.js';
import type { StoredFragment } from '#storage/fragment-store.js';
import type { FragmentState } from '../domain/journal-state.js';
import type { Holding, Holdings } from './holdings.js';

/** A page of manifests ends behind so many bytes of JSON: it has to fit into a message. */
const MANIFESTS_BYTES_MAX = 512 * 1024;

/** Fragments of a volume that are looked at at once: so many threads at most wait for one that begins to hang. */
const LOOKS_MAX = 4;

/** A page, and where the next one begins; null behind the last. */
export interface Page<T> {
  readonly rows: T[];
  readonly next: string | null;
}

/** What journals and volumes hold, by fragment id. Throws `Unavailable` where one of the volumes is away or hangs. */
export async function inventoryPage(
  holdings: Holdings,
  { after, limit }: { readonly after: string; readonly limit: number },
): Promise<Page<InventoryEntry>> {
  const found = await holdings.page(after, limit + 1);
  const turns = new Map<string, Turns>();
  const look = (holding: Holding) => {
    const { volumeId } = holding.volume;
    const known = turns.get(volumeId) ?? new Turns(LOOKS_MAX);
    turns.set(volumeId, known);
    return known.take(() => toEntry(holding));
  };
  const rows = await Promise.all(found.slice(0, limit).map(look));
  return { rows, next: found.length > limit ? rows.at(-1)!.fragmentId : null };
}

/**
 * Manifests of the fragments that lie in their places whole, as they stand in their files. What the
 * journal has as refused, condemned or removed is no part of any image any more, and left out. Throws
 * `Unavailable` where one of the volumes is away or hangs.
 */
export async function manifestsPage(
  holdings: Holdings,
  { after, limit }: { readonly after: string; readonly limit: number },
): Promise<Page<{ pool: string; manifest: Manifest }>> {
  const rows: { pool: string; manifest: Manifest }[] = [];
  let bytes = 0;
  for (let from = after; ;) {
    const found = await holdings.page(from, limit);
    for (const holding of found) {
      const manifest = await manifestOf(holding);
      if (manifest) {
        bytes += Buffer.byteLength(JSON.stringify(manifest));
        if (rows.length > 0 && bytes > MANIFESTS_BYTES_MAX) return { rows, next: from };
        rows.push({ pool: holding.volume.pool, manifest });
      }
      from = holding.fragmentId;
      if (rows.length === limit) return { rows, next: from };
    }
    if (found.length < limit) return { rows, next: null };
  }
}

async function manifestOf({
  volume,
  name,
  state,
  trashedBy,
}: Holding): Promise<Manifest | undefined> {
  const counts =
    state === undefined ||
    state.phase === 'SEALED' ||
    (state.phase === 'JUDGED' && state.verdict === 'COMMITTED');
  if (!counts || trashedBy) return undefined;
  await volume.requireAnswer();
  const found = await volume.store.stat(name);
  if (found?.state === 'damaged' && found.isUnreadable) await volume.requireAnswer();
  return found?.state === 'sealed' ? found.manifest : undefined;
}

async function toEntry(holding: Holding): Promise<InventoryEntry> {
  const { fragmentId, volume, name, state } = holding;
  await volume.requireAnswer();
  const found = await volume.store.stat(name);
  const { bytes, reason } = await bytesOf(holding, found);
  const journalled = state && state.phase !== 'INTENT' ? state.manifest : undefined;
  const manifest = journalled ?? (found?.state === 'sealed' ? found.manifest : undefined);
  return {
    ...{ fragmentId, imageId: name.imageId, copy: name.copy, number: name.number },
    pool: volume.pool,
    journal: journalName(state),
    bytes,
    digest: manifest?.digest ?? null,
    storedBytes: manifest?.storedBytes ?? null,
    catalogEpoch: state?.phase === 'JUDGED' ? state.catalogEpoch : null,
    tombstoneId: tombstoneOf(holding) ?? null,
    reason,
  };
}

interface Shown {
  readonly bytes: BytesState;
  readonly reason: string;
  /** The medium could not be read, which may be another thing than damage. */
  readonly unreadable?: boolean;
}

/** What the medium shows, by names and sizes alone. Throws `Unavailable` where it is away as a whole. */
export async function bytesOf(holding: Holding, found: StoredFragment | undefined): Promise<Shown> {
  const { state, volume } = holding;
  switch (found?.state) {
    case undefined: {
      const trashed = await inTrash(holding);
      if (trashed) return trashed;
      await volume.requireAnswer();
      return { bytes: 'missing', reason: '' };
    }
    case 'damaged':
      if (found.isUnreadable) return unreadable(holding, found.reason);
      return { bytes: 'damaged', reason: found.reason };
    case 'partial': {
      // A removal that was cut, and the journal was lost: its manifest is in the trash.
      const trashed = state ? undefined : await inTrash(holding);
      if (trashed) return trashed;
      if (state === undefined || state.phase === 'INTENT') return { bytes: 'partial', reason: '' };
      return { bytes: 'damaged', reason: 'its manifest is missing' };
    }
    case 'sealed':
      if (!state || state.phase === 'INTENT') return { bytes: 'whole', reason: '' };
      return state.manifest.digest === found.manifest.digest
        ? { bytes: 'whole', reason: '' }
        : { bytes: 'damaged', reason: 'its manifest has another digest than the journal' };
    default:
      return found satisfies never;
  }
}

/** Undefined where it is not in the trash. */
async function inTrash(holding: Holding): Promise<Shown | undefined> {
  const tombstoneId = tombstoneOf(holding);
  if (tombstoneId === undefined) return undefined;
  const { volume } = holding;
  try {
    for await (const { fragmentId } of volume.store.trash(tombstoneId)) {
      if (fragmentId === holding.fragmentId) return { bytes: 'trash', reason: '' };
    }
    return undefined;
  } catch (error) {
    const short = hostError(volume.path, error);
    if (short) throw short;
    return unreadable(holding, `its trash cannot be read: ${messageOf(error)}`);
  }
}

/** A medium that is away as a whole may show itself so, which says nothing of the fragment. */
async function unreadable({ volume }: Holding, reason: string): Promise<Shown> {
  await volume.requireAnswer();
  return { bytes: 'damaged', reason, unreadable: true };
}

function tombstoneOf({ state, trashedBy }: Holding): string | undefined {
  if (state?.phase === 'CONDEMNED' || state?.phase === 'REMOVED') return state.tombstoneId;
  return trashedBy;
}

function journalName(state: FragmentState | undefined): InventoryEntry['journal'] {
  if (!state) return 'none';
  return state.phase === 'JUDGED' ? state.verdict : state.phase;
}
