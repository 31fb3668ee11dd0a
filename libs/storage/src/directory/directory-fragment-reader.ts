import { open, readFile, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import type { Manifest } from '#archive/manifest.js';
import { FragmentUnreadable, readError } from '../errors.js';
import { fileName, type ContentFile, type FragmentName } from '../fragment-name.js';
import type { FragmentObject, SealedFragmentReader } from '../fragment-store.js';
import { readManifest } from '../manifest-check.js';
import { checkRange } from '../read-range.js';

/** Reads one sealed fragment of a copy's folder. Its descriptors are open for reading only. */
export class DirectoryFragmentReader implements SealedFragmentReader {
  private constructor(
    readonly manifest: Manifest,
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
      const manifest = readManifest(text, name);
      if (typeof manifest === 'string') throw new FragmentUnreadable(name.fragmentId, manifest);
      const data = await openObject(join(folder, fileName(name, content)), opened);
      const index = await openObject(join(folder, fileName(name, 'index')), opened);
      await expectSize(data, manifest.storedBytes);
      await expectSize(index, manifest.indexBytes);
      return new DirectoryFragmentReader(manifest, { data, index });
    } catch (error) {
      await Promise.all(opened.map((handle) => handle.close()));
      throw readError(name.fragmentId, 'cannot be opened', error);
    }
  }

  get descriptors(): Readonly<Record<FragmentObject, number>> {
    return { data: this.handles.data.fd, index: this.handles.index.fd };
  }

  size(object: FragmentObject): number {
    return object === 'data' ? this.manifest.storedBytes : this.manifest.indexBytes;
  }

  async read(object: FragmentObject, offset: number, length: number): Promise<Buffer> {
    checkRange(this, { object, offset, length });
    const buffer = Buffer.allocUnsafe(length);
    let filled = 0;
    while (filled < length) {
      const bytesRead = await this.fill(object, buffer.subarray(filled), offset + filled);
      filled += bytesRead;
    }
    return buffer;
  }

  async close(): Promise<void> {
    await Promise.all([this.handles.data.close(), this.handles.index.close()]);
  }

  private async fill(object: FragmentObject, buffer: Buffer, position: number): Promise<number> {
    const { fragmentId } = this.manifest;
    let bytesRead: number;
    try {
      ({ bytesRead } = await this.handles[object].read(buffer, 0, buffer.length, position));
    } catch (error) {
      throw readError(fragmentId, `${object} at ${position}`, error);
    }
    if (bytesRead === 0) throw new FragmentUnreadable(fragmentId, `${object} ends at ${position}`);
    return bytesRead;
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
