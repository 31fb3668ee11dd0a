import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { compress } from '#archive/frames/zstd.js';
import { blake3 } from '#kernel/blake3.js';
import type { Manifest } from '#archive/manifest.js';
import { rawFrame } from '#archive/frames/raw-frame.js';
import { encodeSeekTable, type FrameSize } from '#archive/frames/seek-table.js';
import type { ChunkFrame } from '../chunk-intake.js';
import type { ChunkSession } from '../chunks/chunk-session.js';
import { confirmOrphans } from '../chunks/collection/orphan-grant.js';
import type { ChunkStore } from '../chunks/chunk-store.js';
import { confirmGrant, type ConfirmedGrant } from '../confirmed-grant.js';
import type { FragmentName } from '../fragment-name.js';
import { READ_BYTES_MAX, type SealedFragmentReader } from '../fragment-store.js';
import { manifestOf } from './fragments.js';

export interface TestChunk {
  readonly id: Buffer;
  readonly length: number;
  readonly bytes: Buffer;
}

/** A chunk that nothing else is like; always the same one for a seed. */
export function chunkOf(seed: number): TestChunk {
  const length = 1 + ((seed * 7_919) % 5_000);
  const bytes = Buffer.alloc(length, `chunk ${seed} `);
  return { id: blake3(bytes), length, bytes };
}

export async function frameOf(seeds: readonly number[]): Promise<ChunkFrame> {
  const chunks = seeds.map(chunkOf);
  const stored = await compress(Buffer.concat(chunks.map(({ bytes }) => bytes)), 3);
  return { stored, chunks };
}

/** The archive bytes that these chunks make. */
export function archiveOf(seeds: readonly number[]): Buffer {
  return Buffer.concat(seeds.map((seed) => chunkOf(seed).bytes));
}

/** The data that archive bytes make in raw frames of so many, put together by the published formats. */
export function framedData(archive: Buffer, frameBytes: number): Buffer {
  const frames: Buffer[] = [];
  const sizes: FrameSize[] = [];
  for (let at = 0; at < archive.length; at += frameBytes) {
    const part = archive.subarray(at, at + frameBytes);
    const frame = rawFrame(part);
    frames.push(frame);
    sizes.push({ storedBytes: frame.length, archiveBytes: part.length });
  }
  return Buffer.concat([...frames, encodeSeekTable(sizes)]);
}

/** The manifest of a fragment whose data are these archive bytes in raw frames. */
export function framedManifest(
  name: FragmentName,
  archive: Buffer,
  { frameBytes, index }: { frameBytes: number; index: Buffer },
): Manifest {
  const data = framedData(archive, frameBytes);
  const frames = Math.ceil(archive.length / frameBytes);
  return { ...manifestOf(name, { data, index }), archiveBytes: archive.length, frames };
}

/** Asks, sends what is not there (some chunks to a frame), and gives the seeds of what it has sent. */
export async function send(
  session: ChunkSession,
  seeds: readonly number[],
  perFrame = 3,
): Promise<number[]> {
  const distinct = [...new Set(seeds)];
  const there = await session.ask(distinct.map((seed) => chunkOf(seed).id));
  const missing = distinct.filter((_, at) => !there[at]);
  for (let at = 0; at < missing.length; at += perFrame) {
    await session.add(await frameOf(missing.slice(at, at + perFrame)));
  }
  return missing;
}

/** Writes and seals a fragment of these chunks within a session. */
export async function sealIn(
  session: ChunkSession,
  name: FragmentName,
  seeds: readonly number[],
): Promise<number[]> {
  const sent = await send(session, seeds);
  const writer = await session.beginPlain(name);
  try {
    const index = Buffer.from('index');
    await writer.add(seeds.map(chunkOf));
    await writer.writeIndex([index]);
    await writer.seal(manifestOf(name, { data: archiveOf(seeds), index }));
  } catch (error) {
    await writer.abandon();
    throw error;
  }
  return sent;
}

/** Writes and seals a fragment in a session of its own. */
export async function sealAlone(
  store: ChunkStore,
  name: FragmentName,
  seeds: readonly number[],
): Promise<number[]> {
  const session = store.session('web1');
  try {
    return await sealIn(session, name, seeds);
  } finally {
    await session.end();
  }
}

export async function readThrough(reader: SealedFragmentReader): Promise<Buffer> {
  const pieces: Buffer[] = [];
  const bytes = reader.size('data');
  for (let at = 0; at < bytes; at += READ_BYTES_MAX) {
    pieces.push(await reader.read('data', at, Math.min(READ_BYTES_MAX, bytes - at)));
  }
  return Buffer.concat(pieces);
}

export async function readArchive(store: ChunkStore, name: FragmentName): Promise<Buffer> {
  const reader = await store.open(name);
  try {
    return await readThrough(reader);
  } finally {
    await reader.close();
  }
}

/** A tombstone of its own for each fragment. */
export function tombstoneOf(name: FragmentName): string {
  return name.fragmentId.replace(/^0192/, '0193');
}

export function grantOf(name: FragmentName): ConfirmedGrant {
  const { fragmentId } = name;
  return confirmGrant({ fragmentId, tombstoneId: tombstoneOf(name) }, { confirmed: true })!;
}

/** Deletes a fragment for good. */
export async function condemn(store: ChunkStore, name: FragmentName): Promise<void> {
  await store.remove(grantOf(name), name);
  await store.emptyTrash(tombstoneOf(name));
}

/** The catalog's word that it knows every recipe of a store, if it is in doubt of that. */
export async function grantOrphans(store: ChunkStore): Promise<void> {
  const { orphanDoubtId: doubtId } = store;
  if (doubtId === undefined) return;
  const doubt = { volumeId: 'volume', doubtId };
  await store.releaseOrphans(confirmOrphans(doubt, doubt)!);
}

/** The files of a volume's containers. */
export function containersOf(folder: string): string[] {
  const chunks = join(folder, 'chunks');
  return readdirSync(chunks, { recursive: true, encoding: 'utf8' })
    .filter((path) => path.endsWith('.chunks'))
    .map((path) => join(chunks, path));
}

/** Flips a bit in a container's first frame, or in all of them; its table stays as it is. */
export function damageFrames(path: string, how: 'first' | 'all' = 'all'): void {
  const bytes = readFileSync(path);
  const magic = Buffer.from([0x28, 0xb5, 0x2f, 0xfd]);
  for (let at = bytes.indexOf(magic); at >= 0; at = bytes.indexOf(magic, at + 1)) {
    bytes[at + 6]! ^= 1;
    if (how === 'first') break;
  }
  writeFileSync(path, bytes);
}
