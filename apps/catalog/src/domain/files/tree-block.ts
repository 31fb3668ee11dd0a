import { blake3 } from '#kernel/blake3.js';
import { type FileLine, readFileLines } from '#archive/file-lines.js';
import type { IndexRecord } from './index-record.js';
import { directoryKey } from './tree-key.js';

/** Characters of a block's name: 16 bytes of BLAKE3 of its text, hex. */
const DIGEST_LENGTH = 32;

/** A piece of a file tree. Never changed; named by what it holds. */
export interface TreeBlock {
  readonly digest: string;
  readonly text: string;
  /** 0 for a page of entries, else the levels of blocks below it. */
  readonly height: number;
}

/** A file tree, by the block that leads to all others. */
export interface TreeRoot {
  readonly digest: string;
  readonly height: number;
  readonly entries: number;
}

/** An entry as a page has it. Paths are path text. */
export type TreeEntry = FileLine;

export interface KeyedEntry extends TreeEntry {
  readonly key: string;
}

/** A block below a node. */
export interface ChildBlock {
  /** The key of its first entry. */
  readonly key: string;
  readonly digest: string;
}

export function treeBlock(text: string, height: number): TreeBlock {
  return { text, height, digest: blake3(text).toString('hex', 0, DIGEST_LENGTH / 2) };
}

/*
 * A page is text: a line for each folder, behind it a line for each of its entries, as `readFileLines`
 * reads them.
 */

export function directoryLine(directory: string): string {
  return `/${directory}\n`;
}

/** Where an entry lies in the archive is left out: that differs in every image. */
export function entryLine(record: IndexRecord): string {
  const { name, type, size, mtimeNs, mode, uid, gid } = record;
  const extra = type === 'h' ? linkTarget(record.extra) : record.extra;
  return `${name}\t${type}${mode.toString(8)}\t${size}\t${mtimeNs}\t${uid}\t${gid}\t${extra}\n`;
}

/** Of `<own offset> <own length> <target>`. */
function linkTarget(extra: string): string {
  const second = extra.indexOf(' ', extra.indexOf(' ') + 1);
  return extra.slice(second + 1);
}

export function childLine({ key, digest }: ChildBlock): string {
  return `${digest}${key}\n`;
}

export function readPage(text: string): KeyedEntry[] {
  let directory: string | undefined;
  let prefix = '';
  return readFileLines(text).map((entry) => {
    if (entry.directory !== directory) prefix = directoryKey((directory = entry.directory));
    return Object.assign(entry, { key: prefix + entry.name });
  });
}

export function readNode(text: string): ChildBlock[] {
  return [...linesOf(text)].map((line) => ({
    digest: line.slice(0, DIGEST_LENGTH),
    key: line.slice(DIGEST_LENGTH),
  }));
}

/** The names that a page holds, folder by folder: all that has to be in the dictionary of its client. */
export function* namesOf(text: string): Generator<{ directory: string; name: string }> {
  let directory = '';
  for (const line of linesOf(text)) {
    if (line.startsWith('/')) directory = line.slice(1);
    else yield { directory, name: line.slice(0, line.indexOf('\t')) };
  }
}

function* linesOf(text: string): Generator<string> {
  for (let from = 0; from < text.length;) {
    const end = text.indexOf('\n', from);
    yield text.slice(from, end);
    from = end + 1;
  }
}
