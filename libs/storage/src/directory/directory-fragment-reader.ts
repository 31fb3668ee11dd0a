import { open, readFile, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import type { Manifest } from '#archive/manifest.js';
import { FragmentUnreadable, readError } from '../errors.js';
import { fileName, type ContentFile, type FragmentName } from '../fragment-name.js';
import type { FragmentObject, SealedFragmentReader } from '../fragment-store.js';
import { readManifestOnDisk, type ManifestOnDisk } from '../manifest-check.js';
import { checkRange, readInto } from '../read-range.js';

/**
 * Reads the files of one sealed fragment of a copy's folder: its data are the recipe where that is what lies there. Its descriptors are open for reading only. */
export class DirectoryFragmentReader implements SealedFragmentReader {
  private constructor(
    private readonly found: ManifestOnDisk,
    private readonly handles: Record<FragmentObject, FileHandle>,
  ) {}

  static async open(
    name: FragmentName,
    folder: string,
    content: ContentFile,
  ): Promise<DirectoryFragmentReader> {
    const opened: FileHandle[] = [];
    try {
      const text = await readFile(join(folder, fileName(name, 'manifest')), 'utf8');
      const found = readManifestOnDisk(text, name, content);
      if (typeof found === 'string') throw new FragmentUnreadable(name.fragmentId, found);
      const { manifest, fileBytes } = found;
      const data = await openObject(join(folder, fileName(name, content)), opened);
      const index = await openObject(join(folder, fileName(name, 'index')), opened);
      await expectSize(data, fileBytes);
      await expectSize(index, manifest.indexBytes);
      return new DirectoryFragmentReader(found, { data, index });
    } catch (error) {
      await Promise.all(opened.map((handle) => handle.close()));
      throw readError(name.fragmentId, 'cannot be opened', error);
    }
  }

  get manifest(): Manifest {
    return this.found.manifest;
  }

  get descriptors(): Readonly<Record<FragmentObject, number>> {
    return { data: this.handles.data.fd, index: this.handles.index.fd };
  }

  size(object: FragmentObject): number {
    return object === 'data' ? this.found.fileBytes : this.manifest.indexBytes;
  }

  async read(
    object: FragmentObject,
    offset: number,
    length: number,
    into?: Buffer,
  ): Promise<Buffer> {
    checkRange(this, { object, offset, length });
    const { fragmentId } = this.manifest;
    const buffer = into?.subarray(0, length) ?? Buffer.allocUnsafe(length);
    let filled: number;
    try {
      filled = await readInto(buffer, this.handles[object], offset);
    } catch (error) {
      throw readError(fragmentId, `${object} at ${offset}`, error);
    }
    if (filled === length) return buffer;
    throw new FragmentUnreadable(fragmentId, `${object} ends at ${offset + filled}`);
  }

  async close(): Promise<void> {
    await Promise.all([this.handles.data.close(), this.handles.index.close()]);
  }
}

async function openObject(path: string, opened: FileHandle[]): Promise<FileHandle> {
  const handle = await open(path, 'r');
  opened.push(handle);
  return handle;
}

async function expectSize(handle: FileHandle, bytes: number): Promise<void> {
  const { size } = await handle.stat();
  if (size !== bytes) throw new Error(`a file has ${size} bytes, its manifest says ${bytes}`);
}
