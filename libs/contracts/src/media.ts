import { z } from 'zod';
import { endpoint } from './contract.js';
import { dataAddress, dataToken, imageId, poolName } from './names.js';

/** Fragments of one page; a page has to fit into one message. */
export const INVENTORY_PAGE_MAX = 500;
const inventoryPage = z.int().min(1).max(INVENTORY_PAGE_MAX).default(INVENTORY_PAGE_MAX);
const fragmentIds = z.array(z.uuid()).min(1).max(256);

export const mediaOpenRead = endpoint('media', 'open-read', {
  description: 'Gives a one-time token to read an image on the data port (for the catalog)',
  perInstance: true,
  request: z.object({ imageId }),
  response: z.object({ address: dataAddress, token: dataToken }),
});

export const mediaFragments = endpoint('media', 'fragments', {
  description: 'How many fragments the journal knows, by state',
  perInstance: true,
  request: z.object({}),
  response: z.object({ states: z.record(z.string(), z.int()) }),
});

export const mediaDrain = endpoint('media', 'drain', {
  description:
    'Ends what writes a copy here and brings what is sealed of it to the catalog, before a new attempt',
  perInstance: true,
  request: z.object({ imageId, copy: z.int().min(1).max(10) }),
  response: z.object({
    /** Sealed fragments of the copy that have no verdict yet. 0: drained. */
    open: z.int().nonnegative(),
  }),
});

/**
 * What the medium shows of a fragment. `whole`: its files are there with the sizes (or the digest,
 * if that was asked for) of its manifest. `trash`: moved aside by a tombstone.
 */
export const bytesState = z.enum(['whole', 'missing', 'damaged', 'partial', 'trash']);
export type BytesState = z.infer<typeof bytesState>;

export const inventoryEntry = z.object({
  fragmentId: z.uuid(),
  imageId,
  copy: z.int(),
  number: z.int(),
  pool: poolName,
  /** `none`: bytes that no journal record speaks of: an orphan. */
  journal: z.enum([
    'none',
    'INTENT',
    'SEALED',
    'COMMITTED',
    'SUPERSEDED',
    'FENCED',
    'CORRUPT',
    'CONDEMNED',
    'REMOVED',
  ]),
  bytes: bytesState,
  /** Of the journal or, without one, of the manifest; null where there is neither. */
  digest: z.string().nullable(),
  storedBytes: z.int().nullable(),
  /** Of the verdict. */
  catalogEpoch: z.string().nullable(),
  tombstoneId: z.string().nullable(),
  reason: z.string(),
});
export type InventoryEntry = z.infer<typeof inventoryEntry>;

/** Volumes of which it is in doubt whether a fragment was lost; each opening of one has a doubt of its own. */
const orphanDoubts = z.array(z.object({ volumeId: z.uuid(), doubtId: z.uuid() }));
export type OrphanDoubt = z.infer<typeof orphanDoubts>[number];

/** Ids of the volumes that are there and could be looked over whole: what was on another one is away, not missing. */
const volumesThere = z.array(z.uuid());

/** Where a volume is. */
const volumePlace = z.object({ volumeId: z.uuid(), pool: poolName, path: z.string() });
export type VolumePlace = z.infer<typeof volumePlace>;

export const mediaInventory = endpoint('media', 'inventory', {
  description: 'What journals and volumes hold, by fragment id; for reconciliation',
  perInstance: true,
  request: z.object({ after: z.uuid().optional(), limit: inventoryPage }),
  response: z.object({
    entries: z.array(inventoryEntry),
    next: z.uuid().nullable(),
    volumes: volumesThere,
    /** Of these, and of others that it has; missing in answers of earlier releases. */
    places: z.array(volumePlace).optional(),
    /** Those that keep chunks which no fragment names, until the catalog has said that it misses none. */
    orphans: orphanDoubts.optional(),
  }),
});

/** Manifests may hold long lists of selections: few to a page. */
export const MANIFESTS_PAGE_MAX = 20;

export const mediaManifests = endpoint('media', 'manifests', {
  description:
    'Manifests of the fragments whose bytes are here, by fragment id; to rebuild a catalog',
  perInstance: true,
  request: z.object({
    after: z.uuid().optional(),
    limit: z.int().min(1).max(MANIFESTS_PAGE_MAX).default(MANIFESTS_PAGE_MAX),
  }),
  response: z.object({
    /** Each as docs/formats.md has it; whoever reads them checks them. */
    manifests: z.array(z.object({ pool: poolName, manifest: z.record(z.string(), z.unknown()) })),
    next: z.uuid().nullable(),
  }),
});

export const mediaOfferAgain = endpoint('media', 'offer-again', {
  description: 'Offers fragments to the catalog once more, whatever verdict the journal has',
  perInstance: true,
  request: z.object({ fragmentIds }),
  response: z.object({ offered: z.int().nonnegative() }),
});

export const mediaAdopt = endpoint('media', 'adopt', {
  description: 'Takes whole fragments without a journal record into the journal and offers them',
  perInstance: true,
  request: z.object({ fragmentIds }),
  response: z.object({ adopted: z.int().nonnegative() }),
});

export const mediaTakeBack = endpoint('media', 'take-back', {
  description:
    'Brings fragments back from the trash that the catalog shows ACTIVE again, and offers them',
  perInstance: true,
  request: z.object({ fragmentIds }),
  response: z.object({ takenBack: z.int().nonnegative() }),
});

/** So soon a media server says that it is still reading a fragment that it is to verify. */
export const VERIFY_ANSWER_MS = 20_000;

/**
 * How long whoever has a fragment verified asks for it: others may be read in front of it, and a slow disk, or one
 * that much is asked of, gives 20 MB in a second.
 */
export function fragmentVerifyMsMax(storedBytes: number): number {
  return 15 * 60_000 + storedBytes / 20_000;
}

export const mediaVerifyFragment = endpoint('media', 'verify-fragment', {
  description:
    'Reads one fragment whole and compares it with its digest; of a large one it says after 20 s that it is at it',
  perInstance: true,
  request: z.object({ fragmentId: z.uuid() }),
  response: z.object({
    /** Null: it is still being read. Asking again goes on with that. */
    bytes: bytesState.nullable(),
    reason: z.string(),
    volumes: volumesThere,
  }),
});

export const mediaCollect = endpoint('media', 'collect', {
  description:
    'Removes from deduplicating volumes what no fragment needs any more; up to minutes for a large one',
  perInstance: true,
  request: z.object({}),
  response: z.object({
    volumes: z.array(
      z.object({
        pool: poolName,
        volumeId: z.uuid(),
        /** Containers that went, and those that took what lived in them. */
        gone: z.int().nonnegative(),
        made: z.int().nonnegative(),
        freedBytes: z.int(),
        /** Containers that cannot be read and so stay. */
        damaged: z.array(z.string()),
        /** Why not all was collected that could be. */
        problem: z.string().nullable(),
      }),
    ),
  }),
});

export const mediaReleaseOrphans = endpoint('media', 'release-orphans', {
  description:
    'Takes the word of the catalog that it misses no fragment of these volumes, as it compared them: ' +
    'chunks that none names may go',
  perInstance: true,
  request: z.object({ doubts: orphanDoubts }),
  response: z.object({ released: z.int().nonnegative() }),
});
