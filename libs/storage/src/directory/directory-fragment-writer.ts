import { rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Manifest } from '#archive/manifest.js';
import { assert } from '#kernel/assert.js';
import { codeOf } from '#kernel/errors.js';
import { FragmentDamaged, FragmentUnreadable, writeError } from '../errors.js';
import { FirstFailure } from '../first-failure.js';
import {
  fileName,
  PARTIAL_SUFFIX,
  type ContentFile,
  type FragmentFile,
  type FragmentName,
} from '../fragment-name.js';
import type { FragmentWriter, SealedFragmentReader } from '../fragment-store.js';
import { assertManifest, recipeManifestText } from '../manifest-check.js';
import type { SpaceGate } from '../space-gate.js';
import { AppendFile } from './append-file.js';
import { copyObject } from './copy-object.js';
import { statIfThere, syncFolder } from './sync-folder.js';

export interface WriterOptions {
  readonly gate: SpaceGate;
  readonly content: ContentFile;
  /** See `AppendFile.create`. */
  readonly isReadSoon: boolean;
  /**
   * Done by `seal` when all of the fragment is durable under its temporary names, and before anything
   * of it appears. When a crash comes behind it, `appearAsSealed` does the rest.
   */
  readonly beforeVisible?: (() => Promise<void>) | undefined;
  /** Removes its folder, and that of the image, where nothing is in them any more. */
  readonly removeEmpty: () => Promise<void>;
}

/** Writes one fragment into a copy's folder: three files with temporary names until it is sealed. */
export class DirectoryFragmentWriter implements FragmentWriter {
  private closed = false;
  /** From then on its files may have got their names, or be read by whoever finishes its seal. */
  private isSealing = false;
  private readonly failure = new FirstFailure((error) => {
    const ofSource = error instanceof FragmentUnreadable || error instanceof FragmentDamaged;
    return ofSource ? error : writeError(this.folder, error);
  });

  private constructor(
    readonly name: FragmentName,
    private readonly folder: string,
    private readonly options: WriterOptions,
    private readonly files: { data: AppendFile; index: AppendFile },
  ) {}

  static async create(
    name: FragmentName,
    folder: string,
    options: WriterOptions,
  ): Promise<DirectoryFragmentWriter> {
    const { content, isReadSoon } = options;
    const data = await AppendFile.create(partialPath(folder, name, content), { isReadSoon });
    try {
      const index = await AppendFile.create(partialPath(folder, name, 'index'), { isReadSoon });
      return new DirectoryFragmentWriter(name, folder, options, { data, index });
    } catch (error) {
      await data.close();
      throw error;
    }
  }

  get dataBytes(): number {
    return this.files.data.bytes;
  }

  get indexBytes(): number {
    return this.files.index.bytes;
  }

  writeData(pieces: readonly Buffer[]): Promise<void> {
    return this.attempt(() => this.append(this.files.data, pieces));
  }

  writeIndex(pieces: readonly Buffer[]): Promise<void> {
    return this.attempt(() => this.append(this.files.index, pieces));
  }

  copyFrom(source: SealedFragmentReader): Promise<void> {
    assert(this.dataBytes === 0 && this.indexBytes === 0, 'a copy into what is written already');
    return this.attempt(async () => {
      await this.options.gate.take(source.size('data') + source.size('index'));
      await copyObject(source, 'data', this.files.data);
      await copyObject(source, 'index', this.files.index);
    });
  }

  seal(manifest: Manifest): Promise<void> {
    const { name, dataBytes, indexBytes } = this;
    assertManifest(manifest, { name, dataBytes, indexBytes });
    return this.sealWith(`${JSON.stringify(manifest)}\n`);
  }

  /** Reads the data back. Throws `FragmentDamaged` for another digest (hex). */
  expectData(digest: string): Promise<void> {
    return this.attempt(async () => {
      if ((await this.files.data.digest()) === digest) return;
      throw new FragmentDamaged(this.name.fragmentId, 'has data that are not what was written');
    });
  }

  /** Like `seal`, where what was written is a recipe of the data that the manifest is of. */
  sealRecipe(manifest: Manifest, recipeDigest: string): Promise<void> {
    const { name, dataBytes, indexBytes } = this;
    assertManifest(manifest, { name, dataBytes: manifest.storedBytes, indexBytes });
    return this.sealWith(recipeManifestText(manifest, { bytes: dataBytes, digest: recipeDigest }));
  }

  async abandon(): Promise<void> {
    try {
      await this.close();
    } catch {
      // The descriptor is gone either way, and nothing of an abandoned fragment is relied on.
    }
  }

  async discard(): Promise<boolean> {
    await this.abandon();
    if (this.isSealing) return false;
    const { name, folder, options } = this;
    try {
      for (const file of [options.content, 'index'] as const) {
        await rm(partialPath(folder, name, file), { force: true });
      }
      await options.removeEmpty();
      return true;
    } catch {
      // It stays as partial, as it would after a crash.
      return false;
    }
  }

  private sealWith(manifestText: string): Promise<void> {
    const { name } = this;
    return this.attempt(async () => {
      this.isSealing = true;
      const { data, index } = this.files;
      const manifestFile = await AppendFile.create(partialPath(this.folder, name, 'manifest'));
      try {
        await manifestFile.append([Buffer.from(manifestText, 'utf8')]);
        await Promise.all([data.sync(), index.sync(), manifestFile.sync()]);
      } finally {
        await manifestFile.close();
      }
      await this.close();
      if (this.options.beforeVisible) {
        await syncFolder(this.folder);
        await this.options.beforeVisible();
      }
      await appearAsSealed(name, this.folder, this.options.content);
    });
  }

  private async append(file: AppendFile, pieces: readonly Buffer[]): Promise<void> {
    let bytes = 0;
    for (const piece of pieces) bytes += piece.length;
    await this.options.gate.take(bytes);
    await file.append(pieces);
  }

  private async attempt(work: () => Promise<void>): Promise<void> {
    assert(!this.closed, 'a closed fragment is written');
    await this.failure.attempt(work);
  }

  private async close(): Promise<void> {
    if (this.closed) return;
    this.closed = true;
    await Promise.all([this.files.data.close(), this.files.index.close()]);
  }
}

/**
 * Gives a fragment that is durable under its temporary names its own. May be repeated after a crash in
 * between: what has its name already is left alone.
 */
export async function appearAsSealed(
  name: FragmentName,
  folder: string,
  content: ContentFile,
): Promise<void> {
  const appear = async (file: FragmentFile) => {
    const path = join(folder, fileName(name, file));
    try {
      await rename(path + PARTIAL_SUFFIX, path);
    } catch (error) {
      if (codeOf(error) !== 'ENOENT' || !(await statIfThere(path))) throw error;
    }
  };
  await appear(content);
  await appear('index');
  // The manifest's name must not reach the disk before the others do.
  await syncFolder(folder);
  await appear('manifest');
  await syncFolder(folder);
}

function partialPath(folder: string, name: FragmentName, file: FragmentFile): string {
  return join(folder, fileName(name, file) + PARTIAL_SUFFIX);
}
