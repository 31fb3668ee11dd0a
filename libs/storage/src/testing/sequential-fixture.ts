import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { FixedClock } from '#kernel/clock.js';
import { FileChanger } from '../file-library/file-changer.js';
import type { WantedVolume } from '../library-books/choose-volume.js';
import { SequentialFragmentStore } from '../sequential/sequential-fragment-store.js';
import { SequentialLibrary, type LibraryStep } from '../sequential/sequential-library.js';
import { testFolder, type TestFolder } from './small-volume.js';

export interface SequentialShape {
  readonly cartridges?: number;
  readonly capacityBytes?: number;
  readonly drives?: number;
  readonly spoolBytesMax?: number;
  readonly pool?: string;
}

/** A library with blank cartridges in a folder of its own, and a store on it. */
export class SequentialFixture {
  readonly wanted: (readonly WantedVolume[])[] = [];
  readonly said: string[] = [];
  /** What an operator does about a mount request; default: nobody is there. */
  operator: (wanted: readonly WantedVolume[]) => Promise<void> = async () => {
    throw new Error('nobody brings a volume');
  };
  onStep: (step: LibraryStep) => void = () => undefined;
  changer!: FileChanger;
  library!: SequentialLibrary;
  store!: SequentialFragmentStore;
  readonly clock = new FixedClock(new Date('2026-01-01T00:00:00Z'));

  private constructor(
    readonly folder: TestFolder,
    private readonly shape: SequentialShape,
  ) {}

  static async start(shape: SequentialShape = {}): Promise<SequentialFixture> {
    const fixture = new SequentialFixture(testFolder(), shape);
    for (const name of ['library', 'spool']) mkdirSync(fixture.path(name));
    const changer = await fixture.openChanger();
    const { cartridges = 3, capacityBytes = 64 * 1024 * 1024 } = shape;
    for (let slot = 1; slot <= cartridges; slot += 1) {
      const barcode = `T0000${slot}`;
      await changer.addCartridge(slot, { barcode, capacityBytes });
    }
    await changer.close();
    await fixture.open();
    return fixture;
  }

  path(...names: readonly string[]): string {
    return join(this.folder.path, ...names);
  }

  /** As a process does at its start. */
  async open(): Promise<void> {
    this.changer = await this.openChanger();
    this.library = await SequentialLibrary.open({
      ledgerFolder: this.path('ledger'),
      changer: this.changer,
      mounts: {
        need: async (wanted) => {
          this.wanted.push(wanted);
          await this.operator(wanted);
        },
      },
      mediaId: 'media1',
      pool: this.shape.pool ?? 'tape',
      clock: this.clock,
      log: (_, text) => void this.said.push(text),
      onStep: (step) => this.onStep(step),
      stayMs: 5,
    });
    this.store = await SequentialFragmentStore.open({
      library: this.library,
      spoolFolder: this.path('spool'),
      spoolReserveBytes: 0,
      spoolBytesMax: this.shape.spoolBytesMax ?? 1024 ** 3,
    });
  }

  async close(): Promise<void> {
    await this.library.close();
  }

  async reopen(): Promise<void> {
    await this.close();
    await this.open();
  }

  async dispose(): Promise<void> {
    await this.close();
    this.folder.dispose();
  }

  private openChanger(): Promise<FileChanger> {
    const drives = this.shape.drives ?? 2;
    return FileChanger.open({ folder: this.path('library'), slots: 6, drives });
  }
}
