import { fromPathTextBytes, toPathTextBytes, type ByteString } from './path-text.js';
import type { EntryType } from './tar-block.js';

/**
 * One line of an index (see docs/formats.md, "Index"). Lines are handled as byte strings: decode a frame
 * as `latin1`, and encode as `latin1`. For `x` only `type` and `path` mean something.
 */
export interface IndexLine {
  readonly type: EntryType | 'x';
  readonly path: ByteString;
  readonly size: number;
  /** Decimal; see `nanoseconds.ts`. */
  readonly mtimeNs: string;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  /** Archive offset of the first header block of the entry that holds the data; -1 for `x`. */
  readonly offset: number;
  /** Archive bytes from there to the end of its padding; -1 for `x`. */
  readonly length: number;
  /** Letters of `s`, `m`, `t`; empty for none. */
  readonly flags: string;
  /** Of a symlink, or of a hard link the path of the entry that holds the data; else empty. */
  readonly target: ByteString;
  /** A hard link's own entry in the archive; else that of the file itself. */
  readonly own: { readonly offset: number; readonly length: number };
  readonly deviceMajor: number;
  readonly deviceMinor: number;
}

/** Text of an index frame is never more than this. */
export const INDEX_FRAME_BYTES_MAX = 256 * 1024;

const FIELDS = 11;

/** The line, with its newline, as a byte string. */
export function encodeIndexLine(line: IndexLine): ByteString {
  const columns = commonColumns(line);
  const where = line.type === 'x' ? '-\t-' : `${line.offset}\t${line.length}`;
  return `${columns}\t${where}\t${line.flags === '' ? '-' : line.flags}\t${extraOf(line)}\n`;
}

/** Columns 1 to 7, which index and listing share. */
export function commonColumns(
  line: Pick<IndexLine, 'type' | 'path' | 'size' | 'mtimeNs' | 'mode' | 'uid' | 'gid'>,
): ByteString {
  return `${line.type}\t${toPathTextBytes(line.path)}\t${line.size}\t${line.mtimeNs}\t${line.mode.toString(8)}\t${line.uid}\t${line.gid}`;
}

/** Reads a line, with or without its newline. @throws Error if it is not one. */
export function parseIndexLine(text: ByteString): IndexLine {
  const columns = (text.endsWith('\n') ? text.slice(0, -1) : text).split('\t');
  const [type, path, size, mtimeNs, mode, uid, gid, offset, length, flags, extra] = columns;
  if (columns.length !== FIELDS || !isType(type)) throw damaged(text);
  const main = { offset: placeOf(offset!, text), length: placeOf(length!, text) };
  const line = {
    type,
    path: fromPathTextBytes(path!),
    size: numberOf(size!, text),
    mtimeNs: mtimeNs!,
    mode: Number.parseInt(mode!, 8),
    uid: numberOf(uid!, text),
    gid: numberOf(gid!, text),
    ...main,
    flags: flags === '-' ? '' : flags!,
    target: '',
    own: main,
    deviceMajor: 0,
    deviceMinor: 0,
  };
  if (type === 'l') return { ...line, target: fromPathTextBytes(extra!) };
  if (type === 'h') {
    const [ownOffset, ownLength] = extra!.split(' ', 2);
    const own = { offset: placeOf(ownOffset!, text), length: placeOf(ownLength ?? '', text) };
    const target = extra!.slice(ownOffset!.length + ownLength!.length + 2);
    return { ...line, own, target: fromPathTextBytes(target) };
  }
  if (type === 'c' || type === 'b') {
    const [major, minor] = extra!.split(',');
    const parts = [numberOf(major!, text), numberOf(minor ?? '', text)] as const;
    return { ...line, deviceMajor: parts[0], deviceMinor: parts[1] };
  }
  return line;
}

function extraOf(line: IndexLine): ByteString {
  switch (line.type) {
    case 'l':
      return toPathTextBytes(line.target);
    case 'h':
      return `${line.own.offset} ${line.own.length} ${toPathTextBytes(line.target)}`;
    case 'c':
    case 'b':
      return `${line.deviceMajor},${line.deviceMinor}`;
    case 'f':
    case 'd':
    case 'p':
    case 'x':
      return '';
    default:
      return line.type satisfies never;
  }
}

function isType(text: string | undefined): text is IndexLine['type'] {
  return text !== undefined && text.length === 1 && 'fdlhpcbx'.includes(text);
}

function placeOf(text: string, line: string): number {
  return text === '-' ? -1 : numberOf(text, line);
}

function numberOf(text: string, line: string): number {
  const number = Number(text);
  if (text === '' || !Number.isSafeInteger(number) || number < 0) throw damaged(line);
  return number;
}

function damaged(line: string): Error {
  return new Error(`Not an index line: ${JSON.stringify(line.slice(0, 200))}`);
}
