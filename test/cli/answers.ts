import type { CopyView } from '#contracts/catalog/copy.js';
import type { FileView, FragmentView, ImageView } from '#contracts/image.js';

/** What services would answer. */
export const IMAGE: ImageView = {
  imageId: 'web1_1790000000',
  client: 'web1',
  policy: 'on-demand',
  schedule: 'user',
  kind: 'full',
  state: 'COMPLETE',
  job: 7,
  backupTime: '2026-01-01T00:00:00.000Z',
  expiresAt: '2026-01-15T00:00:00.000Z',
  keyword: null,
  baseImageId: null,
  selections: ['/etc'],
  files: 1_200,
  bytes: 5_242_880,
  storedBytes: 1_048_576,
  fragments: 1,
  copies: 1,
  holds: [],
};

export const FRAGMENT: FragmentView = {
  fragmentId: '01890000-0000-7000-8000-000000000001',
  imageId: IMAGE.imageId,
  copy: 1,
  number: 1,
  attempt: 1,
  state: 'ACTIVE',
  stateReason: '',
  deletableAt: null,
  mediaId: 'media1',
  pool: 'main',
  archiveOffset: 0,
  archiveBytes: 5_300_000,
  storedBytes: 1_048_576,
  digest: 'ab'.repeat(32),
  indexBytes: 1_000,
  indexDigest: 'cd'.repeat(32),
  frames: 6,
  committedAt: '2026-01-01T00:00:02.000Z',
};

export const FILE: FileView = {
  imageId: IMAGE.imageId,
  path: 'etc/passwd',
  type: 'f',
  size: 12,
  mtime: '2025-12-31T00:00:00.123456789Z',
  mode: '644',
  uid: 0,
  gid: 0,
  target: '',
};

export const COPY: CopyView = {
  ...{ imageId: IMAGE.imageId, copy: 1, state: 'COMPLETE', unit: 'default', pool: 'main' },
  ...{ mediaId: 'media1', job: 7, attempt: 1, fragments: 1, fragmentsExpected: 1 },
  ...{ damaged: 0, pinned: 0, storedBytes: 1_048_576, expiresAt: IMAGE.expiresAt },
};
