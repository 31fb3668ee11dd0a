import { z } from 'zod';
import { endpoint } from '../contract.js';
import { imageId, mediaName, pageLimit, holdName, timestamp } from '../names.js';

/** What becomes of one copy, with every reason for or against. */
export const expiryDecision = z.object({
  imageId,
  copy: z.int(),
  decision: z.enum(['delete', 'keep']),
  reasons: z.array(z.string()),
  fragments: z.int(),
  storedBytes: z.int(),
});
export type ExpiryDecision = z.infer<typeof expiryDecision>;

/** Where a page of images whose time is over ended: when the last one expired, and which it was. */
export const expiredCursor = z
  .string()
  .regex(/^\d{4}-\d\d-\d\dT[\d:.]+Z \S+$/, 'pass on `next` as it was given');

export const imageExpire = endpoint('catalog', 'image-expire', {
  description: 'Marks copies for deletion, or with dryRun says what would become of them and why',
  request: z.object({
    /** One image; else all whose time is over. */
    imageId: imageId.optional(),
    /** This copy alone, if the image keeps another good one. Its expiration stays as it is. */
    copy: z.int().min(1).max(10).optional(),
    /**
     * The image itself expires now, whatever its retention was, unless all of it is kept; with `copy`, no more than that copy.
     * Needs imageId.
     */
    now: z.boolean().default(false),
    dryRun: z.boolean().default(false),
    /** The `next` of the page before. */
    after: expiredCursor.optional(),
    /** Images of a page, where none is named. */
    limit: pageLimit,
  }),
  response: z.object({
    decisions: z.array(expiryDecision),
    /** Where the next page begins; null on the last one, and where an image was named. */
    next: expiredCursor.nullable().default(null),
    /** When the grace period of what was marked ends. */
    deletableAt: timestamp.nullable(),
  }),
});

export const imageUndelete = endpoint('catalog', 'image-undelete', {
  description: 'Takes copies back that are marked for deletion and still within their grace period',
  request: z.object({ imageId, copy: z.int().min(1).max(10).optional() }),
  response: z.object({ fragments: z.int(), expiresAt: timestamp.nullable() }),
});

export const imageHold = endpoint('catalog', 'image-hold', {
  description:
    'Puts a named hold on an image, or lifts it: nothing of it is deleted while there is one',
  request: z.object({
    imageId,
    hold: holdName.describe('its name'),
    reason: z.string().max(1_000).default(''),
    release: z.boolean().default(false),
  }),
  response: z.object({ holds: z.array(z.string()) }),
});

export const deleteClaim = endpoint('catalog', 'delete-claim', {
  description:
    'A media server asks once more whether the deletion of this very fragment is granted',
  request: z.object({ mediaId: mediaName, tombstoneId: z.uuid(), fragmentId: z.uuid() }),
  response: z.object({ confirmed: z.boolean(), reason: z.string() }),
});

export const deleteReport = endpoint('catalog', 'delete-report', {
  description: 'A media server says that the bytes of fragments are gone by their tombstones',
  request: z.object({
    mediaId: mediaName,
    removals: z
      .array(z.object({ tombstoneId: z.uuid(), fragmentId: z.uuid() }))
      .min(1)
      .max(256),
  }),
  response: z.object({
    /** Fragments of which this catalog granted no such deletion: it went back in time since. */
    refused: z.array(z.uuid()).default([]),
  }),
});
