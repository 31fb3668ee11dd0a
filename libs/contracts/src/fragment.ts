import { z } from 'zod';
import { uuidOf } from '#kernel/ids.js';
import { endpoint, message } from './contract.js';
import { publicEvent } from './event.js';
import { imageId, mediaName, poolName } from './names.js';

const digest = z.string().regex(/^[0-9a-f]{64}$/, 'a BLAKE3 digest is 64 hex digits');

/** A file index (bytes, compressed) of up to this size may come with the commit, and need not be fetched. */
export const INDEX_SENT_BYTES_MAX = 4_096;

/** What a media server says of a fragment that is sealed: its bytes are safe on its medium. */
export const fragmentCommit = z.object({
  fragmentId: z.uuid(),
  imageId,
  copy: z.int().min(1).max(10),
  number: z.int().min(1),
  /** The fence: the attempt of (image, copy) under which it was written. */
  attempt: z.int().min(1),
  mediaId: mediaName,
  pool: poolName,
  archiveOffset: z.int().nonnegative(),
  archiveBytes: z.int().nonnegative(),
  storedBytes: z.int().nonnegative(),
  digest,
  indexBytes: z.int().nonnegative(),
  indexDigest: digest,
  frames: z.int().nonnegative(),
  last: z.boolean(),
  sealedAt: z.iso.datetime(),
  /** The index object itself, where it is small and the commit travels alone. */
  index: z
    .base64()
    .max(Math.ceil(INDEX_SENT_BYTES_MAX / 3) * 4)
    .optional(),
});
export type FragmentCommit = z.infer<typeof fragmentCommit>;

/**
 * COMMITTED: in the catalog. SUPERSEDED: another fragment holds its number. FENCED: an older
 * attempt. CORRUPT: same id, other digest. UNKNOWN_IMAGE: try again later. Whatever the verdict,
 * the bytes stay until a tombstone is granted.
 */
export const verdict = z.enum(['COMMITTED', 'SUPERSEDED', 'FENCED', 'CORRUPT', 'UNKNOWN_IMAGE']);
export type Verdict = z.infer<typeof verdict>;

export const fragmentReceipt = z.object({
  fragmentId: z.uuid(),
  mediaId: mediaName,
  verdict,
  /** Changes when the database went back in time or failed over. */
  catalogEpoch: z.string(),
});
export type FragmentReceipt = z.infer<typeof fragmentReceipt>;

export const fragmentCommitMessage = message('hf.int.v1.frag.commit', ['media', 'fragment'], {
  description: 'A media server offers a sealed fragment to the catalog',
  schema: fragmentCommit,
});

/** Commits that one message carries at most: the longest of them fit into what the stream takes. */
export const COMMITS_PER_MESSAGE_MAX = 64;

/**
 * What is offered together travels together: the broker writes and syncs each message by itself,
 * which is most of what a commit costs it. The id is made of the fragments' ids, so that the stream
 * holds the same bundle once, as it does a single commit.
 */
export const fragmentCommitsMessage = message('hf.int.v1.frag.commit', ['media', 'bundle'], {
  description: 'A media server offers several sealed fragments to the catalog',
  schema: z.object({ commits: z.array(fragmentCommit).min(2).max(COMMITS_PER_MESSAGE_MAX) }),
});

export const fragmentReceiptMessage = message('hf.int.v1.frag.receipt', ['media', 'fragment'], {
  description: 'The catalog tells a media server its verdict on a fragment',
  schema: fragmentReceipt,
});

/** Receipts that one message carries at most. */
export const RECEIPTS_PER_MESSAGE_MAX = 256;

/** The receipts of one transaction for one media server; what they share stands in it once. */
export const fragmentReceiptsMessage = message('hf.int.v1.frag.receipt', ['media', 'bundle'], {
  description: 'The catalog tells a media server its verdicts on several fragments',
  schema: fragmentReceipt.pick({ mediaId: true, catalogEpoch: true }).extend({
    verdicts: z
      .array(fragmentReceipt.pick({ fragmentId: true, verdict: true }))
      .min(2)
      .max(RECEIPTS_PER_MESSAGE_MAX),
  }),
});

