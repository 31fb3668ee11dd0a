import type { Life } from '../../kernel/host.js';
import { DiskError } from '../../parts/disk.js';
import type { SimDisk } from '../../parts/sim-disk.js';

/** How one life of a program reaches its disk: one effect for each thing, each may fail. */
export class DiskLink {
  constructor(
    readonly life: Life,
    readonly disk: SimDisk,
  ) {}

  /** A write that fails may have written the first part. */
  append(path: string, bytes: Buffer): Promise<void> {
    return this.life.effect(`writes ${path}`, () => {
      const failure = this.fault();
      if (!failure) return this.disk.append(path, bytes);
      this.disk.append(path, bytes.subarray(0, failure.between(0, bytes.length)));
      throw new DiskError('EIO', path);
    });
  }

  sync(path: string): Promise<void> {
    return this.life.effect(`syncs ${path}`, () => {
      if (this.fault()) throw new DiskError('EIO', path);
      this.disk.sync(path);
    });
  }

  create(path: string): Promise<void> {
    return this.life.effect(`creates ${path}`, () => this.disk.create(path));
  }

  truncate(path: string, length: number): Promise<void> {
    return this.life.effect(`cuts ${path}`, () => this.disk.truncate(path, length));
  }

  rename(from: string, to: string): Promise<void> {
    return this.life.effect(`renames ${from}`, () => this.disk.rename(from, to));
  }

  remove(path: string): Promise<void> {
    return this.life.effect(`removes ${path}`, () => this.disk.remove(path));
  }

  syncFolder(folder: string): Promise<void> {
    return this.life.effect(`syncs folder ${folder}`, () => this.disk.syncFolder(folder));
  }

  read(path: string): Promise<Buffer> {
    return this.life.effect(`reads ${path}`, () => this.disk.read(path));
  }

  private fault() {
    return this.life.world.faults.strikes('write-error', this.life.host.name);
  }
}
