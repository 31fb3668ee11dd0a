import { z } from 'zod';
import { message } from './contract.js';
import { publicEvent } from './event.js';
import { imageId, mediaName, poolName } from './names.js';

const digest = z.string().regex(/^[0-9a-f]{64}$/, 'a BLAKE3 digest is 64 hex digits');

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

export const fragmentReceiptMessage = message('hf.int.v1.frag.receipt', ['media', 'fragment'], {
  description: 'The catalog tells a media server its verdict on a fragment',
  schema: fragmentReceipt,
});

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

export const fragmentCommitted = publicEvent('fragment', 'committed', {
  description: 'A fragment is in the catalog',
  data: fragmentCommit,
});
