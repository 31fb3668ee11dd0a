import { blake3 } from '#kernel/blake3.js';

/** Chunks that are remembered: of 48 GB of large files, in 10 MB of memory. Behind that the oldest are forgotten. */
export const KNOWN_CUTS_MAX = 65_536;

const ID_BYTES = 32;
/** Id of a chunk; id of the one behind it, and its length (32 bits). */
const RECORD_BYTES = 2 * ID_BYTES + 4;
/** The number is that of the rules by which content is cut. */
const MAGIC = Buffer.from('holdfast cuts 1\n');

export interface KnownChunk {
  /** BLAKE3 (32 bytes), in latin1. */
  readonly id: string;
  /** In bytes. */
  readonly length: number;
}

/** Remembers which chunk followed which, where the second one was cut by what it holds. */
export interface CutMemory {
  /** What followed this chunk the last time. */
  after(id: string): KnownChunk | undefined;
  learn(id: string, next: KnownChunk): void;
}

/** The cuts of earlier backups, and those of this one. */
export class KnownCuts implements CutMemory {
  /** The oldest first. */
  private readonly next = new Map<string, KnownChunk>();
  /** Something was learned that was not known. */
  hasNews = false;

  /** @param bytes what `encode` gave; anything else is taken for nothing, since this is a cache */
  constructor(bytes: Buffer = Buffer.alloc(0)) {
    const end = bytes.length - ID_BYTES;
    if (!bytes.subarray(0, MAGIC.length).equals(MAGIC)) return;
    if (!blake3(bytes.subarray(0, end)).equals(bytes.subarray(end))) return;
    for (let at = MAGIC.length; at + RECORD_BYTES <= end; at += RECORD_BYTES) {
      const idAt = at + ID_BYTES;
      const lengthAt = idAt + ID_BYTES;
      const id = bytes.toString('latin1', idAt, lengthAt);
      const length = bytes.readUInt32LE(lengthAt);
      this.next.set(bytes.toString('latin1', at, idAt), { id, length });
    }
  }

  after(id: string): KnownChunk | undefined {
    return this.next.get(id);
  }

  learn(id: string, next: KnownChunk): void {
    const known = this.next.get(id);
    this.hasNews ||= known?.id !== next.id || known.length !== next.length;
    this.next.delete(id);
    this.next.set(id, next);
    if (this.next.size > KNOWN_CUTS_MAX) this.next.delete(this.next.keys().next().value!);
  }

  /** Takes over what another one knows, as the newest. */
  add(other: KnownCuts): void {
    for (const [id, next] of other.next) this.learn(id, next);
  }

  encode(): Buffer {
    const end = MAGIC.length + this.next.size * RECORD_BYTES;
    const bytes = Buffer.alloc(end + ID_BYTES);
    let at = MAGIC.copy(bytes);
    for (const [before, { id, length }] of this.next) {
      at += bytes.write(before, at, 'latin1');
      at += bytes.write(id, at, 'latin1');
      at = bytes.writeUInt32LE(length, at);
    }
    blake3(bytes.subarray(0, end)).copy(bytes, end);
    return bytes;
  }
}
