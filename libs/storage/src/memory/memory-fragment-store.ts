import { blake3 } from '#kernel/blake3.js';
import type { Manifest } from '#archive/manifest.js';
import { assert } from '#kernel/assert.js';
import type { ConfirmedGrant } from '../confirmed-grant.js';
import { FragmentDamaged, FragmentUnreadable, VolumeFull } from '../errors.js';
import { checkFragmentName, type FragmentName } from '../fragment-name.js';
import {
  READ_BYTES_MAX,
  type FragmentObject,
  type FragmentStore,
  type FragmentWriter,
  type SealedFragmentReader,
  type StoredFragment,
  type TrashedFragment,
} from '../fragment-store.js';
import { assertManifest } from '../manifest-check.js';
import { checkRange } from '../read-range.js';
import { SpaceGate } from '../space-gate.js';

interface Held {
  readonly name: FragmentName;
  readonly data: Buffer[];
  readonly index: Buffer[];
  manifest: Manifest | undefined;
}

/** Fragments in memory, for tests and the simulator. It keeps the same laws, but for power loss. */
export class MemoryFragmentStore implements FragmentStore {
  private readonly held = new Map<string, Held>();
  private readonly trashed = new Map<string, { held: Held; since: Date }>();
  private usedBytes = 0;
  private readonly gate: SpaceGate;

  constructor(options: { capacityBytes?: number; reserveBytes?: number } = {}) {
    const capacity = options.capacityBytes ?? Number.MAX_SAFE_INTEGER;
    const measure = () => Promise.resolve(capacity - this.usedBytes);
    this.gate = new SpaceGate('memory', measure, options.reserveBytes ?? 0);
  }

  async create(name: FragmentName): Promise<FragmentWriter> {
    checkFragmentName(name);
    if (this.held.has(keyOf(name))) throw new Error(`Fragment ${name.fragmentId} is there already`);
    await this.gate.take(0);
    const held: Held = { name, data: [], index: [], manifest: undefined };
    this.held.set(keyOf(name), held);
    const take = async (bytes: number) => {
      await this.gate.take(bytes);
      this.usedBytes += bytes;
    };
    const drop = () => {
      if (!this.held.delete(keyOf(name))) return;
      this.usedBytes -= sum(held.data) + sum(held.index);
    };
    return new MemoryFragmentWriter(held, take, drop);
  }

  async open(name: FragmentName): Promise<SealedFragmentReader> {
    checkFragmentName(name);
    const held = this.held.get(keyOf(name));
    if (!held?.manifest) throw new FragmentUnreadable(name.fragmentId, 'is not there');
    return new MemoryFragmentReader(held.manifest, {
      data: Buffer.concat(held.data),
      index: Buffer.concat(held.index),
    });
  }

  async stat(name: FragmentName): Promise<StoredFragment | undefined> {
    checkFragmentName(name);
    const held = this.held.get(keyOf(name));
    return held && describe(held);
  }

  async settle(name: FragmentName): Promise<void> {
    checkFragmentName(name);
  }

  async *list(known = (_fragmentId: string) => false): AsyncIterable<StoredFragment> {
    for (const key of [...this.held.keys()].sort()) {
      const held = this.held.get(key);
      if (held && !known(held.name.fragmentId)) yield describe(held);
    }
  }

  async remove(grant: ConfirmedGrant, name: FragmentName): Promise<void> {
    checkFragmentName(name);
    assert(grant.fragmentId === name.fragmentId, 'a grant for another fragment');
    const held = this.held.get(keyOf(name));
    if (!held?.manifest) return;
    this.trashed.set(grant.tombstoneId, { held, since: new Date(0) });
    this.held.delete(keyOf(name));
  }

  async *trash(only?: string): AsyncIterable<TrashedFragment> {
    const ids = [...this.trashed.keys()].filter((id) => only === undefined || id === only);
    for (const tombstoneId of ids.sort()) {
      const { held, since } = this.trashed.get(tombstoneId)!;
      const { fragmentId, number } = held.name;
      yield { tombstoneId, fragmentId, number, since, manifest: held.manifest! };
    }
  }

