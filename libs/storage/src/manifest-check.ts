import { z } from 'zod';
import { manifestSchema, type Manifest } from '#archive/manifest.js';
import { assert } from '#kernel/assert.js';
import { messageOf } from '#kernel/errors.js';
import type { ContentFile, FragmentName } from './fragment-name.js';

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

/** What lies on a volume in place of a fragment's data, where that is a recipe. */
const recipeFile = z.object({
  recipe: z.object({
    bytes: z.number().int().nonnegative(),
    digest: z.string().regex(/^[0-9a-f]{64}$/),
  }),
});

/** The text of a manifest that lies beside a recipe; what the recipe is never leaves the volume. */
export function recipeManifestText(
  manifest: Manifest,
  recipe: { readonly bytes: number; readonly digest: string },
): string {
  return `${JSON.stringify({ ...manifest, recipe })}\n`;
}

export interface ManifestOnDisk {
  readonly manifest: Manifest;
  /** Of the file that lies beside it for the data. */
  readonly fileBytes: number;
}

/** Reads the text of a manifest that lies beside data or a recipe. A string says what is wrong with it. */
export function readManifestOnDisk(
  text: string,
  name: FragmentName,
  content: ContentFile,
): ManifestOnDisk | string {
  const manifest = readManifest(text, name);
  if (typeof manifest === 'string') return manifest;
  if (content === 'data') return { manifest, fileBytes: manifest.storedBytes };
  const { data } = recipeFile.safeParse(JSON.parse(text));
  if (!data) return 'its manifest says nothing of its recipe';
  return { manifest, fileBytes: data.recipe.bytes };
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
