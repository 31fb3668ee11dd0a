import { splitNanoseconds } from './nanoseconds.js';

/*
 * Files as text, folder by folder: a line with a slash and the folder's path (nothing but the slash for
 * the root), behind it a line for each entry in it: name, type and octal mode, size, mtime, uid, gid and
 * what a link leads to or a device's numbers, with tabs between them. Paths are path text. A name has no
 * slash, so the lines are told apart by that.
 */

/** What such a line says. */
export interface FileLine {
  /** Without slashes at its ends. */
  readonly directory: string;
  readonly name: string;
  readonly type: 'f' | 'd' | 'l' | 'h' | 'p' | 'c' | 'b' | 'x';
  readonly size: number;
  /** Decimal nanoseconds since 1970: more than a number can hold. */
  readonly mtimeNs: string;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  /** Of a symbolic link its target, of a hard link its target without a slash in front, of a device its numbers. */
  readonly extra: string;
}

/** Reads whole lines, which begin with a folder's. @throws Error where one is no such line. */
export function readFileLines(text: string): FileLine[] {
  const files: FileLine[] = [];
  let directory = '';
  for (let from = 0; from < text.length;) {
    const end = text.indexOf('\n', from);
    if (end < 0) throw new Error('a line of files has no end');
    const line = text.slice(from, end);
    from = end + 1;
    if (line.startsWith('/')) directory = line.slice(1);
    else files.push(readFileLine(directory, line));
  }
  return files;
}

function readFileLine(directory: string, line: string): FileLine {
  const columns = line.split('\t');
  if (columns.length !== 7) throw new Error(`"${line}" is no line of a file`);
  return {
    directory,
    name: columns[0]!,
    type: columns[1]![0] as FileLine['type'],
    mode: Number.parseInt(columns[1]!.slice(1), 8),
    size: Number(columns[2]),
    mtimeNs: columns[3]!,
    uid: Number(columns[4]),
    gid: Number(columns[5]),
    extra: columns[6]!,
  };
}

/** A file as endpoints name it (`fileView` of the contracts), but for its image. */
export interface FileOfLine extends Pick<FileLine, 'type' | 'size' | 'uid' | 'gid'> {
  readonly path: string;
  readonly mtime: string;
  readonly mode: string;
  readonly target: string;
}

export function fileOfLine(line: FileLine): FileOfLine {
  const { type, size, uid, gid } = line;
  return {
    path: pathOf(line),
    type,
    size,
    mtime: nanosecondTime(line.mtimeNs),
    mode: line.mode.toString(8).padStart(4, '0'),
    uid,
    gid,
    target: targetOf(line),
  };
}

/** As people write it: absolute. */
export function pathOf({ directory, name }: Pick<FileLine, 'directory' | 'name'>): string {
  return directory === '' ? `/${name}` : `/${directory}/${name}`;
}

/** RFC 3339 in UTC with nine digits of fraction; `@` and whole seconds since 1970, as `date -d` takes them, where no calendar has the time. */
export function nanosecondTime(mtimeNs: string): string {
  const { seconds, nanos } = splitNanoseconds(mtimeNs);
  const time = new Date(seconds * 1_000);
  if (Number.isNaN(time.getTime())) {
    return `@${(BigInt(mtimeNs) - BigInt(nanos)) / 1_000_000_000n}`;
  }
  return `${time.toISOString().slice(0, -5)}.${String(nanos).padStart(9, '0')}Z`;
}

/** A symbolic link's target as it is, a hard link's as an absolute path. */
function targetOf({ type, extra }: FileLine): string {
  if (type === 'l') return extra;
  return type === 'h' ? `/${extra}` : '';
}
