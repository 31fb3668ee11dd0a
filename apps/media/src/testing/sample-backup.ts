import { randomBytes } from 'node:crypto';
import { compress } from '#archive/frames/zstd.js';
import { blake3 } from '#kernel/blake3.js';
import { encodeFrameTable } from '#archive/frames/frame-table.js';
import type { FragmentWriterClient } from '#transfer/fragment-writer-client.js';
import type { Seal } from '#transfer/payloads.js';

export interface SampleFrame {
  readonly archiveLength: number;
  readonly digest: Buffer;
  readonly bytes: Buffer;
}

/** One fragment as an agent would send it. */
export interface SampleFragment {
  readonly archive: Buffer;
  readonly frames: readonly SampleFrame[];
  /** Index lines, then the frame table. */
  readonly index: readonly { digest: Buffer; bytes: Buffer }[];
  readonly claim: Seal;
}

export interface SampleShape {
  readonly fragments: number;
  readonly framesEach: number;
  /** Archive bytes of a frame; at most 1 MiB. */
  readonly frameBytes: number;
}

/** A small backup: real Zstandard frames of bytes that do not compress to nothing. */
export async function sampleBackup(shape: SampleShape): Promise<SampleFragment[]> {
  const fragments: SampleFragment[] = [];
  let archiveOffset = 0;
  for (let number = 1; number <= shape.fragments; number += 1) {
    const last = number === shape.fragments;
    const fragment = await sampleFragment(shape, { number, archiveOffset, last });
    archiveOffset += fragment.archive.length;
    fragments.push(fragment);
  }
  return fragments;
}

async function sampleFragment(
  shape: SampleShape,
  place: { number: number; archiveOffset: number; last: boolean },
): Promise<SampleFragment> {
  const parts = Array.from({ length: shape.framesEach }, () => noise(shape.frameBytes));
  const frames = [];
  for (const part of parts) {
    const bytes = await compress(part, 3);
    frames.push({ archiveLength: part.length, digest: blake3(bytes), bytes });
  }
  const records = frames.map(({ archiveLength, digest, bytes }) => ({
    ...{ storedBytes: bytes.length, archiveBytes: archiveLength, digest },
  }));
  const lines = await compress(Buffer.from(`f\tfile-${place.number}\n`), 3);
  const index = [lines, encodeFrameTable(records)].map((bytes) => ({
    ...{ bytes, digest: blake3(bytes) },
  }));
  const archive = Buffer.concat(parts);
  const claim = { ...place, archiveBytes: archive.length, frames: frames.length };
  return { archive, frames, index, claim };
}

export async function sendFrame(
  writer: FragmentWriterClient,
  { bytes, digest, archiveLength }: SampleFrame,
): Promise<void> {
  // A copy: what a writer is given belongs to it, and samples are sent more than once.
  await writer.frame({ pieces: [Buffer.from(bytes)], digest, archiveLength });
}

/** Sends everything of a fragment but its SEAL. */
export async function sendContent(
  writer: FragmentWriterClient,
  fragment: SampleFragment,
): Promise<void> {
  for (const frame of fragment.frames) await sendFrame(writer, frame);
  for (const block of fragment.index) await writer.index(block);
}

export function totalsOf(fragments: readonly SampleFragment[]) {
  const bytes = fragments.reduce((sum, { archive }) => sum + archive.length, 0);
  return { fragments: fragments.length, files: fragments.length, bytes, kind: 'full' };
}

/** Sends a whole backup and waits for its end. */
export async function sendBackup(
  writer: FragmentWriterClient,
  fragments: readonly SampleFragment[],
): Promise<void> {
  let sealing: Promise<void> = Promise.resolve();
  for (const fragment of fragments) {
    await sendContent(writer, fragment);
    await sealing;
    sealing = writer.seal(fragment.claim);
    sealing.catch(() => undefined);
  }
  await sealing;
  await writer.finish(totalsOf(fragments));
}

/** Every second kilobyte is chance, the others are zeros. */
function noise(length: number): Buffer {
  const bytes = randomBytes(length);
  for (let at = 0; at < length; at += 2_048) bytes.fill(0, at, Math.min(length, at + 1_024));
  return bytes;
}