  async takeBack(tombstoneId: string, name: FragmentName): Promise<void> {
    checkFragmentName(name);
    const trashed = this.trashed.get(tombstoneId);
    if (trashed?.held.name.fragmentId !== name.fragmentId) return;
    this.held.set(keyOf(name), trashed.held);
    this.trashed.delete(tombstoneId);
  }

  async emptyTrash(tombstoneId: string): Promise<void> {
    const { held } = this.trashed.get(tombstoneId) ?? {};
    this.trashed.delete(tombstoneId);
    if (held) this.usedBytes -= sum(held.data) + sum(held.index);
  }

  freeBytes(): Promise<number> {
    return this.gate.freeBytes();
  }
}

class MemoryFragmentWriter implements FragmentWriter {
  private closed = false;
  private failure: unknown;

  constructor(
    private readonly held: Held,
    private readonly take: (bytes: number) => Promise<void>,
    private readonly drop: () => void,
  ) {}

  get name(): FragmentName {
    return this.held.name;
  }

  get dataBytes(): number {
    return sum(this.held.data);
  }

  get indexBytes(): number {
    return sum(this.held.index);
  }

  writeData(pieces: readonly Buffer[]): Promise<void> {
    return this.append(this.held.data, pieces);
  }

  writeIndex(pieces: readonly Buffer[]): Promise<void> {
    return this.append(this.held.index, pieces);
  }

  async copyFrom(source: SealedFragmentReader): Promise<void> {
    const { fragmentId, digest, indexDigest } = source.manifest;
    for (const [object, expected] of [
      ['data', digest],
      ['index', indexDigest],
    ] as const) {
      const bytes = source.size(object);
      const pieces: Buffer[] = [];
      for (let at = 0; at < bytes; at += READ_BYTES_MAX) {
        pieces.push(await source.read(object, at, Math.min(READ_BYTES_MAX, bytes - at)));
      }
      if (blake3(Buffer.concat(pieces)).toString('hex') !== expected) {
        this.failure = new FragmentDamaged(fragmentId, `has ${object} with another digest`);
        throw this.failure;
      }
      await this.append(object === 'data' ? this.held.data : this.held.index, pieces);
    }
  }

  async seal(manifest: Manifest): Promise<void> {
    if (this.failure) throw this.failure;
    const { name, dataBytes, indexBytes } = this;
    assertManifest(manifest, { name, dataBytes, indexBytes });
    this.held.manifest = manifest;
    this.closed = true;
  }

  async abandon(): Promise<void> {
    this.closed = true;
  }

  async discard(): Promise<boolean> {
    this.closed = true;
    if (this.held.manifest) return false;
    this.drop();
    return true;
  }

  private async append(to: Buffer[], pieces: readonly Buffer[]): Promise<void> {
    if (this.failure) throw this.failure;
    assert(!this.closed, 'a closed fragment is written');
    try {
      await this.take(sum(pieces));
    } catch (error) {
      if (error instanceof VolumeFull) this.failure = error;
      throw error;
    }
    for (const piece of pieces) to.push(Buffer.from(piece));
  }
}

class MemoryFragmentReader implements SealedFragmentReader {
  constructor(
    readonly manifest: Manifest,
    private readonly objects: Record<FragmentObject, Buffer>,
  ) {}

  size(object: FragmentObject): number {
    return this.objects[object].length;
  }

  async read(object: FragmentObject, offset: number, length: number): Promise<Buffer> {
    checkRange(this, { object, offset, length });
    return Buffer.from(this.objects[object].subarray(offset, offset + length));
  }

  async close(): Promise<void> {}
}

function describe(held: Held): StoredFragment {
  const { name, manifest } = held;
  if (manifest) return { state: 'sealed', name, manifest };
  return { state: 'partial', name, dataBytes: sum(held.data) };
}

function keyOf(name: FragmentName): string {
  const copy = String(name.copy).padStart(2, '0');
  const number = String(name.number).padStart(5, '0');
  return `${name.imageId}/${copy}/${number}/${name.fragmentId}`;
}

function sum(pieces: readonly Buffer[]): number {
  return pieces.reduce((bytes, piece) => bytes + piece.length, 0);
}
