import { cpSync, mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from '@jest/globals';
import { ChunkStore } from '../chunks/chunk-store.js';
import type { IndexHome } from '../chunks/index/index-home.js';
import { levelHome } from '../chunks/index/index-home.js';
import { MemoryChunkIndex, MemoryIndexState } from '../chunks/index/memory-chunk-index.js';
import type { ChunkIndex } from '../chunks/index/chunk-index.js';
import { confirmOrphans } from '../chunks/orphan-grant.js';
import type { FragmentName } from '../fragment-name.js';
import { archiveOf, chunkOf, grantOf, readArchive, sealIn, send, tombstoneOf } from './chunks.js';
import { fragmentName } from './fragments.js';
import { testFolder } from './small-volume.js';

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
  private readonly root = testFolder();
  private readonly known: Known[] = [];
  private readonly dead: (() => Promise<void>)[] = [];
  private lives = 0;
  private store!: ChunkStore;
  private home!: MemoryHome | undefined;
  private stepsLeft = Infinity;
  private crashed!: Promise<void>;
  private crash!: () => void;
  private wake!: Promise<never>;
  private wakeUp!: () => void;
  crashes = 0;

  private constructor(private readonly onDisk: boolean) {}

  static async create(onDisk: boolean): Promise<ChunkWorld> {
    const world = new ChunkWorld(onDisk);
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
    const session = this.store.session('web1');
    const name = fragmentName(this.known.length + 1);
    const known: Known = { name, seeds, state: 'gone', isBusy: false };
    this.known.push(known);
    if (breaksOff) {
      await send(session, seeds);
      await session.flush();
    } else {
      await sealIn(session, name, seeds);
      known.state = 'sealed';
    }
    await session.end();
  }

  /** A session that asks, lets others work, and then relies on what it was told. */
  async slowBackup(seeds: readonly number[], meanwhile: () => Promise<void>): Promise<void> {
    const session = this.store.session('web1');
    const name = fragmentName(this.known.length + 1);
    const known: Known = { name, seeds, state: 'gone', isBusy: false };
    this.known.push(known);
    await send(session, seeds);
    await meanwhile();
    const missing = await sealIn(session, name, seeds);
    expect(missing).toEqual([]);
    known.state = 'sealed';
    await session.end();
  }

  async remove(nth: number): Promise<void> {
    const one = this.pick(nth, 'sealed');
    if (!one) return;
    // The catalog has granted it: from here on it is repeated until it is done.
    one.state = 'trashed';
    await this.busyWith(one, () => this.store.remove(grantOf(one.name), one.name));
  }

  async takeBack(nth: number): Promise<void> {
    const one = this.pick(nth, 'trashed');
    if (!one) return;
    one.state = 'sealed';
    await this.busyWith(one, () => this.store.takeBack(tombstoneOf(one.name), one.name));
  }

  async emptyTrash(nth: number): Promise<void> {
    const one = this.pick(nth, 'trashed');
    if (!one) return;
    one.state = 'gone';
    await this.busyWith(one, () => this.store.emptyTrash(tombstoneOf(one.name)));
  }

  async collect(): Promise<void> {
    await this.store.collect({ deadShareMin: 0 });
  }

  /** Reads everything slowly enough for others to come in between. */
  async readAll(): Promise<void> {
    for (const one of [...this.known]) {
      if (one.state === 'sealed' && !one.isBusy) await this.busyWith(one, () => this.read(one));
    }
  }

  async reopen(lost: 'nothing' | 'index' | 'references'): Promise<void> {
    await this.store.close();
    const memory = this.home?.state ?? new MemoryIndexState();
    if (lost !== 'nothing') {
      rmSync(join(this.folder, 'chunks', lost), { recursive: true, force: true });
    }
    await this.start(lost === 'index' ? new MemoryIndexState() : memory);
    if (lost !== 'references') return;
    const holdsAny = this.known.some(({ state }) => state !== 'gone');
    if (holdsAny) await expect(this.store.collect()).rejects.toThrow(/references were lost/);
    await this.store.releaseOrphans(confirmOrphans('volume', { knowsEveryRecipe: true })!);
  }

  /** What was acknowledged is there, and the counts are those of the recipes, no more and no less. */
  async check(): Promise<void> {
    for (const { name, seeds, state } of this.known) {
      if (state === 'sealed') {
        expect((await readArchive(this.store, name)).equals(archiveOf(seeds))).toBe(true);
      } else {
        expect((await this.store.recipes.stat(name))?.state).not.toBe('sealed');
      }
    }
    const expected = new Map<number, number>();
    for (const { seeds, state } of this.known) {
      if (state === 'gone') continue;
      for (const seed of new Set(seeds)) expected.set(seed, (expected.get(seed) ?? 0) + 1);
    }
    const index = this.index();
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
      if (one.state === 'sealed') await this.store.remove(grantOf(one.name), one.name);
      if (one.state !== 'gone') await this.store.emptyTrash(tombstoneOf(one.name));
      one.state = 'gone';
    }
    await this.check();
    await this.collect();
    const verdicts = [];
    for await (const verdict of this.store.verify()) verdicts.push(verdict);
    expect(verdicts).toEqual([]);
    for await (const container of this.index().containers()) expect(container).toBe('none');
  }

  async dispose(): Promise<void> {
    this.wakeUp();
    await this.store.close();
    for (const close of this.dead) await close();
    this.root.dispose();
  }

  private get folder(): string {
    return join(this.root.path, `life-${this.lives}`);
  }

  private index(): ChunkIndex {
    return (this.store as unknown as { parts: { index: ChunkIndex } }).parts.index;
  }

  private async read({ name, seeds }: Known): Promise<void> {
    const reader = await this.store.openArchive(name);
    const archive = archiveOf(seeds);
    for (let at = 0; at < archive.length; at += 3_000) {
      const expected = archive.subarray(at, at + 3_000);
      expect((await reader.read(at, expected.length)).equals(expected)).toBe(true);
    }
    await reader.close();
  }

  private async busyWith(one: Known, work: () => Promise<void>): Promise<void> {
    one.isBusy = true;
    await work();
    one.isBusy = false;
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
    cpSync(before, this.folder, { recursive: true });
    const { store, wakeUp } = this;
    const index = this.index();
    this.dead.push(async () => {
      wakeUp();
      await index.close().catch(() => undefined);
      await store.close().catch(() => undefined);
    });
    return this.home?.state.copy() ?? new MemoryIndexState();
  }

  private async restart(state: MemoryIndexState): Promise<void> {
    await this.start(state);
    // What the others repeat until it is done.
    for (const one of this.known) {
      const { name } = one;
      one.isBusy = false;
      const isSealed = (await this.store.recipes.stat(name))?.state === 'sealed';
      if (one.state === 'gone' && isSealed) one.state = 'sealed';
      if (one.state === 'trashed') await this.store.remove(grantOf(name), name);
      if (one.state === 'sealed') await this.store.takeBack(tombstoneOf(name), name);
      if (one.state === 'gone') await this.store.emptyTrash(tombstoneOf(name));
    }
  }

  private async start(state: MemoryIndexState): Promise<void> {
    this.crashed = new Promise((resolve) => (this.crash = resolve));
    this.wake = new Promise((_, reject) => (this.wakeUp = () => reject(new Crash())));
    this.wake.catch(() => undefined);
    const { wake, crash } = this;
    let isDead = false;
    const between = async () => {
      this.stepsLeft -= isDead ? 0 : 1;
      isDead ||= this.stepsLeft < 0;
      if (!isDead) return;
      crash();
      await wake;
    };
    this.home = this.onDisk ? undefined : new MemoryHome(state);
    const index = this.home ?? levelHome(join(this.folder, 'chunks', 'index'));
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
