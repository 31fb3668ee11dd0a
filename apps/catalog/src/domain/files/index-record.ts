import { CorruptIndex } from './corrupt-index.js';
import { splitPath } from './glob.js';

/** An index line with its columns as text, checked. */
export interface IndexRecord {
  readonly type: string;
  readonly directory: string;
  readonly name: string;
  readonly size: string;
  readonly mtimeNs: string;
  readonly mode: number;
  readonly uid: string;
  readonly gid: string;
  /** Null for what was deleted. */
  readonly offset: string | null;
  readonly length: string | null;
  readonly flags: string;
  readonly extra: string;
}

const LINE =
  /^([fdlhpcb])\t([^\t]*)\t(\d+)\t(-?\d+)\t([0-7]{1,5})\t(\d+)\t(\d+)\t(\d+)\t(\d+)\t(-|[a-z]+)\t([^\t]*)$/;
/** More than any file system has. Numbers with fewer digits need no closer look. */
const NUMBER_MAX = 2n ** 63n - 1n;
const DIGITS_MIN = 19;

/** Of what was deleted only the path means something. */
const DELETION = /^x\t([^\t]+)\t/;

/**
 * Reads whole lines and adds what they hold.
 * @throws CorruptIndex where one is no index line.
 */
export function readIndexRecords(text: string, into: IndexRecord[]): void {
  for (let from = 0; from < text.length;) {
    const end = text.indexOf('\n', from);
    into.push(readIndexRecord(text.slice(from, end)));
    from = end + 1;
  }
}

/**
 * Reads one line (docs/formats.md, "Index") without its newline. Unlike `parseIndexLine` it leaves
 * path text as it is, since that is what the catalog holds: this runs once for every file of a backup.
 * @throws CorruptIndex where it is none.
 */
export function readIndexRecord(line: string): IndexRecord {
  const columns = LINE.exec(line);
  if (columns === null) return readDeletion(line);
  const { directory, name } = splitPath(columns[2]!);
  for (const column of [3, 6, 7]) requireInRange(columns[column]!, line);
  return {
    type: columns[1]!,
    directory,
    name,
    size: columns[3]!,
    mtimeNs: columns[4]!,
    mode: Number.parseInt(columns[5]!, 8),
    uid: columns[6]!,
    gid: columns[7]!,
    offset: columns[8]!,
    length: columns[9]!,
    flags: columns[10] === '-' ? '' : columns[10]!,
    extra: columns[11]!,
  };
}

function requireInRange(digits: string, line: string): void {
  if (digits.length < DIGITS_MIN || BigInt(digits) <= NUMBER_MAX) return;
  throw new CorruptIndex(`${JSON.stringify(line.slice(0, 200))}: ${digits} is out of range`);
}

function readDeletion(line: string): IndexRecord {
  const path = DELETION.exec(line)?.[1];
  if (path === undefined) {
    throw new CorruptIndex(`${JSON.stringify(line.slice(0, 200))} is no index line`);
  }
  return {
    type: 'x',
    ...splitPath(path),
    size: '0',
    mtimeNs: '0',
    mode: 0,
    uid: '0',
    gid: '0',
    offset: null,
    length: null,
    flags: '',
    extra: '',
  };
}
