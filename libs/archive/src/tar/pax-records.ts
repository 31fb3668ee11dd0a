import type { ArchiveEntry } from '../archive-entry.js';
import { parsePaxTime, paxTime } from '../nanoseconds.js';
import { isAscii, isUtf8Bytes, type ByteString } from '../path-text.js';
import { USTAR_ID_MAX, USTAR_NAME_BYTES_MAX, USTAR_SIZE_MAX, fitsMtime } from './ustar-header.js';

/** Records of one entry that are larger than this (bytes) are refused; xattrs are what makes them so. */
export const PAX_RECORDS_BYTES_MAX = 16 * 1024 * 1024;

const XATTR_PREFIX = 'SCHILY.xattr.';

/** One record: its own length in decimal, a blank, `key=value`, a newline. */
export function paxRecord(key: string, value: ByteString): ByteString {
  const rest = key.length + value.length + 3;
  let length = rest + String(rest).length;
  length = rest + String(length).length;
  return `${length} ${key}=${value}\n`;
}

/**
 * The records that an entry needs beside its ustar header; empty for an entry that needs none.
 * @param pathFits whether the path went into the ustar header
 * @param storedSize bytes that follow the header: content, and the map of a sparse file
 */
export function paxRecordsOf(
  entry: ArchiveEntry,
  pathFits: boolean,
  storedSize: number,
): ByteString {
  let records = '';
  if (entry.mtimeNanos !== 0 || !fitsMtime(entry.mtimeSeconds)) {
    records += paxRecord('mtime', paxTime(entry.mtimeSeconds, entry.mtimeNanos));
  }
  const linkFits = entry.linkTarget.length <= USTAR_NAME_BYTES_MAX;
  const texts: [string, ByteString][] = [];
  if (entry.sparse) texts.push(['GNU.sparse.name', entry.path]);
  else if (!pathFits) texts.push(['path', entry.path]);
  if (!linkFits) texts.push(['linkpath', entry.linkTarget]);
  if (entry.sparse) {
    records += '22 GNU.sparse.major=1\n22 GNU.sparse.minor=0\n';
    records += paxRecord('GNU.sparse.realsize', String(entry.size));
  }
  for (const [key, value] of texts) records += paxRecord(key, value);
  if (texts.some(([, value]) => !isAscii(value) && !isUtf8Bytes(value))) {
    records = paxRecord('hdrcharset', 'BINARY') + records;
  }
  if (storedSize > USTAR_SIZE_MAX) records += paxRecord('size', String(storedSize));
  if (entry.uid > USTAR_ID_MAX) records += paxRecord('uid', String(entry.uid));
  if (entry.gid > USTAR_ID_MAX) records += paxRecord('gid', String(entry.gid));
  if (entry.aclAccess) records += paxRecord('SCHILY.acl.access', entry.aclAccess);
  if (entry.aclDefault) records += paxRecord('SCHILY.acl.default', entry.aclDefault);
  if (entry.xattrs) records += xattrRecords(entry.xattrs);
  return records;
}

/**
 * Reads records into `into`, values as byte strings.
 * @throws Error if a record's length does not add up.
 */
export function parsePaxRecords(body: Buffer, into: Map<string, ByteString>): void {
  for (let at = 0; at < body.length;) {
    const blank = body.indexOf(0x20, at);
    const digits = blank < 0 ? '' : body.toString('latin1', at, blank);
    const end = at + Number(digits);
    const equals = body.indexOf(0x3d, blank);
    const sound =
      /^\d{1,9}$/.test(digits) &&
      end <= body.length &&
      equals > blank &&
      equals < end &&
      body[end - 1] === 0x0a;
    if (!sound) throw new Error('A pax record is damaged');
    into.set(
      body.toString('latin1', blank + 1, equals),
      body.toString('latin1', equals + 1, end - 1),
    );
    at = end;
  }
}

/**
 * The value of one record; the others are not read. What is behind them does not matter. Undefined if it
 * is not there, or behind one whose length does not add up.
 */
export function paxValue(records: Buffer, key: ByteString): ByteString | undefined {
  for (let at = 0; at < records.length;) {
    let blank = at;
    let length = 0;
    for (let digit = digitAt(records, blank); digit >= 0; digit = digitAt(records, blank)) {
      length = length * 10 + digit;
      blank += 1;
    }
    const equals = blank + 1 + key.length;
    const end = at + length;
    if (records[blank] !== 0x20 || end <= blank || end > records.length) return undefined;
    const isIt =
      records[equals] === 0x3d &&
      equals < end &&
      records.toString('latin1', blank + 1, equals) === key;
    if (isIt) return records.toString('latin1', equals + 1, end - 1);
    at = end;
  }
  return undefined;
}

/** -1 for what is none. */
function digitAt(text: Buffer, at: number): number {
  const digit = (text[at] ?? 0) - 0x30;
  return digit <= 9 ? digit : -1;
}

/** Lays records over an entry that came from a ustar header. Unknown keys are passed over. */
export function applyPaxRecords(
  entry: ArchiveEntry,
  records: ReadonlyMap<string, ByteString>,
): void {
  let xattrs: Map<string, Buffer> | undefined;
  for (const [key, value] of records) {
    if (key === 'path' || key === 'GNU.sparse.name') entry.path = value;
    else if (key === 'linkpath') entry.linkTarget = value;
    else if (key === 'size') entry.size = decimal(key, value);
    else if (key === 'uid') entry.uid = decimal(key, value);
    else if (key === 'gid') entry.gid = decimal(key, value);
    else if (key === 'uname') entry.userName = value;
    else if (key === 'gname') entry.groupName = value;
    else if (key === 'mtime') {
      const time = parsePaxTime(value);
      entry.mtimeSeconds = time.seconds;
      entry.mtimeNanos = time.nanos;
    } else if (key === 'SCHILY.acl.access') entry.aclAccess = value;
    else if (key === 'SCHILY.acl.default') entry.aclDefault = value;
    else if (key.startsWith(XATTR_PREFIX)) {
      xattrs ??= new Map();
      xattrs.set(decodeKeyword(key.slice(XATTR_PREFIX.length)), Buffer.from(value, 'latin1'));
    }
  }
  entry.xattrs = xattrs;
}

function xattrRecords(xattrs: ReadonlyMap<string, Buffer>): ByteString {
  let records = '';
  for (const [name, value] of xattrs) {
    records += paxRecord(
      XATTR_PREFIX + encodeKeyword(name),
      value.toString('latin1', 0, value.length),
    );
  }
  return records;
}

/** A keyword ends at its first `=`, so GNU tar writes that byte of an xattr's name as `%3D`. */
function encodeKeyword(name: string): string {
  return /[%=]/.test(name) ? name.replaceAll('%', '%25').replaceAll('=', '%3D') : name;
}

function decodeKeyword(keyword: string): string {
  return keyword.replaceAll('%3D', '=').replaceAll('%25', '%');
}

function decimal(key: string, value: string): number {
  const number = Number(value);
  if (!/^\d+$/.test(value) || !Number.isSafeInteger(number)) {
    throw new Error(`The pax record "${key}" is not a whole number`);
  }
  return number;
}
