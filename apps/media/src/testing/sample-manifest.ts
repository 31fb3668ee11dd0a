import type { Manifest } from '#archive/manifest.js';

/** The manifest of a made-up fragment; different numbers have different ids. */
export function sampleManifest(number: number): Manifest {
  return {
    version: 1,
    fragmentId: `01920000-0000-7000-8000-${String(number).padStart(12, '0')}`,
    imageId: 'web1_1790000000',
    copy: 1,
    number,
    attempt: 1,
    client: 'web1',
    policy: 'daily',
    kind: 'full',
    backupTime: 1_790_000_000,
    archiveOffset: 0,
    archiveBytes: 1_000,
    storedBytes: 500,
    digest: String(number).padStart(64, '0'),
    indexBytes: 100,
    indexDigest: 'a'.repeat(64),
    frames: 1,
    last: false,
  };
}
