import { dirname } from 'node:path';
import type { Chance } from '../kernel/chance.js';
import { DiskError, type Disk } from './disk.js';

interface Inode {
  content: Buffer;
  /** What a power loss leaves for certain. */
  synced: Buffer;
}

/** A change of names that a power loss may undo. */
interface NameChange {
  readonly inode: Inode;
  readonly from: string | undefined;
  readonly to: string | undefined;
}

/**
 * A disk in memory that keeps the laws and not a bit more: at a power loss it drops or tears what was
 * not synced, file by file and name by name, in no order but that a name can't be kept without what
 * it came from.
 */
export class SimDisk implements Disk {
  private names = new Map<string, Inode>();
  private durableNames = new Map<string, Inode>();
  private pending: NameChange[] = [];
  private listeners: ((path: string) => void)[] = [];
  /** Rises with every change, so that a check need not look twice. */
  version = 0;

  private readonly changed = new Map<string, number>();
  /** While it is set nothing can be appended. */
  isFull = false;

  constructor(private readonly now: () => number = () => 0) {}

  /** Called before a name goes away, unless it only gets another ending in the same folder. */
  whenLeaving(listener: (path: string) => void): void {
    this.listeners.push(listener);
  }

  create(path: string): void {
    if (this.names.has(path)) throw new DiskError('EEXIST', path);
    const inode: Inode = { content: Buffer.alloc(0), synced: Buffer.alloc(0) };
    this.change({ inode, from: undefined, to: path });
  }

  append(path: string, bytes: Buffer): void {
    const inode = this.inode(path);
    if (this.isFull) throw new DiskError('ENOSPC', path);
    inode.content = Buffer.concat([inode.content, bytes]);
    this.version += 1;
  }

  truncate(path: string, length: number): void {
    const inode = this.inode(path);
    inode.content = inode.content.subarray(0, length);
    this.version += 1;
  }

  read(path: string): Buffer {
    return Buffer.from(this.inode(path).content);
  }

  exists(path: string): boolean {
    return this.names.has(path);
  }

  list(folder: string): string[] {
    const prefix = `${folder}/`;
    const inside = [...this.names.keys()].filter((path) => path.startsWith(prefix));
    return [...new Set(inside.map((path) => path.slice(prefix.length).split('/')[0]!))].sort();
  }

  sync(path: string): void {
    const inode = this.inode(path);
    inode.synced = inode.content;
    this.version += 1;
  }

  syncFolder(folder: string): void {
    const touches = ({ from, to }: NameChange) =>
      [from, to].some((path) => path !== undefined && dirname(path) === folder);
    const durable = new Set(this.pending.filter(touches));
    // What they build on: earlier changes to the same file or the same name.
    for (const later of [...this.pending].reverse()) {
      if (!durable.has(later)) continue;
      for (const earlier of this.before(later)) durable.add(earlier);
    }
    for (const change of this.pending) if (durable.has(change)) apply(this.durableNames, change);
    this.pending = this.pending.filter((change) => !durable.has(change));
    this.version += 1;
  }

  rename(from: string, to: string): void {
    const inode = this.inode(from);
    if (from !== to) this.change({ inode, from, to });
  }

  remove(path: string): void {
    this.change({ inode: this.inode(path), from: path, to: undefined });
  }

  /** The power fails: back to what was synced, and some of the rest by chance. */
  losePower(chance: Chance): void {
    const kept = new Set<NameChange>();
    for (const change of this.pending) {
      if (!this.before(change).every((each) => kept.has(each))) continue;
      if (chance.happens(0.5)) kept.add(change);
    }
    for (const change of kept) apply(this.durableNames, change);
    this.names = new Map(this.durableNames);
    this.pending = [];
    for (const inode of new Set(this.names.values())) {
      inode.content = torn(inode, chance);
      inode.synced = inode.content;
    }
    this.version += 1;
  }

  /** When a name in the folder last came or went. */
  changedAt(folder: string): number {
    return this.changed.get(folder) ?? 0;
  }

  /** What a power loss now would surely leave under a name. */
  durable(path: string): Buffer | undefined {
    return this.durableNames.get(path)?.synced;
  }

  private change(change: NameChange): void {
    const { from, to } = change;
    if (from !== undefined) for (const each of this.listeners) each(from);
    if (to !== undefined && this.names.has(to)) for (const each of this.listeners) each(to);
    apply(this.names, change);
    for (const path of [from, to]) if (path) this.changed.set(dirname(path), this.now());
    this.pending.push(change);
    this.version += 1;
  }

  private before(change: NameChange): NameChange[] {
    const names = [change.from, change.to].filter((name) => name !== undefined);
    const earlier = this.pending.slice(0, this.pending.indexOf(change));
    return earlier.filter(
      ({ inode, from, to }) =>
        inode === change.inode || [from, to].some((name) => name && names.includes(name)),
    );
  }

  private inode(path: string): Inode {
    const inode = this.names.get(path);
    if (inode === undefined) throw new DiskError('ENOENT', path);
    return inode;
  }
}

function apply(names: Map<string, Inode>, { inode, from, to }: NameChange): void {
  if (from !== undefined && names.get(from) === inode) names.delete(from);
  if (to !== undefined) names.set(to, inode);
}

/** A file after a power loss: what was synced, then a part of what was not, then perhaps zeros. */
function torn({ content, synced }: Inode, chance: Chance): Buffer {
  if (content.equals(synced)) return content;
  const hasOnlyGrown =
    content.length > synced.length && content.subarray(0, synced.length).equals(synced);
  // Cut shorter and not synced: either length.
  if (!hasOnlyGrown) return chance.happens(0.5) ? content : synced;
  const length = chance.between(synced.length, content.length);
  const zeros = chance.happens(0.3) ? chance.between(0, content.length - length) : 0;
  return Buffer.concat([content.subarray(0, length), Buffer.alloc(zeros)]);
}
