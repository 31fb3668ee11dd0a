import { compareText } from './tree-key.js';

/** What one folder has, or a part of it: the lines of its entries as pages have them, in the order of names. */
export interface FolderLines {
  readonly directory: string;
  readonly lines: string;
}

/** The folders of a page. No line of an entry is looked at. */
export function readFolders(page: string): FolderLines[] {
  const folders: FolderLines[] = [];
  for (let from = 0; from < page.length;) {
    const end = page.indexOf('\n', from);
    const next = page.indexOf('\n/', end);
    const stop = next < 0 ? page.length : next + 1;
    folders.push({ directory: page.slice(from + 1, end), lines: page.slice(end + 1, stop) });
    from = stop;
  }
  return folders;
}

/** Puts parts together: each folder once, in the order of their paths. */
export function mergeFolders(parts: readonly FolderLines[]): FolderLines[] {
  const folders = new Map<string, string[]>();
  for (const { directory, lines } of parts) {
    if (lines === '') continue;
    const known = folders.get(directory);
    if (known) known.push(lines);
    else folders.set(directory, [lines]);
  }
  return [...folders]
    .map(([directory, ofFolder]) => ({ directory, lines: mergeLines(ofFolder) }))
    .sort((a, b) => compareText(a.directory, b.directory));
}

/** Parts of a tree follow each other; only those of several trees may lie between each other. */
function mergeLines(parts: readonly string[]): string {
  const follow = parts.every(
    (part, at) => at === 0 || compareText(lastName(parts[at - 1]!), nameAt(part, 0)) < 0,
  );
  if (follow) return parts.join('');
  return parts
    .flatMap((part) => part.split('\n').slice(0, -1))
    .sort((a, b) => compareText(nameAt(a, 0), nameAt(b, 0)))
    .map((line) => `${line}\n`)
    .join('');
}

/** The lines behind a name. */
export function linesBehind(lines: string, name: string): string {
  let from = 0;
  while (from < lines.length && compareText(nameAt(lines, from), name) <= 0) {
    from = lines.indexOf('\n', from) + 1;
  }
  return lines.slice(from);
}

function nameAt(lines: string, from: number): string {
  return lines.slice(from, lines.indexOf('\t', from));
}

/** The line with that name; empty if there is none. */
export function lineOf(lines: string, name: string): string {
  const at = `\n${lines}`.indexOf(`\n${name}\t`);
  return at < 0 ? '' : lines.slice(at, lines.indexOf('\n', at) + 1);
}

/** Of the last line. */
export function lastName(lines: string): string {
  return nameAt(lines, lines.lastIndexOf('\n', lines.length - 2) + 1);
}

/** How much a list holds: so much that it is enough, and no more than the most. */
export interface ListSize {
  readonly enough: number;
  readonly most: number;
  /** Of a folder's own line. */
  head(directory: string): number;
  lines(lines: string): number;
}

/** So many entries. */
export function entriesAtMost(count: number): ListSize {
  return { enough: count, most: count, head: () => 0, lines: countLines };
}

/** So many bytes of text. */
export function bytesOfText(enough: number, most: number): ListSize {
  const head = (directory: string) => Buffer.byteLength(directory) + 2;
  return { enough, most, head, lines: (lines) => Buffer.byteLength(lines) };
}

export function sizeOf(folders: readonly FolderLines[], size: ListSize): number {
  return folders.reduce(
    (sum, { directory, lines }) => sum + size.head(directory) + size.lines(lines),
    0,
  );
}

function countLines(lines: string): number {
  let count = 0;
  for (let at = lines.indexOf('\n'); at >= 0; at = lines.indexOf('\n', at + 1)) count += 1;
  return count;
}

/** The beginning of a list: as much as it may hold, and one line at least. */
export function cutList(
  folders: readonly FolderLines[],
  size: ListSize,
): { readonly folders: readonly FolderLines[]; readonly isWhole: boolean } {
  let left = size.most;
  for (const [at, folder] of folders.entries()) {
    const { directory, lines } = folder;
    const room = left - size.head(directory);
    left = room - size.lines(lines);
    if (left >= 0) continue;
    const some = linesWithin(lines, room, { size, linesMin: at === 0 ? 1 : 0 });
    const last = some === '' ? [] : [{ directory, lines: some }];
    return { folders: [...folders.slice(0, at), ...last], isWhole: false };
  }
  return { folders, isWhole: true };
}

function linesWithin(
  lines: string,
  room: number,
  { size, linesMin }: { size: ListSize; linesMin: number },
): string {
  let end = 0;
  let left = room;
  for (let count = 0; end < lines.length; count += 1) {
    const next = lines.indexOf('\n', end) + 1;
    left -= size.lines(lines.slice(end, next));
    if (left < 0 && count >= linesMin) break;
    end = next;
  }
  return lines.slice(0, end);
}

export function textOf(folders: readonly FolderLines[]): string {
  return folders.map(({ directory, lines }) => `/${directory}\n${lines}`).join('');
}
