import { type FileLine, nanosecondTime, pathOf } from '#archive/file-lines.js';
import type { FileView } from '#contracts/image.js';
import { isPrintable, printable } from './printable.js';
import { formatCount } from './size.js';
import { formatTime } from './time.js';

const TYPE_LETTERS: Readonly<Record<FileView['type'], string>> = {
  f: '-',
  h: 'h',
  d: 'd',
  l: 'l',
  p: 'p',
  c: 'c',
  b: 'b',
  x: 'x',
};

const TIME_WIDTH = '2026-01-31 18:00:05'.length;

/** Lines for a terminal. */
export function fileLines(files: readonly FileLine[]): string[] {
  const lines = files.map(fileLine);
  // One look at all of them instead of one at each.
  return isPrintable(lines.join('')) ? lines : lines.map(printable);
}

/** `-rw-r--r--  1000  1000  12,345  2026-01-31 18:00:05  /etc/passwd`. */
function fileLine(line: FileLine): string {
  const owner = `${String(line.uid).padStart(5)}  ${String(line.gid).padStart(5)}`;
  const size = formatCount(line.size).padStart(15);
  const time = (line.type === 'x' ? 'deleted' : timeText(line.mtimeNs)).padEnd(TIME_WIDTH);
  return `${modeOf(line)}  ${owner}  ${size}  ${time}  ${pathOf(line)}${linkText(line)}`;
}

/** Most files of an image have one of a few modes. */
const modes = new Map<string, string>();

function modeOf({ type, mode }: FileLine): string {
  const key = `${type}${mode.toString(8)}`;
  const known = modes.get(key);
  if (known !== undefined) return known;
  const text = modeText({ type, mode: key.slice(1) });
  modes.set(key, text);
  return text;
}

/** Neighbours are often as old as each other. */
let last = { mtimeNs: '', text: '' };

function timeText(mtimeNs: string): string {
  if (mtimeNs !== last.mtimeNs) last = { mtimeNs, text: formatTime(nanosecondTime(mtimeNs)) };
  return last.text;
}

/** As `ls -l` writes it: type, then rwx three times with s, S, t, T for the special bits. */
export function modeText({ type, mode }: Pick<FileView, 'type' | 'mode'>): string {
  const bits = Number.parseInt(mode, 8) || 0;
  const letters = [0o400, 0o200, 0o100, 0o040, 0o020, 0o010, 0o004, 0o002, 0o001].map((bit, i) =>
    (bits & bit) === 0 ? '-' : 'rwx'[i % 3]!,
  );
  const special = [
    [0o4000, 2, 's', 'S'],
    [0o2000, 5, 's', 'S'],
    [0o1000, 8, 't', 'T'],
  ] as const;
  for (const [bit, at, withX, without] of special) {
    if ((bits & bit) !== 0) letters[at] = letters[at] === 'x' ? withX : without;
  }
  return TYPE_LETTERS[type] + letters.join('');
}

function linkText({ type, extra }: FileLine): string {
  if (type === 'l') return ` -> ${extra}`;
  return type === 'h' ? ` = /${extra}` : '';
}
