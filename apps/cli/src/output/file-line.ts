import type { FileView } from '#contracts/image.js';
import { printable } from './printable.js';
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

/** `-rw-r--r--  1000  1000  12,345  2026-01-31 18:00:05  etc/passwd`. */
export function fileLine(file: FileView): string {
  const owner = `${String(file.uid).padStart(5)}  ${String(file.gid).padStart(5)}`;
  const size = formatCount(file.size).padStart(15);
  const time = file.type === 'x' ? 'deleted            ' : formatTime(file.mtime);
  return `${modeText(file)}  ${owner}  ${size}  ${time}  ${printable(file.path)}${linkText(file)}`;
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

function linkText({ type, target }: FileView): string {
  if (type === 'l') return ` -> ${printable(target)}`;
  return type === 'h' ? ` = ${printable(target)}` : '';
}
