import type { ArchiveEntry } from './archive-entry.js';
import { writeByteText, writeZeros } from './byte-text.js';
import { paxRecordsOf } from './tar/pax-records.js';
import type { ByteString } from './path-text.js';
import { dataBytesOf, encodeSparseMap } from './sparse-map.js';
import { TAR_BLOCK_BYTES, paddedToBlock } from './tar-block.js';
import {
  USTAR_NAME_BYTES_MAX,
  ustarSplit,
  writeUstarHeader,
  type UstarFields,
} from './tar/ustar-header.js';

const TYPE_FLAGS = { f: '0', h: '1', l: '2', c: '3', b: '4', d: '5', p: '6' } as const;

/**
 * Lays out the headers of one entry after another: `prepare`, then `write` where `headerBytes` are
 * free. What a plain entry needs is kept in fields that are used again, so it costs no allocation.
 */
export class PaxWriter {
  /** Bytes that `write` will write: header blocks and the map of a sparse file. */
  headerBytes = 0;
  /** Bytes of content that must follow, without the padding to a whole block. */
  contentBytes = 0;

  #records: ByteString = '';
  #map: Buffer | undefined;
  readonly #fields = blankFields();
  readonly #recordFields = {
    ...blankFields(),
    name: 'PaxHeaders/entry',
    mode: 0o644,
    typeFlag: 'x',
  };

  /** Bytes from the first header block to the end of the padding. */
  get entryBytes(): number {
    return this.headerBytes + paddedToBlock(this.contentBytes);
  }

  prepare(entry: ArchiveEntry): void {
    const path = archiveName(entry);
    const split = entry.sparse ? 0 : ustarSplit(path);
    this.#map = entry.sparse ? encodeSparseMap(entry.sparse, entry.size) : undefined;
    const mapBytes = this.#map?.length ?? 0;
    this.contentBytes = entry.sparse ? dataBytesOf(entry.sparse) : entry.size;
    this.#records = paxRecordsOf(entry, split >= 0, mapBytes + this.contentBytes);
    const recordBlocks =
      this.#records === '' ? 0 : TAR_BLOCK_BYTES + paddedToBlock(this.#records.length);
    this.headerBytes = recordBlocks + TAR_BLOCK_BYTES + mapBytes;
    this.#fill(entry, path, split);
    this.#fields.size = mapBytes + this.contentBytes;
  }

  /** Writes what was prepared at `offset`; the target must have `headerBytes` left there. */
  write(target: Buffer, offset: number): void {
    let at = offset;
    if (this.#records !== '') {
      const length = this.#records.length;
      this.#recordFields.size = length;
      writeUstarHeader(target, at, this.#recordFields);
      at += TAR_BLOCK_BYTES;
      writeByteText(target, at, this.#records);
      writeZeros(target, at + length, at + paddedToBlock(length));
      at += paddedToBlock(length);
    }
    writeUstarHeader(target, at, this.#fields);
    if (this.#map) target.set(this.#map, at + TAR_BLOCK_BYTES);
  }

  #fill(entry: ArchiveEntry, path: ByteString, split: number): void {
    const fields = this.#fields;
    if (entry.sparse) {
      const base = path.slice(path.lastIndexOf('/') + 1);
      fields.name = `GNUSparseFile.0/${base}`.slice(0, USTAR_NAME_BYTES_MAX);
      fields.prefix = '';
    } else {
      fields.name = split > 0 ? path.slice(split + 1) : path.slice(0, USTAR_NAME_BYTES_MAX);
      fields.prefix = split > 0 ? path.slice(0, split) : '';
    }
    fields.mode = entry.mode;
    fields.uid = entry.uid;
    fields.gid = entry.gid;
    fields.mtime = entry.mtimeSeconds;
    fields.typeFlag = TYPE_FLAGS[entry.type];
    fields.linkName = entry.linkTarget.slice(0, USTAR_NAME_BYTES_MAX);
    fields.userName = entry.userName;
    fields.groupName = entry.groupName;
    fields.deviceMajor = entry.deviceMajor;
    fields.deviceMinor = entry.deviceMinor;
  }
}

/** The name as tar has it: a folder with a slash at its end, `/` itself as `./`. */
function archiveName(entry: ArchiveEntry): ByteString {
  if (entry.path === '') return './';
  return entry.type === 'd' ? `${entry.path}/` : entry.path;
}

function blankFields(): UstarFields {
  return {
    name: '',
    prefix: '',
    mode: 0,
    uid: 0,
    gid: 0,
    size: 0,
    mtime: 0,
    typeFlag: '0',
    linkName: '',
    userName: '',
    groupName: '',
    deviceMajor: 0,
    deviceMinor: 0,
  };
}