/** Of one fragment its own id; of several one that is always the same for them. */
export function bundleId(fragmentIds: readonly string[]): string {
  return fragmentIds.length === 1 ? fragmentIds[0]! : uuidOf(fragmentIds.join());
}

/** The commits of a message of either kind, as they came. */
export function commitsOf(payload: unknown): readonly unknown[] {
  const commits = (payload as { commits?: unknown } | null | undefined)?.commits;
  return Array.isArray(commits) ? commits : [payload];
}

/** The receipts of a message of either kind; none where it is neither. */
export function receiptsOf(payload: unknown): FragmentReceipt[] {
  const bundle = fragmentReceiptsMessage.schema.safeParse(payload);
  if (bundle.success) {
    const { mediaId, catalogEpoch, verdicts } = bundle.data;
    return verdicts.map(({ fragmentId, verdict: said }) => ({
      ...{ fragmentId, mediaId, catalogEpoch },
      verdict: said,
    }));
  }
  const receipt = fragmentReceipt.safeParse(payload);
  return receipt.success ? [receipt.data] : [];
}

/**
 * The catalog's irrevocable permission to remove the bytes of this very fragment. It is worth nothing
 * by itself: the media server checks it against its journal and asks the catalog once more.
 */
export const tombstone = z.object({
  tombstoneId: z.uuid(),
  fragmentId: z.uuid(),
  imageId,
  copy: z.int().min(1).max(10),
  number: z.int().min(1),
  mediaId: mediaName,
  digest,
  storedBytes: z.int().nonnegative(),
  reason: z.string(),
  catalogEpoch: z.string(),
  grantedAt: z.iso.datetime(),
});
export type Tombstone = z.infer<typeof tombstone>;

export const fragmentDeleteMessage = message('hf.int.v1.frag.delete', ['media', 'fragment'], {
  description: 'The catalog grants a media server the deletion of a fragment',
  schema: tombstone,
});

export const fragmentDeleted = publicEvent('fragment', 'deleted', {
  description: 'The bytes of a fragment are gone, as the catalog had granted',
  data: tombstone,
});

export const fragmentDamaged = publicEvent('fragment', 'damaged', {
  description: 'The bytes of a fragment are missing or not what was committed',
  data: z.object({
    fragmentId: z.uuid(),
    imageId,
    copy: z.int(),
    number: z.int(),
    mediaId: mediaName,
    reason: z.string(),
  }),
});

/**
 * Fragments of one copy that came into the catalog in one transaction; each is told of once. What
 * else the catalog knows of them it says when it is asked.
 */
export const fragmentCommitted = publicEvent('fragment', 'committed', {
  description: 'Fragments of an image are in the catalog',
  id: 'image',
  data: z.object({
    imageId,
    copy: z.int(),
    fragments: z
      .array(
        fragmentCommit.pick({
          ...{ fragmentId: true, number: true, mediaId: true, pool: true },
          ...{ archiveBytes: true, storedBytes: true, digest: true, last: true },
        }),
      )
      .min(1),
  }),
});

export const catalogFragmentStatus = endpoint('catalog', 'fragment-status', {
  description: 'The verdict on fragments, without the broker in between',
  request: z.object({ mediaId: mediaName, fragmentIds: z.array(z.uuid()).min(1).max(1_000) }),
  response: z.object({
    receipts: z.array(fragmentReceipt),
    /** Nothing of these has reached the catalog: offer them again. */
    unknown: z.array(z.uuid()),
  }),
});

export const catalogFragmentOffer = endpoint('catalog', 'fragment-offer', {
  description:
    'Judges and commits sealed fragments at once, where the broker does not deliver them',
  request: z.object({ mediaId: mediaName, commits: z.array(fragmentCommit).min(1).max(256) }),
  response: z.object({ receipts: z.array(fragmentReceipt) }),
});
