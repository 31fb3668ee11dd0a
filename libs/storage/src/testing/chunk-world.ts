import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from '@jest/globals';
import { ChunkStore } from '../chunks/chunk-store.js';
import type { IndexHome } from '../chunks/index/index-home.js';
import { levelHome } from '../chunks/index/index-home.js';
import { MemoryChunkIndex, MemoryIndexState } from '../chunks/index/memory-chunk-index.js';
import type { ChunkIndex } from '../chunks/index/chunk-index.js';
import type { FragmentName } from '../fragment-name.js';
import {
  archiveOf,
  chunkOf,
  grantOf,
  grantOrphans,
  readArchive,
  sealIn,
  send,
  tombstoneOf,
} from './chunks.js';
import { fragmentName } from './fragments.js';
import { ShakyIndex } from './shaky-index.js';

/** Where a fragment is, for all that anybody was told. */
type State = 'sealed' | 'trashed' | 'gone';

interface Known {
  readonly name: FragmentName;
  readonly seeds: readonly number[];
  state: State;
  /** The catalog lets nobody touch a fragment that somebody reads, removes or takes back. */
  isBusy: boolean;
}

class Crash extends Error {}

/**
 * A volume of chunks, what has to be true of it, and a power to stop its process between any two
 * steps: from there on the old process stands still for ever, and another one opens a copy of what
 * lies on its disk at that moment.
 */
