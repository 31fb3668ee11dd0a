import { spawn } from 'node:child_process';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { testFolder, type TestFolder } from '#storage/testing/small-volume.js';
import { until } from '../../../test/support/until.js';
import { RUN_TYPESCRIPT } from '../../../test/support/from-sources.js';
import type { CrashPointName } from './crash-point.js';
import { checkFragment } from './inventory/fragment-check.js';
import { MemorySources } from './testing/memory-sources.js';
import { TestMediaServer } from './testing/media-server.js';
import { MemoryCatalog } from './testing/memory-catalog.js';
import { sampleBackup, sendBackup } from './testing/sample-backup.js';

const TESTING = join(dirname(fileURLToPath(import.meta.url)), 'testing');

/** Runs the server until it dies by SIGKILL or is done. */
function runUntilDeath(
  folder: string,
  crashPoint: CrashPointName | 'never',
  kind: 'disk' | 'library' = 'disk',
): Promise<string> {
  const child = spawn(
    process.execPath,
    [...RUN_TYPESCRIPT, join(TESTING, 'crashing-server.ts'), folder, crashPoint, kind],
    { env: { ...process.env, NODE_OPTIONS: '' } },
  );
  let text = '';
  child.stdout.on('data', (chunk: Buffer) => (text += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => (text += chunk.toString()));
  return new Promise((resolve) =>
    child.once('exit', (_, signal) => resolve(signal ?? text.trim())),
  );
}

describe('A media server that is killed', () => {
  let folder: TestFolder;
  beforeEach(() => {
    folder = testFolder();
  });
  afterEach(() => folder.dispose());

  it('comes to its end when it is not', async () => {
    expect(await runUntilDeath(folder.path, 'never')).toBe('done');
  });

  it.each([
    // What has happened, and how many fragments are safe then.
    ['intent-journalled', 0],
    ['frame-written', 0],
    ['fragment-sealed', 1],
    ['seal-journalled', 1],
    ['commit-published', 1],
    ['receipt-arrived', 1],
    ['verdict-journalled', 1],
  ] as const)(
    'at "%s" goes on where it was: %i or more fragments get their verdict',
    async (at, safe) => {
      expect(await runUntilDeath(folder.path, at)).toBe('SIGKILL');
      const catalog = new MemoryCatalog();
      const media = await TestMediaServer.start({ folder: folder.path, catalog });
      try {
        await until(() => media.offers.open === 0);
        const counts = media.volumes.countByState();
        expect(counts['SEALED'] ?? 0).toBe(0);
        expect(counts['COMMITTED'] ?? 0).toBeGreaterThanOrEqual(safe);
        for (const volume of media.volumes) {
          for await (const found of volume.store.list()) {
            const known = volume.ledger.find(found.name.fragmentId);
            expect([found.state, known?.phase]).toEqual(
              found.state === 'sealed' ? ['sealed', 'JUDGED'] : ['partial', 'INTENT'],
            );
          }
        }
      } finally {
        await media.stop();
      }
    },
  );

  it('at "duplicate-copied" has an unfinished copy, and every source whole', async () => {
    expect(await runUntilDeath(folder.path, 'duplicate-copied')).toBe('SIGKILL');
    const catalog = new MemoryCatalog();
    const media = await TestMediaServer.start({ folder: folder.path, catalog });
    try {
      const found = [];
      for (const { store } of media.volumes) {
        for await (const { name, state } of store.list()) found.push([name.copy, state]);
      }
      expect(found).toEqual([
        [1, 'sealed'],
        [1, 'sealed'],
        [2, 'partial'],
      ]);
      const holdings = await media.holdings();
      for (const holding of await holdings.page('', 2)) {
        expect(await checkFragment(holding)).toEqual({ bytes: 'whole', reason: '' });
      }
      const sources = new MemorySources();
      const care = await media.care();
      await care.offerAgain((await holdings.page('', 2)).map(({ fragmentId }) => fragmentId));
      sources.add(catalog.committed.values());
      expect(await media.duplicate(sources).run()).toMatchObject({ status: 0, fragments: 2 });
      expect(media.volumes.countByState()).toEqual({ COMMITTED: 4, INTENT: 1 });
    } finally {
      await media.stop();
    }
  });

  it.each([
    'condemned-journalled',
    'trash-moved',
    'removal-journalled',
    'removal-reported',
  ] as const)('at "%s" finishes the removal when the catalog still confirms it', async (at) => {
    expect(await runUntilDeath(folder.path, at)).toBe('SIGKILL');
    const catalog = new MemoryCatalog();
    catalog.confirmsAll = true;
    const media = await TestMediaServer.start({ folder: folder.path, catalog });
    try {
      expect(media.removals.open).toBe(1);
      await media.settleRemovals();
      expect(media.volumes.countByState()).toEqual({ COMMITTED: 3, REMOVED: 1 });
      expect(catalog.deleted).toHaveLength(1);
      for (const { store } of media.volumes) {
        const left = [];
        for await (const { name, state } of store.list()) {
          left.push([name.copy, name.number, state]);
        }
        expect(left).toEqual([
          [1, 2, 'sealed'],
          [2, 1, 'sealed'],
          [2, 2, 'sealed'],
        ]);
        const trashed = [];
        for await (const { number, fragmentId } of store.trash())
          trashed.push([number, fragmentId]);
        expect(trashed).toEqual([[1, catalog.deleted[0]]]);
      }
    } finally {
      await media.stop();
    }
  });

  it.each(['condemned-journalled', 'trash-moved'] as const)(
    'at "%s" removes nothing more while nobody confirms it',
    async (at) => {
      expect(await runUntilDeath(folder.path, at)).toBe('SIGKILL');
      const catalog = new MemoryCatalog();
      catalog.deletionsDown = true;
      const media = await TestMediaServer.start({ folder: folder.path, catalog });
      try {
        await expect(media.settleRemovals()).rejects.toThrow('no catalog');
        const phase = at === 'trash-moved' ? 'REMOVED' : 'CONDEMNED';
        expect(media.volumes.countByState()).toMatchObject({ [phase]: 1 });
      } finally {
        await media.stop();
      }
    },
  );

  it.each([
    // What is on the volume then, and how many fragments are safe.
    ['medium-written', 0],
    ['medium-marked', 1],
  ] as const)('at "%s" with a library goes on where it was: %i is safe', async (at, safe) => {
    expect(await runUntilDeath(folder.path, at, 'library')).toBe('SIGKILL');
    const catalog = new MemoryCatalog();
    const media = await TestMediaServer.start({ folder: folder.path, catalog, isLibrary: true });
    try {
      await until(() => media.offers.open === 0);
      expect(media.volumes.countByState()['COMMITTED'] ?? 0).toBe(safe);
      const holdings = await media.holdings();
      const checked = (await holdings.page('', 10)).map((holding) => checkFragment(holding));
      const found = (await Promise.all(checked)).map(({ bytes }) => bytes);
      expect(found.filter((bytes) => bytes === 'whole')).toHaveLength(safe);
      expect(found.filter((bytes) => bytes === 'partial')).toHaveLength(found.length - safe);
      const { writer, outcome } = await media.write({ copy: 3 });
      await sendBackup(
        writer,
        await sampleBackup({ fragments: 2, framesEach: 1, frameBytes: 9_000 }),
      );
      expect((await outcome).status).toBe(0);
      const [view] = await Promise.all(media.volumes.libraries.map((one) => one.view()));
      expect(view!.volumes.filter(({ state }) => state === 'filling')).toHaveLength(1);
    } finally {
      await media.stop();
    }
  });

  it.each(['trash-moved'] as const)(
    'at "%s" with a library finishes the removal when the catalog still confirms it',
    async (at) => {
      expect(await runUntilDeath(folder.path, at, 'library')).toBe('SIGKILL');
      const catalog = new MemoryCatalog();
      catalog.confirmsAll = true;
      const media = await TestMediaServer.start({ folder: folder.path, catalog, isLibrary: true });
      try {
        await media.settleRemovals();
        expect(media.volumes.countByState()).toEqual({ COMMITTED: 3, REMOVED: 1 });
        const now = new Date(Date.now() + 1_000);
        expect(await media.emptyOldTrash({ graceMs: 0, now })).toBe(1);
        expect((await (await media.holdings()).page('', 10)).length).toBe(3);
      } finally {
        await media.stop();
      }
    },
  );
});
