import type { Manifest } from '#archive/manifest.js';
import type { FragmentCommit } from '#contracts/fragment.js';
import { imageDetails, imageKind, type ImageKind } from '#contracts/names.js';
import { selectionSet } from './base.js';
import { expiryOf } from './retention.js';

/** Whatever its retention was, an image that is put back is kept this long, so that nobody is surprised. */
const KEPT_AFTER_IMPORT_MS = 14 * 86_400_000;
const RETENTION_UNKNOWN = '14d';

/** What the manifests of an image say of it. */
export interface ImportedImage {
  readonly imageId: string;
  readonly client: string;
  readonly policy: string;
  readonly kind: ImageKind;
  readonly backupTime: number;
  readonly schedule: string;
  readonly retention: string;
  readonly selections: readonly string[];
  readonly selectionSet: readonly string[];
  readonly baseImageId: string | null;
  readonly syntheticOf: string | null;
  /** Null: it never expires by itself. */
  readonly expiresAt: Date | null;
  readonly keyword: string | null;
  /** The run of several streams that it belongs to, as its own cluster counted jobs. */
  readonly group: number | null;
  readonly groupStreams: number | null;
  /** Of its last fragment alone; without them it is not known to be whole. */
  readonly totals: {
    readonly fragments: number;
    readonly files: number;
    readonly bytes: number;
  } | null;
}

/**
 * The image that a manifest belongs to. Schedule, retention, selections and base stand in the last
 * fragment's manifest; the others leave them open.
 * @throws Error in words, where the manifest cannot be of an image.
 */
export function imageOf(manifest: Manifest, now: Date): ImportedImage {
  const kind = imageKind.parse(manifest.kind);
  const details = imageDetails.safeParse(manifest.image);
  const known = details.success ? details.data : undefined;
  const retention = known?.retention ?? RETENTION_UNKNOWN;
  const selections = known?.selections ?? [];
  const { imageId, client, policy, backupTime, fragments, files, bytes } = manifest;
  const expires = expiryOf(backupTime, retention);
  const isLast = manifest.last && fragments !== undefined;
  return {
    ...{ imageId, client, policy, kind, backupTime, retention, selections },
    schedule: known?.schedule ?? 'imported',
    selectionSet: selectionSet(selections),
    baseImageId: kind === 'full' ? null : (known?.baseImageId ?? null),
    syntheticOf: known?.syntheticOf ?? null,
    expiresAt:
      expires && new Date(Math.max(expires.getTime(), now.getTime() + KEPT_AFTER_IMPORT_MS)),
    keyword: known?.keyword ?? null,
    group: known?.group ?? null,
    groupStreams: known?.groupStreams ?? null,
    totals: isLast ? { fragments, files: files ?? 0, bytes: bytes ?? 0 } : null,
  };
}

/** The commit that a manifest stands for. */
export function commitOfManifest(
  manifest: Manifest,
  place: { readonly mediaId: string; readonly pool: string },
  now: Date,
): FragmentCommit {
  const { fragmentId, imageId, copy, number, attempt } = manifest;
  const { archiveOffset, archiveBytes, storedBytes, digest } = manifest;
  const { indexBytes, indexDigest, frames, last } = manifest;
  return {
    ...{ fragmentId, imageId, copy, number, attempt, ...place },
    ...{ archiveOffset, archiveBytes, storedBytes, digest },
    ...{ indexBytes, indexDigest, frames, last },
    sealedAt: now.toISOString(),
  };
}
