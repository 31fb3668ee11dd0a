import { z } from 'zod';

const id = z.string().min(1).max(64);

/** What the ledger of references holds: which recipes their chunks are kept for. */
export const referenceRecord = z.discriminatedUnion('type', [
  /** The ledger is complete: begun with an empty volume, or made anew of all that lay there. */
  z.object({ type: z.literal('BEGUN') }),
  /**
   * Before a recipe appears; from here on its chunks count, whatever was before. Without image and copy:
   * found in the trash.
   */
  z.object({
    type: z.literal('HELD'),
    fragmentId: id,
    number: z.int().positive(),
    imageId: z.string().max(200).optional(),
    copy: z.int().positive().optional(),
  }),
  /** Its names are durable. */
  z.object({ type: z.literal('SHOWN'), fragmentId: id }),
  /** The trash that it lies in is being emptied: its chunks do not count any more. */
  z.object({ type: z.literal('RELEASED'), fragmentId: id, tombstoneId: id }),
  /** The counts have sunk. */
  z.object({ type: z.literal('LOWERED'), fragmentId: id }),
  /** The ledger was lost: chunks that no recipe names may be some lost recipe's. */
  z.object({ type: z.literal('ORPHANS_KEPT') }),
  /** The catalog knows every recipe of the volume. */
  z.object({ type: z.literal('ORPHANS_GRANTED') }),
]);

export type ReferenceRecord = z.infer<typeof referenceRecord>;
