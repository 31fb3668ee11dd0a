import { join } from 'node:path';
import type { Manifest } from '#archive/manifest.js';
import { assert } from '#kernel/assert.js';
import { PermanentError, Unavailable } from '#kernel/errors.js';
import { FragmentDamaged, writeError } from '../errors.js';
import { FirstFailure } from '../first-failure.js';
import { copyFolder, fileName, PARTIAL_SUFFIX, type FragmentName } from '../fragment-name.js';
import type { FragmentWriter, SealedFragmentReader } from '../fragment-store.js';
import { assertManifest } from '../manifest-check.js';
import { NoMediaLeft } from './sequential-errors.js';
import type { SequentialLibrary } from './sequential-library.js';
import type { SpoolPlace } from './spool.js';

export interface SequentialWriterOptions {
  /** Writes the files in the spool. */
  readonly inner: FragmentWriter;
  readonly library: SequentialLibrary;
  readonly spoolFolder: string;
  readonly place: SpoolPlace;
  /** Gives up the files in the spool: the fragment is on its volume. */
  readonly drop: () => Promise<void>;
}

/** Gathers a fragment in the spool; the seal writes it to a volume in one run. */
export class SequentialFragmentWriter implements FragmentWriter {
  private readonly failure = new FirstFailure((error) => {
    const isClear = error instanceof PermanentError || error instanceof Unavailable;
    return isClear ? error : writeError(this.options.spoolFolder, error);
  });
  /** From then on it may be on a volume, whatever comes of the seal. */
  private isSealing = false;
  /** The library reads what is in the spool. */
  private isRead = false;
  private sealed = false;

  constructor(private readonly options: SequentialWriterOptions) {}

  get name(): FragmentName {
    return this.options.inner.name;
  }

  get dataBytes(): number {
    return this.options.inner.dataBytes;
  }

  get indexBytes(): number {
    return this.options.inner.indexBytes;
  }

  writeData(pieces: readonly Buffer[]): Promise<void> {
    const { inner, place } = this.options;
    return this.attempt(async () => {
      const bytes = sum(pieces);
      this.expectMedia(bytes);
      place.take(bytes);
      await inner.writeData(pieces);
    });
  }

  writeIndex(pieces: readonly Buffer[]): Promise<void> {
    const { inner } = this.options;
    return this.attempt(async () => {
      this.expectMedia(sum(pieces));
      await inner.writeIndex(pieces);
    });
  }

  copyFrom(source: SealedFragmentReader): Promise<void> {
    const { inner, place } = this.options;
    return this.attempt(async () => {
      this.expectMedia(source.size('data') + source.size('index'));
      place.take(source.size('data'));
      await inner.copyFrom(source);
    });
  }

  seal(manifest: Manifest): Promise<void> {
    const { name, dataBytes, indexBytes } = this;
    assertManifest(manifest, { name, dataBytes, indexBytes });
    return this.attempt(async () => {
      const { inner, place, drop } = this.options;
      this.isSealing = true;
      await inner.abandon();
      await this.writeToVolume(manifest);
      this.sealed = true;
      await drop();
      place.leave('nothing');
    });
  }

  async abandon(): Promise<void> {
    await this.options.inner.abandon();
    this.options.place.leave('everything');
  }

  async discard(): Promise<boolean> {
    const { inner, place } = this.options;
    if (this.isRead) {
      await this.abandon();
      return false;
    }
    // A seal that failed is never gone on with: what the spool has of it is of use to nobody.
    const isGone = await inner.discard();
    place.leave(isGone ? 'nothing' : 'everything');
    return isGone && !this.isSealing;
  }

  private async writeToVolume(manifest: Manifest): Promise<void> {
    const { name, options } = this;
    const { library, spoolFolder } = options;
    const path = (file: 'data' | 'index') =>
      join(spoolFolder, ...copyFolder(name), fileName(name, file) + PARTIAL_SUFFIX);
    this.isRead = true;
    try {
      await library.write({ manifest, data: path('data'), index: path('index') });
    } catch (error) {
      // The disk of the spool has lost it: no fragment of anybody's is damaged.
      throw error instanceof FragmentDamaged ? writeError(spoolFolder, error) : error;
    } finally {
      this.isRead = false;
    }
  }

  /** Throws `NoMediaLeft` where no volume takes so many bytes more. */
  private expectMedia(bytes: number): void {
    const { library } = this.options;
    if (this.dataBytes + this.indexBytes + bytes <= library.largestRoom()) return;
    throw new NoMediaLeft(library.pool);
  }

  private async attempt(work: () => Promise<void>): Promise<void> {
    assert(!this.sealed, 'a sealed fragment is written');
    await this.failure.attempt(work);
  }
}

function sum(pieces: readonly Buffer[]): number {
  return pieces.reduce((bytes, piece) => bytes + piece.length, 0);
}