export class ChunkWorld {
  /** In memory where that is possible: what it costs to sync proves nothing here. */
  private readonly root = mkdtempSync(
    join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'holdfast-chunks-'),
  );
  private readonly known: Known[] = [];
  private readonly dead: (() => Promise<void>)[] = [];
  private lives = 0;
  private store: ChunkStore | undefined;
  private index!: ChunkIndex;
  private home!: MemoryHome | undefined;
  private stepsLeft = Infinity;
  private answered = () => {};
  private crashed!: Promise<void>;
  private crash!: () => void;
  private wake!: Promise<never>;
  private wakeUp!: () => void;
  crashes = 0;

  private constructor(
    private readonly onDisk: boolean,
    private chance: number,
  ) {}

  static async create(onDisk: boolean, seed: number): Promise<ChunkWorld> {
    const world = new ChunkWorld(onDisk, seed);
    mkdirSync(world.folder);
    await world.start(new MemoryIndexState());
    return world;
  }

  /** Does some work, and stops the process after so many steps of it. */
  async attempt(work: () => Promise<void>, steps: number): Promise<void> {
    this.stepsLeft = steps;
    const end = await Promise.race([work().then(() => 'done'), this.crashed.then(() => 'crashed')]);
    this.stepsLeft = Infinity;
    if (end === 'crashed') await this.restart(this.stop());
  }

  /** A client's backup, which is sealed unless it is broken off. */
  async backup(seeds: readonly number[], breaksOff: boolean): Promise<void> {
    const session = this.open.session('web1');
    const name = fragmentName(this.known.length + 1);
    const known: Known = { name, seeds, state: 'gone', isBusy: false };
    this.known.push(known);
    try {
      if (breaksOff) {
        await send(session, seeds);
        await session.flush();
        return;
      }
      await sealIn(session, name, seeds);
      known.state = 'sealed';
    } finally {
      await session.end();
    }
  }

  /** A session that asks, lets others work, and then relies on what it was told. */
  async slowBackup(seeds: readonly number[], meanwhile: () => Promise<void>): Promise<void> {
    const life = this.lives;
    const session = this.open.session('web1');
    const name = fragmentName(this.known.length + 1);
    const known: Known = { name, seeds, state: 'gone', isBusy: false };
    this.known.push(known);
    try {
      await send(session, seeds);
      if (this.random(2) === 0) await session.flush();
      await this.stillAlive(life);
      await meanwhile();
      await this.stillAlive(life);
      const missing = await sealIn(session, name, seeds);
      expect(missing).toEqual([]);
      known.state = 'sealed';
    } finally {
      await session.end();
    }
  }

  async remove(nth: number): Promise<void> {
    const one = this.pick(nth, 'sealed');
    if (!one) return;
    // The catalog has granted it: from here on it is repeated until it is done.
    one.state = 'trashed';
    await this.busyWith(one, () => this.open.remove(grantOf(one.name), one.name));
  }

  async takeBack(nth: number): Promise<void> {
    const one = this.pick(nth, 'trashed');
    if (!one) return;
    one.state = 'sealed';
    await this.busyWith(one, () => this.open.takeBack(tombstoneOf(one.name), one.name));
  }

  async emptyTrash(nth: number): Promise<void> {
    const one = this.pick(nth, 'trashed');
    if (!one) return;
    one.state = 'gone';
    await this.busyWith(one, () => this.open.emptyTrash(tombstoneOf(one.name)));
  }

  /** A collection, which is cut now and then; the next one goes on with it. */
  async collect(): Promise<void> {
    const cut = new AbortController();
    let answersLeft = this.random(30);
    this.answered = () => {
      answersLeft -= 1;
      if (answersLeft < 0) cut.abort();
    };
    await this.open.collect({ deadShareMin: 0, signal: cut.signal });
  }

  /** Reads everything slowly enough for others to come in between. */
  async readAll(): Promise<void> {
    const life = this.lives;
    for (const one of [...this.known]) {
      await this.stillAlive(life);
      if (one.state === 'sealed' && !one.isBusy) await this.busyWith(one, () => this.read(one));
    }
  }

  async reopen(lost: 'nothing' | 'index' | 'references'): Promise<void> {
    await this.open.close();
    const memory = this.home?.state ?? new MemoryIndexState();
    if (lost !== 'nothing') {
      rmSync(join(this.folder, 'chunks', lost), { recursive: true, force: true });
    }
    await this.start(lost === 'index' ? new MemoryIndexState() : memory);
    if (lost !== 'references') return;
    const holdsAny = this.known.some(({ state }) => state !== 'gone');
    if (holdsAny) await expect(this.open.collect()).rejects.toThrow(/references were lost/);
    await grantOrphans(this.open);
  }

  /** What was acknowledged is there, and the counts are those of the recipes, no more and no less. */
  async check(): Promise<void> {
    for (const { name, seeds, state } of this.known) {
      if (state === 'sealed') {
        expect((await readArchive(this.open, name)).equals(archiveOf(seeds))).toBe(true);
      } else {
        expect((await this.open.stat(name))?.state).not.toBe('sealed');
      }
    }
    const expected = new Map<number, number>();
    for (const { seeds, state } of this.known) {
      if (state === 'gone') continue;
      for (const seed of new Set(seeds)) expected.set(seed, (expected.get(seed) ?? 0) + 1);
    }
    const index = this.index;
    let counted = 0;
    for (const [seed, count] of expected) {
      const [place] = await index.lookup('web1', [chunkOf(seed).id]);
      expect((await index.counts(place!.container))![place!.ordinal]).toBe(count);
      counted += count;
    }
    let all = 0;
    for await (const container of index.containers()) {
      for (const count of (await index.counts(container))!) all += count;
    }
    expect(all).toBe(counted);
  }

  /** When everything is deleted and collected nothing is left. */
  async checkNothingLeaks(): Promise<void> {
    for (const one of this.known) {
      if (one.state === 'sealed') await this.open.remove(grantOf(one.name), one.name);
      if (one.state !== 'gone') await this.open.emptyTrash(tombstoneOf(one.name));
      one.state = 'gone';
    }
    await this.check();
    await this.open.collect({ deadShareMin: 0 });
    const verdicts = [];
    for await (const verdict of this.open.verify()) verdicts.push(verdict);
    expect(verdicts).toEqual([]);
    for await (const container of this.index.containers()) expect(container).toBe('none');
  }

  async dispose(): Promise<void> {
    this.wakeUp();
    await this.open.close();
    for (const close of this.dead) await close();
    rmSync(this.root, { recursive: true, force: true });
  }

  private get open(): ChunkStore {
    return this.store!;
  }

  private get folder(): string {
    return join(this.root, `life-${this.lives}`);
  }

  private async read({ name, seeds }: Known): Promise<void> {
    const reader = await this.open.open(name);
    try {
      const archive = archiveOf(seeds);
      for (let at = 0; at < archive.length; at += 3_000) {
        const expected = archive.subarray(at, at + 3_000);
        expect((await reader.read('data', at, expected.length)).equals(expected)).toBe(true);
      }
    } finally {
      await reader.close();
    }
  }

  private async busyWith(one: Known, work: () => Promise<void>): Promise<void> {
    const life = this.lives;
    one.isBusy = true;
    await work();
    await this.stillAlive(life);
    one.isBusy = false;
  }

  /** A process that stands still does nothing to the next one, though its promises are settled here. */
  private async stillAlive(life: number): Promise<void> {
    if (life !== this.lives) await new Promise(() => {});
  }

  private pick(nth: number, state: State): Known | undefined {
    const some = this.known.filter((one) => one.state === state && !one.isBusy);
    return some.length > 0 ? some[nth % some.length] : undefined;
  }

  /** The disk of a process that stands still, as another one finds it. */
  private stop(): MemoryIndexState {
    this.crashes += 1;
    const before = this.folder;
    this.lives += 1;
    copyDisk(before, this.folder);
    const { store, wakeUp } = this;
    this.dead.push(async () => {
      wakeUp();
      await store?.close().catch(() => undefined);
    });
    return this.home?.state.copy() ?? new MemoryIndexState();
  }

  /** Another process, which may be stopped while it makes up for what the last one has left. */
  private async restart(state: MemoryIndexState): Promise<void> {
    this.store = undefined;
    const opened = this.start(state);
    this.stepsLeft = this.random(8);
    const end = await Promise.race([opened.then(() => 'done'), this.crashed.then(() => 'crashed')]);
    this.stepsLeft = Infinity;
    if (end === 'crashed') {
      opened.catch(() => undefined);
      return this.restart(this.stop());
    }
    // What the others repeat until it is done.
    for (const one of this.known) {
      const { name } = one;
      one.isBusy = false;
      const isSealed = (await this.open.stat(name))?.state === 'sealed';
      if (one.state === 'gone' && isSealed) one.state = 'sealed';
      if (one.state === 'trashed') await this.open.remove(grantOf(name), name);
      if (one.state === 'sealed') await this.open.takeBack(tombstoneOf(name), name);
      if (one.state === 'gone') await this.open.emptyTrash(tombstoneOf(name));
    }
  }

  private random(below: number): number {
    this.chance = (Math.imul(this.chance, 1_103_515_245) + 12_345) >>> 0;
    return (this.chance >>> 8) % below;
  }

  private async start(state: MemoryIndexState): Promise<void> {
    this.crashed = new Promise((resolve) => (this.crash = resolve));
    this.wake = new Promise((_, reject) => (this.wakeUp = () => reject(new Crash())));
    this.wake.catch(() => undefined);
    const { wake, crash } = this;
    let isDead = false;
    const pause = async () => {
      // Mostly none, now and then some: so everything meets everything.
      const turns = [0, 0, 1, 2, 5, 20][this.random(6)]!;
      for (let turn = 0; turn < turns; turn += 1) await new Promise(setImmediate);
      if (isDead) await wake;
      this.answered();
    };
    const between = async () => {
      await pause();
      this.stepsLeft -= isDead ? 0 : 1;
      isDead ||= this.stepsLeft < 0;
      if (!isDead) return;
      crash();
      await wake;
    };
    this.home = this.onDisk ? undefined : new MemoryHome(state);
    const home = this.home ?? levelHome(join(this.folder, 'chunks', 'index'));
    const index = {
      open: async () => {
        this.index = await home.open();
        return new ShakyIndex(this.index, between, pause);
      },
      putAside: () => home.putAside(),
    };
    this.store = await ChunkStore.open({ folder: this.folder, reserveBytes: 0, index, between });
  }
}

class MemoryHome implements IndexHome {
  constructor(public state: MemoryIndexState) {}

  async open(): Promise<ChunkIndex> {
    return new MemoryChunkIndex(this.state);
  }

  async putAside(): Promise<void> {
    this.state = new MemoryIndexState();
  }
}

/**
 * The disk as it was at one moment. What the stopped process has asked the system for is done all the same, and LevelDB
 * may take away a table in the background: where something moved meanwhile this begins again.
 */
function copyDisk(from: string, to: string, tries = 10): void {
  try {
    const before = pathsIn(from);
    cpSync(from, to, { recursive: true });
    if (pathsIn(from) === before) return;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
  if (tries === 1) throw new Error(`${from} does not come to rest`);
  rmSync(to, { recursive: true, force: true });
  copyDisk(from, to, tries - 1);
}

function pathsIn(folder: string): string {
  return readdirSync(folder, { recursive: true }).sort().join('\n');
}
