import { manifestSchema, type Manifest } from '#archive/manifest.js';
import { assert } from '#kernel/assert.js';
import { messageOf } from '#kernel/errors.js';
import type { FragmentName } from './fragment-name.js';

/** Stops a program that would seal a fragment with a manifest which does not describe it. */
export function assertManifest(
  manifest: Manifest,
  written: { name: FragmentName; dataBytes: number; indexBytes: number },
): void {
  assert(disagreement(manifest, written.name) === undefined, 'a manifest of another fragment');
  assert(manifest.storedBytes === written.dataBytes, 'storedBytes is not what was written');
  assert(manifest.indexBytes === written.indexBytes, 'indexBytes is not what was written');
}

/** Reads a manifest's text. A string says what is wrong with it. */
export function readManifest(text: string, name: FragmentName): Manifest | string {
  const manifest = parse(text);
  return typeof manifest === 'string' ? manifest : (disagreement(manifest, name) ?? manifest);
}

/** Reads a manifest whose name is not known; undefined if it cannot be read. */
export function parseManifest(text: string): Manifest | undefined {
  const manifest = parse(text);
  return typeof manifest === 'string' ? undefined : manifest;
}

function parse(text: string): Manifest | string {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    return `its manifest is not JSON: ${messageOf(error)}`;
  }
  const parsed = manifestSchema.safeParse(value);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  return `its manifest is wrong at "${issue?.path.join('.')}": ${issue?.message}`;
}

function disagreement(manifest: Manifest, name: FragmentName): string | undefined {
  for (const key of ['fragmentId', 'imageId', 'copy', 'number'] as const) {
    if (manifest[key] !== name[key]) return `its manifest has another ${key}`;
  }
  return undefined;
}
