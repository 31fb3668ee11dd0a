import { z } from 'zod';
import { messageOf } from '#kernel/errors.js';
import { ProtocolError } from './errors.js';
import { IDS_PER_ASK_MAX } from './chunk-messages.js';
import { messageName, payloadOf, type Message } from './message.js';

const count = z.int().nonnegative();

/** Of what is said on the data port. Both ends have to speak the same. */
export const PORT_VERSION = 2;

/** 32 bytes. */
const hex = z.string().regex(/^[0-9a-f]{64}$/, 'is 64 hexadecimal digits');
/** Chance that nobody has used before: what `randomToken` makes. */
const nonce = z.string().length(43);

export const hello = z.object({
  version: z.literal(PORT_VERSION, `this end speaks version ${PORT_VERSION} of the data port`),
  session: hex,
  nonce,
  role: z.enum(['write', 'read']),
});
export type Hello = z.infer<typeof hello>;

export const serverProof = z.object({ nonce, proof: hex });
export const clientProof = z.object({ proof: hex });

/**
 * What a writer may do: how large a stored fragment may get (see `fragmentBytesMaxAt`), and where it begins. With `chunks` it
 * names what the archive is made of instead of sending frames, see `chunk-messages.ts`.
 */
export const writeReady = z.object({
  fragmentBytesMax: z.int().positive(),
  nextFragment: z.int().positive(),
  archiveOffset: count,
  chunks: z
    .object({
      idsPerAskMax: z.int().positive().max(IDS_PER_ASK_MAX),
      /** Archive bytes of each frame of a fragment's data but the last one. */
      frameBytes: z.int().positive(),
    })
    .optional(),
});
export type WriteReady = z.infer<typeof writeReady>;

export const seal = z.object({
  number: z.int().positive(),
  archiveOffset: count,
  archiveBytes: count,
  frames: count,
  last: z.boolean(),
  /** BLAKE3 of the fragment's data, for one that is made of chunks. */
  dataDigest: hex.optional(),
});
export type Seal = z.infer<typeof seal>;

export const sealed = z.object({ number: z.int().positive(), fragmentId: z.uuid() });
export type Sealed = z.infer<typeof sealed>;

export const finish = z.object({
  fragments: z.int().positive(),
  files: count,
  bytes: count,
  kind: z.string().max(32),
});
export type Finish = z.infer<typeof finish>;

export const readRequest = z.object({
  fragmentId: z.uuid(),
  /**
   * A manifest is given whole, whatever the range. Of a recipe the range is one of what its chunks come to, and
   * those come as RECIPE that it is made of; there are none where the data are not made of chunks.
   */
  object: z.enum(['data', 'index', 'manifest', 'recipe']),
  offset: count,
  length: count,
});
export type ReadRequest = z.infer<typeof readRequest>;

/** The end of one READ. With `failure` the range could not be read, and what came of it is void. */
export const readEnd = z.object({
  /** Bytes of DATA; of what came as names, or in CHUNKS, the number of chunks. */
  size: count,
  /** Where a recipe was asked for and there is one. */
  recipe: z
    .object({
      domain: z.string().max(256),
      /** Archive bytes of each raw frame but the last one; missing: the chunks are the data. */
      frameBytes: z.int().positive().optional(),
      /** Where the first chunk that came begins. */
      offset: count,
    })
    .optional(),
  failure: z.object({ status: z.int(), message: z.string().max(4_000) }).optional(),
});
export type ReadEnd = z.infer<typeof readEnd>;

export const failure = z.object({ status: z.int(), message: z.string().max(4_000) });

/** Reads a JSON payload. Throws `ProtocolError` naming the message and the field. */
export function parsePayload<T extends z.ZodType>(message: Message, schema: T): z.output<T> {
  let value: unknown;
  try {
    value = JSON.parse(payloadOf(message).toString('utf8'));
  } catch (error) {
    throw new ProtocolError(`A ${messageName(message.type)} is not JSON: ${messageOf(error)}`);
  }
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  const where = issue?.path.join('.') ?? '';
  throw new ProtocolError(
    `A ${messageName(message.type)} is wrong at "${where}": ${issue?.message}`,
  );
}

export function jsonPayload(value: unknown): Buffer {
  return Buffer.from(JSON.stringify(value), 'utf8');
}
