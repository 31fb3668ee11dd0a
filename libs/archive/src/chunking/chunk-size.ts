import { DIGEST_BYTES } from '#kernel/blake3.js';

/** Archive bytes of one chunk, and of all in one frame. */
export const CHUNK_BYTES_MAX = 4 * 1024 * 1024;
/** A chunk's id is the BLAKE3-256 of its bytes. */
export const CHUNK_ID_BYTES = DIGEST_BYTES;
