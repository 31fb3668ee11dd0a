import { z } from 'zod';
import { manifestSchema, type Manifest } from '#archive/manifest.js';
import { BLOCK_BYTES_MAX, type MediumRecord } from './sequential-medium.js';

/** What a person calls a volume: its label. */
export const volumeLabelText = z
  .string()
  .regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,31}$/, 'a volume label has 1 to 32 letters, digits, . _ -');

/** The first block of a volume. */
const volumeLabel = z.object({
  holdfast: z.literal('volume'),
  version: z.literal(1),
  label: volumeLabelText,
  /** Another one each time that the volume is written from its beginning. */
  volumeId: z.uuid(),
  /** The media server and the pool that it belongs to. */
  mediaId: z.string(),
  pool: z.string(),
  labelledAt: z.iso.datetime(),
});
export type VolumeLabel = z.infer<typeof volumeLabel>;

const bytes = z.int().nonnegative();

/** The first block of a fragment's file: how many bytes each of its parts has. */
const fragmentHeader = z.object({
  holdfast: z.literal('fragment'),
  version: z.literal(1),
  fragmentId: z.uuid(),
  imageId: z.string(),
  copy: z.int(),
  number: z.int(),
  dataBytes: bytes,
  indexBytes: bytes,
  manifestBytes: bytes,
});
export type FragmentHeader = z.infer<typeof fragmentHeader>;

/** Positions of a fragment's parts, counted from its header's. */
export interface FragmentLayout {
  readonly data: number;
  readonly index: number;
  readonly manifest: number;
  /** Of the mark behind it. */
  readonly mark: number;
}

/** Behind the label and its mark. */
export const FIRST_POSITION = 2;

export function encodeLabel(label: Omit<VolumeLabel, 'holdfast' | 'version'>): Buffer {
  return line({ holdfast: 'volume', version: 1, ...label });
}

/** The label that a first block holds; undefined for what is none of ours. */
export function parseLabel(block: Buffer): VolumeLabel | undefined {
  return volumeLabel.safeParse(parseJson(block)).data;
}

export function headerOf(manifest: Manifest, manifestBytes: number): FragmentHeader {
  const { fragmentId, imageId, copy, number, storedBytes: dataBytes, indexBytes } = manifest;
  const name = { fragmentId, imageId, copy, number };
  return { holdfast: 'fragment', version: 1, ...name, dataBytes, indexBytes, manifestBytes };
}

export function encodeHeader(header: FragmentHeader): Buffer {
  return line(header);
}

/** The header that a record is; undefined for anything else. */
export function parseHeader(record: MediumRecord): FragmentHeader | undefined {
  if (record.type !== 'block' || record.bytes.length > HEADER_BYTES_MAX) return undefined;
  return fragmentHeader.safeParse(parseJson(record.bytes)).data;
}

export function encodeManifest(manifest: Manifest): Buffer {
  return line(manifest);
}

export function parseManifestBytes(text: Buffer): Manifest | undefined {
  return manifestSchema.safeParse(parseJson(text)).data;
}

export function layoutOf(
  parts: Pick<FragmentHeader, 'dataBytes' | 'indexBytes' | 'manifestBytes'>,
): FragmentLayout {
  const data = 1;
  const index = data + blocksOf(parts.dataBytes);
  const manifest = index + blocksOf(parts.indexBytes);
  return { data, index, manifest, mark: manifest + blocksOf(parts.manifestBytes) };
}

/** Every block of a part is full but the last. */
export function blocksOf(partBytes: number): number {
  return Math.ceil(partBytes / BLOCK_BYTES_MAX);
}

/** Of the medium, for a fragment of this size; its header and manifest included. */
export function bytesOnMedium(contentBytes: number): number {
  return contentBytes + OVERHEAD_BYTES;
}

const HEADER_BYTES_MAX = 4_096;
/** A header and a manifest; one with long selections may take more. */
const OVERHEAD_BYTES = 8_192;

function line(value: unknown): Buffer {
  return Buffer.from(`${JSON.stringify(value)}\n`, 'utf8');
}

function parseJson(text: Buffer): unknown {
  try {
    return JSON.parse(text.toString('utf8'));
  } catch {
    return undefined;
  }
}
