import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { until } from '../../../../test/support/until.js';
import { archiveOf, grantOf, readArchive, tombstoneOf } from '../testing/chunks.js';
import { fragmentName } from '../testing/fragments.js';
import { testFolder, type TestFolder } from '../testing/small-volume.js';
import { ChunkStore } from './chunk-store.js';

const CHILD = fileURLToPath(
  new URL('../../../../dist/libs/storage/src/testing/chunk-child.js', import.meta.url),
);
const ROUNDS = 10;

/** What the processes have said so far. */
class Report {
  readonly seeds = new Map<number, number[]>();
  readonly sealed = new Set<number>();
  readonly removing = new Set<number>();
  collected = 0;
  last = 0;

  take(line: string): void {
    const [word, number, list] = line.split(' ');
    if (word === 'sealing') {
      this.seeds.set(Number(number), list!.split(',').map(Number));
      this.last = Math.max(this.last, Number(number));
    }
    if (word === 'sealed') this.sealed.add(Number(number));
    if (word === 'removing') this.removing.add(Number(number));
    if (word === 'collected') this.collected += Number(number);
  }

  /** Something of every kind has been done, and more than one fragment sealed in each round. */
  get isFull(): boolean {
    return this.sealed.size > ROUNDS && this.removing.size > 0 && this.collected > 0;
  }
}

describe('A chunk store whose process is killed', () => {
  let folder: TestFolder;
  beforeAll(() => {
    folder = testFolder();
  });
  afterAll(() => folder.dispose());

  it(`has everything that was acknowledged, ${ROUNDS} times in a row`, async () => {
    const report = new Report();
    for (let round = 1; round <= ROUNDS; round += 1) {
      // However slow the machine is, the last one comes as far as all of them together have to.
      const isEnough = () => round < ROUNDS || report.isFull;
      await runAndKill(report, 40 + Math.random() * 700, isEnough);
      const store = await ChunkStore.open({ folder: folder.path, reserveBytes: 0 });
      try {
        await checkAll(store, report);
        if (round === ROUNDS) await checkNothingLeaks(store, report);
      } finally {
        await store.close();
      }
    }
  });

  async function runAndKill(
    report: Report,
    afterMs: number,
    isEnough: () => boolean,
  ): Promise<void> {
    const there = [...report.sealed].filter((number) => !report.removing.has(number));
    const args = [CHILD, folder.path, String(report.last + 1), there.join(',')];
    const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
    const exited = once(child, 'exit');
    const lines = createInterface({ input: child.stdout });
    const closed = once(lines, 'close');
    await new Promise<void>((resolve) => {
      lines.on('line', (line) => (line === 'open' ? resolve() : report.take(line)));
      child.once('exit', () => resolve());
    });
    await new Promise((resolve) => setTimeout(resolve, afterMs));
    await until(() => child.exitCode !== null || isEnough(), { what: 'some work of all kinds' });
    child.kill('SIGKILL');
    const [, signal] = (await exited) as [number, string];
    await closed;
    expect(signal).toBe('SIGKILL');
  }

  async function checkAll(store: ChunkStore, report: Report): Promise<void> {
    for (const [number, seeds] of report.seeds) {
      const name = fragmentName(number);
      if (report.removing.has(number)) {
        await store.remove(grantOf(name), name);
        await store.emptyTrash(tombstoneOf(name));
        continue;
      }
      const isSealed = (await store.stat(name))?.state === 'sealed';
      if (!report.sealed.has(number) && !isSealed) continue;
      // What was sealed though nobody was told counts as well as any.
      report.sealed.add(number);
      expect((await readArchive(store, name)).equals(archiveOf(seeds))).toBe(true);
    }
    for await (const { damage } of store.verify()) expect(damage).toEqual([]);
  }

  async function checkNothingLeaks(store: ChunkStore, report: Report): Promise<void> {
    for (const number of report.sealed) {
      const name = fragmentName(number);
      await store.remove(grantOf(name), name);
      await store.emptyTrash(tombstoneOf(name));
    }
    await store.collect({ deadShareMin: 0 });
    for await (const { container } of store.verify()) expect(container).toBe('none');
  }
});
